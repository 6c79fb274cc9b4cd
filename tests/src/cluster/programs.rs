//! Where the programs of a cluster are: `tools/get.sh` has built or unpacked them below `.tools/`.

use std::{env, path::PathBuf};

use procfs::process::Process;

use crate::programs::{K6, chronyd, in_ci, repository};

/// `CAP_SYS_ADMIN`, as a bit of the effective capabilities (linux/capability.h).
const SYSTEM_ADMINISTRATION: u64 = 1 << 21;

/// The programs of a cluster without a node, all of which are there.
pub struct Programs(());

impl Programs {
    /// They, or nothing where a test that needs them is to be skipped.
    ///
    /// # Panics
    /// If they are not there, in CI.
    pub fn find() -> Option<Self> {
        let programs = Self(());
        let needed = [
            programs.etcd(),
            programs.kubernetes("kube-apiserver"),
            programs.kubernetes("kube-controller-manager"),
            programs.kubectl(),
        ];
        there_are(&needed).then_some(programs)
    }

    /// etcd.
    pub fn etcd(&self) -> PathBuf {
        repository().join(".tools/etcd/usr/bin/etcd")
    }

    /// A program of Kubernetes.
    pub fn kubernetes(&self, name: &str) -> PathBuf {
        kubernetes().join(name)
    }

    /// What users speak to a cluster with.
    pub fn kubectl(&self) -> PathBuf {
        self.kubernetes("kubectl")
    }
}

/// What a node needs besides, all of it there.
pub struct NodePrograms {
    chronyd: PathBuf,
}

impl NodePrograms {
    /// They, or nothing where a test that needs them is to be skipped, for want of root as well.
    ///
    /// # Panics
    /// If they are not there, or this is not root, in CI.
    pub fn find() -> Option<Self> {
        if !may_have_namespaces() {
            skip("a node's namespaces are for root alone, with all of root's rights");
            return None;
        }
        let chronyd = chronyd()?;
        let programs = Self { chronyd };
        let needed = [
            programs.kubelet(),
            programs.containerd("containerd"),
            programs.unpacked("usr/bin/buildah"),
        ];
        // Its images hold k6 v2.
        (there_are(&needed) && K6::V2.program().is_some()).then_some(programs)
    }

    /// The kubelet.
    pub fn kubelet(&self) -> PathBuf {
        kubernetes().join("kubelet")
    }

    /// The NTP server.
    pub fn chronyd(&self) -> PathBuf {
        self.chronyd.clone()
    }

    /// A program of containerd.
    pub fn containerd(&self, name: &str) -> PathBuf {
        repository().join(".tools/containerd-2.2.9").join(name)
    }

    /// A file of the distribution's packages, which are unpacked and not installed.
    pub fn unpacked(&self, path: &str) -> PathBuf {
        repository().join(".tools/node").join(path)
    }

    /// The folders with the libraries that were unpacked with them.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let machine = format!("{}-linux-gnu", env::consts::ARCH);
        let folders = ["usr/lib", "lib"].map(|folder| self.unpacked(folder).join(&machine));
        folders
            .into_iter()
            .filter(|folder| folder.is_dir())
            .collect()
    }

    /// What `PATH` is to be, so that they find each other.
    pub fn path(&self) -> String {
        let mut folders = vec![
            self.containerd(""),
            self.unpacked("usr/sbin"),
            self.unpacked("usr/bin"),
        ];
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        env::join_paths(folders).unwrap().into_string().unwrap()
    }
}

fn kubernetes() -> PathBuf {
    repository().join(".tools/kubernetes-1.36.3")
}

/// Root in a container often may not.
fn may_have_namespaces() -> bool {
    let status = Process::myself().unwrap().status().unwrap();
    status.capeff & SYSTEM_ADMINISTRATION != 0
}

fn there_are(programs: &[PathBuf]) -> bool {
    let missing = programs.iter().find(|program| !program.is_file());
    if let Some(program) = missing {
        let path = program.display();
        skip(&format!(
            "no {path}: run `make tools`, which needs Go and apt-get"
        ));
    }
    missing.is_none()
}

/// Says that a test is skipped, and why.
///
/// # Panics
/// In CI.
fn skip(why: &str) {
    assert!(!in_ci(), "{why}");
    eprintln!("SKIPPED, {why}");
}
