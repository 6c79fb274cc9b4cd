//! Processes by descent.

use std::collections::HashSet;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::{Process, all_processes};
use tokio::time::Instant;

use super::orphans::Orphans;

/// How often it is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A process by its id and the time of its birth, in ticks since the machine was started: ids are used again.
pub type Birth = (i32, u64);

/// A process and all that descend from it, without those that have ended and those in the families of `others`.
#[must_use]
pub fn family(root: u32, others: &HashSet<Birth>) -> Vec<Process> {
    let Ok(root) = i32::try_from(root) else {
        return Vec::new();
    };
    let mut rest: Vec<(Process, i32)> = all_processes()
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|process| {
            let stat = process.stat().ok()?;
            let is_there = stat.state != 'Z' && !others.contains(&(stat.pid, stat.starttime));
            is_there.then_some((process, stat.ppid))
        })
        .collect();
    let mut members = HashSet::from([root]);
    let mut family = Vec::new();
    loop {
        let (new, others): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|(process, parent)| process.pid == root || members.contains(parent));
        rest = others;
        if new.is_empty() {
            return family;
        }
        members.extend(new.iter().map(|(process, _)| process.pid));
        family.extend(new.into_iter().map(|(process, _)| process));
    }
}

/// The processes of a group, without those that have ended.
#[must_use]
pub fn group(leader: u32) -> Vec<Process> {
    let is_in_it = |process: &Process| {
        let stat = process.stat();
        stat.is_ok_and(|stat| stat.state != 'Z' && u32::try_from(stat.pgrp) == Ok(leader))
    };
    let all = all_processes().into_iter().flatten();
    all.filter_map(Result::ok).filter(is_in_it).collect()
}

/// Ourselves and all that descend from us, as it is now. Where a script has put the agent in its own place (`exec`),
/// there may be more than the agent has started.
#[must_use]
pub fn ours() -> HashSet<Birth> {
    family(std::process::id(), &HashSet::new())
        .into_iter()
        .filter_map(|process| process.stat().ok())
        .map(|stat| (stat.pid, stat.starttime))
        .collect()
}

/// Kills all that descend from us and collects them, but for the families of `others`, of which we are one. With
/// k6 gone, that is what it left: also what moved to a group of its own, as orphans come to us. What is still there
/// at the time `until` is left to the system.
pub async fn end_all_but(others: &HashSet<Birth>, until: Instant) {
    loop {
        let left = family(std::process::id(), others);
        if left.is_empty() {
            return;
        }
        if Instant::now() > until {
            let left: Vec<_> = left.iter().map(|process| process.pid).collect();
            tracing::warn!("k6 left processes that cannot be killed: {left:?}");
            return;
        }
        for process in left {
            // One that ends just now needs no kill; its id is not free before it is collected, which is by us.
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        tokio::time::sleep(LOOK_EVERY).await;
        Orphans::collect(None);
    }
}
