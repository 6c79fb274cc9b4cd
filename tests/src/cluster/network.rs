//! The network of a node: a namespace, in which this process can have threads and sockets.

use std::{
    fs::File,
    path::{Path, PathBuf},
    thread,
};

use nix::{
    sched::{CloneFlags, setns},
    unistd::Pid,
};

/// The network that a process is in.
#[derive(Clone, Debug)]
pub struct Network(PathBuf);

impl Network {
    /// That of a process.
    pub(super) fn of(process: Pid) -> Self {
        Self(format!("/proc/{process}/ns/net").into())
    }

    /// The file that stands for it.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves the calling thread into it, for ever.
    pub(super) fn enter(&self) {
        let network = File::open(&self.0).unwrap();
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// Runs something, for instance the opening of a socket, which stays in this network wherever it is used.
    pub fn run<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                task()
            });
            inside.join().unwrap()
        })
    }
}
