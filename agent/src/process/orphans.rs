//! Processes that lost their parent. The first process of a container inherits them, as init does on a machine; any
//! other can ask for those that descend from it. They have to be collected when they end, or they stay as zombies.

use std::io;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Collects orphans.
#[derive(Debug)]
pub struct Orphans {
    child_ended: Signal,
}

impl Orphans {
    /// Listens for the ends of children from now on, and takes in what k6 has started and does not wait for, so
    /// that it can be ended with k6.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn listen() -> io::Result<Self> {
        let child_ended = signal(SignalKind::child())?;
        set_child_subreaper(true)?;
        Ok(Self { child_ended })
    }

    /// Waits until some child, our own or inherited, has ended.
    pub async fn ended(&mut self) {
        if self.child_ended.recv().await.is_none() {
            std::future::pending().await
        }
    }

    /// Collects those that have ended, and never `own`, whose status somebody else waits for. One of ours that has
    /// ended and was not waited for yet may hide others: call again once it was.
    pub fn collect(own: Option<u32>) {
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        // Looked at first and taken then, by its id.
        while let Ok(status) = waitid(Id::All, ended | WaitPidFlag::WNOWAIT)
            && let Some(pid) = status.pid()
            && u32::try_from(pid.as_raw()).ok() != own
        {
            tracing::debug!(%pid, "an orphan ended");
            if waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
                return;
            }
        }
    }
}
