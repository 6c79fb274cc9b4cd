//! What keeps a node apart from the rest of the machine: a network, mounts, processes and cgroups of its own.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// Where all cgroup hierarchies are.
const CGROUPS: &str = "/sys/fs/cgroup";

/// How long the kernel may take to let go of the cgroups of processes that have just ended.
const RELEASE_TAKES: Duration = Duration::from_secs(10);

/// Lets a command that is about to be started be the first process in namespaces of its own, so that nothing that
/// it starts, mounts or sets up outlives it.
pub fn enclose(command: &mut Command) -> io::Result<()> {
    // Only what this process starts from now on is in it.
    unshare(CloneFlags::CLONE_NEWPID)?;
    // SAFETY: between fork and exec only unshare is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?));
    }
    Ok(())
}

/// Gives this process, the first in its namespaces, mounts to match: its own processes in `/proc`, and empty
/// folders where containerd and the kubelet put their things.
pub fn furnish() -> nix::Result<()> {
    let bind = |source: &str, target: &str, kind: &str, flags| {
        mount(Some(source), target, Some(kind), flags, None::<&str>)
    };
    bind("none", "/", "none", MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
    bind("proc", "/proc", "proc", MsFlags::empty())?;
    bind("run", "/run", "tmpfs", MsFlags::empty())?;
    bind("log", "/var/log", "tmpfs", MsFlags::empty())
}

/// A cgroup in each hierarchy. Dropping it removes it with all below it.
pub struct Cgroup {
    /// As in `/proc/self/cgroup`.
    pub name: String,
    folders: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes it.
    pub fn new(name: &str) -> io::Result<Self> {
        let mut cgroup = Self {
            name: format!("/{name}"),
            folders: Vec::new(),
        };
        for hierarchy in hierarchies()? {
            let folder = hierarchy.join(name);
            fs::create_dir(&folder)?;
            cgroup.folders.push(folder);
        }
        inherit_cpus(&Path::new(CGROUPS).join("cpuset"), name)?;
        Ok(cgroup)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + RELEASE_TAKES;
        for folder in &self.folders {
            while let Err(error) = remove(folder) {
                if Instant::now() > deadline {
                    eprintln!("cannot remove {}: {error}", folder.display());
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// One in version 2, one a controller in version 1.
fn hierarchies() -> io::Result<Vec<PathBuf>> {
    let root = PathBuf::from(CGROUPS);
    if root.join("cgroup.procs").exists() {
        // What is below it can only use what is handed down to it.
        fs::write(
            root.join("cgroup.subtree_control"),
            "+cpu +cpuset +memory +pids",
        )?;
        return Ok(vec![root]);
    }
    let folders = fs::read_dir(root)?.map(|entry| entry?.path().canonicalize());
    let mut folders = folders.collect::<io::Result<Vec<_>>>()?;
    folders.retain(|folder| folder.join("cgroup.procs").exists());
    // Two controllers may share one, under two names.
    folders.sort();
    folders.dedup();
    Ok(folders)
}

/// In version 1 a cgroup has no processor and no memory until it is told which.
fn inherit_cpus(hierarchy: &Path, name: &str) -> io::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if hierarchy.join(file).exists() {
            fs::write(
                hierarchy.join(name).join(file),
                fs::read(hierarchy.join(file))?,
            )?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
