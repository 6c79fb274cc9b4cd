//! The processes of a runner's containers, as the machine sees them.

use std::{collections::BTreeSet, ffi::OsStr, net::SocketAddr};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use procfs::{
    net::TcpState,
    process::{Process, all_processes},
};

/// A process of a runner: its agent, or k6.
#[derive(Debug)]
pub struct RunnerProcess {
    /// The name of its program.
    pub name: String,
    process: Process,
}

impl RunnerProcess {
    /// Those of the pod with this UID.
    pub fn all_of(pod_uid: &str) -> Vec<Self> {
        let all = all_processes().unwrap().flatten();
        all.filter_map(|process| Self::of(process, pod_uid))
            .collect()
    }

    /// `None` as well for a process that ends while it is looked at.
    fn of(process: Process, pod_uid: &str) -> Option<Self> {
        let cgroups = process.cgroups().ok()?;
        let mut cgroups = cgroups.into_iter();
        cgroups.find(|cgroup| cgroup.pathname.contains(pod_uid))?;
        // Not the process that keeps the pod's namespaces.
        process.environ().ok()?.get(OsStr::new("TMINUS_STAGE"))?;
        let name = process.stat().ok()?.comm;
        Some(Self { name, process })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.pid), signal).unwrap();
    }

    /// What it runs as and may do, from `/proc/PID/status`.
    pub fn status(&self) -> procfs::process::Status {
        self.process.status().unwrap()
    }

    /// Where anything listens in its pod's network.
    pub fn listening(&self) -> BTreeSet<SocketAddr> {
        let sockets = self.process.tcp().unwrap().into_iter();
        let sockets = sockets.chain(self.process.tcp6().unwrap());
        sockets
            .filter(|socket| socket.state == TcpState::Listen)
            .map(|socket| socket.local_address)
            .collect()
    }
}
