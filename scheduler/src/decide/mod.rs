//! The decisions: pure functions over values, without I/O and without a clock of
//! their own. What time it is on this process's monotonic clock is an argument.

use std::time::Duration;

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

/// The longest that a healthy runner takes to renew its report: it does every 10 s,
/// give or take a fifth.
const RENEWAL: Duration = Duration::from_secs(12);

/// How long a report is fresh after its change was seen: three renewals, so that one
/// lost and one late do no harm.
pub const FRESH: Duration = RENEWAL.saturating_mul(3);
