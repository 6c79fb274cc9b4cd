//! What one valid answer says.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::Moment;

/// A leap second that a server announces for the end of the current UTC day
/// (RFC 5905 §7.3, leap indicator 0 to 2; 3 is no valid answer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leap {
    /// None.
    None,
    /// The last minute has 61 seconds.
    Insert,
    /// The last minute has 59 seconds.
    Delete,
}

/// One valid answer of one server: what it says of UTC at one moment of ours.
///
/// It was measured on this machine's raw clock, so no step and no slew of the
/// wall clock is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When the answer arrived (T4), on this machine's raw clock.
    pub at: Moment,
    /// UTC at that moment by this answer: halfway between what the path's delay allows.
    pub utc: DateTime<Utc>,
    /// How far `utc` may be off at `at`: δ/2 + root delay/2 + root dispersion + server precision + local reading
    /// error + 23 µs + 500 ppm · (T4 − T1). (RFC 5905 §11.2 plus rounding, see clock docs.)
    pub bound: Duration,
    /// δ, the round trip without the server's own time.
    pub round_trip: Duration,
    /// How long the server's answers take to its primary source and back, in all.
    pub root_delay: Duration,
    /// How far the server may be off from its primary source, delay aside.
    pub root_dispersion: Duration,
    /// 1 (has a reference clock itself) to 15.
    pub stratum: u8,
    /// The leap second announced for the end of the current UTC day.
    pub leap: Leap,
}
