//! The decisions: pure functions over values, without I/O and without a clock of
//! their own. What time it is on this process's monotonic clock is an argument.

use std::time::Duration;

use rendezvous::pace;

pub mod absence;
pub mod access;
pub mod claim;
pub mod ending;
pub mod flaw;
pub mod impossible;
pub mod instant;
pub mod job;
pub mod last_words;
pub mod lead;
pub mod loss;
pub mod muster;
pub mod natural;
pub mod notice;
pub mod observed;
pub mod outcome;
pub mod pod;
pub mod policy;
pub mod quorum;
pub mod roster;
pub mod sources;
pub mod spread;
pub mod started;
pub mod timebase;
pub mod witness;
pub mod words;

#[cfg(test)]
mod tests;

/// How long a report is fresh after its change was seen: three renewals, so that one
/// lost and one late do no harm. `wanted`: how many runners the plan says are wanted, since
/// they renew the more rarely the more they are.
#[must_use]
pub fn fresh(wanted: u32) -> Duration {
    pace::longest_renewal(wanted) * 3
}

/// How long a runner may be silent before it is taken for lost: two renewals. One that could not write
/// tries again within seconds, and one that is heard of again is not lost any more.
#[must_use]
pub fn overdue(wanted: u32) -> Duration {
    pace::longest_renewal(wanted) * 2
}
