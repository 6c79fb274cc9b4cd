//! The decisions: pure functions over values, without I/O and without a clock of
//! their own. What time it is on this process's monotonic clock is an argument.

use std::time::Duration;

use rendezvous::report::LONGEST_RENEWAL;

pub mod claim;
pub mod ending;
pub mod instant;
pub mod muster;
pub mod natural;
pub mod outcome;
pub mod quorum;
pub mod roster;
pub mod spread;
pub mod started;
pub mod timebase;
pub mod words;

/// How long a report is fresh after its change was seen: three renewals, so that one
/// lost and one late do no harm.
pub const FRESH: Duration = LONGEST_RENEWAL.saturating_mul(3);
