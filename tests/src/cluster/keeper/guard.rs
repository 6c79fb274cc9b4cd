//! The outermost process of a cluster, which clears up after all others.

use std::{
    env,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::Command,
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::wait,
    },
    unistd::{Pid, getpid},
};
use procfs::process::all_processes;
use tempfile::TempDir;

use super::{
    boundaries::{Cgroup, enclose},
    protocol::Begun,
};

/// Starts the process that the cluster's programs are to be below, and returns when that and all of them have
/// ended and nothing of them is left.
pub fn guard(node: bool) -> io::Result<()> {
    // What any of them leaves behind is then this process's child, and is waited for.
    prctl::set_child_subreaper(true)?;
    let folder = tempfile::Builder::new()
        .prefix("tminus-cluster-")
        .tempdir()?;
    let cgroup = node.then(|| Cgroup::new(&name_of(&folder))).transpose()?;

    let mut command = Command::new(env::current_exe()?);
    command.arg("keep").arg(folder.path());
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?));
    }
    if node {
        command.arg("--node");
        enclose(&mut command)?;
    }
    let mut keeper = command.spawn()?;
    let begun = Begun {
        folder: folder.path().to_owned(),
        process: keeper.id().try_into().map_err(io::Error::other)?,
        cgroup: cgroup.as_ref().map(|cgroup| cgroup.name.clone()),
    };
    say(&begun)?;

    // The keeper sees the end of the test, and ends.
    keeper.wait()?;
    end_orphans()?;
    drop(cgroup);
    remove(folder)
}

/// Kills what the programs have left behind, which are this process's children now, and so in turn what those do.
fn end_orphans() -> io::Result<()> {
    let this = getpid();
    loop {
        for process in all_processes().map_err(io::Error::other)?.flatten() {
            if process.stat().is_ok_and(|stat| stat.ppid == this.as_raw()) {
                // It is reaped here and nowhere else, so its id is its own.
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
            }
        }
        if wait() == Err(Errno::ECHILD) {
            return Ok(());
        }
    }
}

fn say(begun: &Begun) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, begun)?;
    writeln!(stdout)?;
    stdout.flush()
}

fn name_of(folder: &TempDir) -> String {
    let name = folder.path().file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn remove(folder: TempDir) -> io::Result<()> {
    let path = folder.path().display().to_string();
    let said = |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
    folder.close().map_err(said)
}
