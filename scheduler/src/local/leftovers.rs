//! What agents that had to be killed leave behind: their k6, and what that started.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgrp};
use procfs::process::{Stat, all_processes};
use tokio::time::{Instant, sleep};
use tracing::warn;

/// How long killed processes may take to be gone. One that hangs in the kernel cannot be waited for.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// How often to look: what a killed process leaves shows up only when it is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Finds the processes that the agents leave behind: from its making on, this process
/// takes the place of their parent.
#[derive(Debug)]
pub struct Leftovers {
    /// Children that this process had before, by id and time of birth: a shell may have
    /// started some and then become this process.
    not_ours: BTreeSet<(i32, u64)>,
}

impl Leftovers {
    /// Begins to take the place of parents that die.
    ///
    /// # Errors
    /// What the system answers.
    pub fn adopt() -> io::Result<Self> {
        let not_ours = children()?.iter().map(birth).collect();
        prctl::set_child_subreaper(true)?;
        Ok(Self { not_ours })
    }

    /// Kills all that is left, until there is nothing any more.
    pub async fn kill(&self) {
        self.kill_by(end).await;
    }

    /// `end`: kills a process, or at least tries to.
    async fn kill_by(&self, end: fn(&Stat)) {
        let give_up = Instant::now() + GONE_WITHIN;
        loop {
            let left: Vec<_> = match children() {
                Ok(children) => children
                    .into_iter()
                    .filter(|child| !self.not_ours.contains(&birth(child)))
                    .collect(),
                Err(error) => {
                    warn!("cannot look for processes that were left behind: {error}");
                    return;
                }
            };
            if left.is_empty() {
                return;
            }
            if Instant::now() >= give_up {
                let ids: Vec<_> = left.iter().map(|stat| stat.pid.to_string()).collect();
                warn!("processes {} do not end", ids.join(", "));
                return;
            }
            left.iter().for_each(end);
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// Kills a process with its group, which is its agent's or its k6's.
fn end(stat: &Stat) {
    // It may be gone by now. As this process is its parent and has not taken note of its
    // end, its id is not another's.
    let _ = if stat.pgrp == getpgrp().as_raw() {
        kill(Pid::from_raw(stat.pid), Signal::SIGKILL)
    } else {
        killpg(Pid::from_raw(stat.pgrp), Signal::SIGKILL)
    };
}

fn birth(stat: &Stat) -> (i32, u64) {
    (stat.pid, stat.starttime)
}

/// This process's children that have not ended.
fn children() -> io::Result<Vec<Stat>> {
    let this = Pid::this().as_raw();
    let processes = all_processes().map_err(io::Error::other)?;
    Ok(processes
        // One that ended meanwhile cannot be read any more.
        .filter_map(|process| process.ok()?.stat().ok())
        .filter(|stat| stat.ppid == this && stat.state != 'Z')
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use super::*;
    use crate::testing::logged::Logged;

    /// The child stands for one that hangs in the kernel: nothing is done to it.
    #[tokio::test(start_paused = true)]
    async fn a_process_that_cannot_be_killed_is_named_and_not_waited_for() {
        let logged = Logged::here();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let leftovers = Leftovers {
            not_ours: BTreeSet::new(),
        };
        let began = Instant::now();
        leftovers.kill_by(|_| {}).await;
        let took = began.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        // Other tests of this process may have children, too.
        logged.assert_has(&child.id().to_string());
        logged.assert_has(" do not end");
        assert!(took < GONE_WITHIN * 2, "{took:?}");
    }
}
