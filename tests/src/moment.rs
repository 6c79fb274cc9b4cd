//! When something was seen to happen.

use std::time::Instant;

use chrono::{DateTime, Utc};

/// One moment on both clocks: UTC to compare with an instant that was agreed on, monotonic to compare with
/// other moments seen by the same process, which no step of the wall clock disturbs.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The wall clock, to the nanosecond.
    pub utc: DateTime<Utc>,
    /// The monotonic clock.
    pub monotonic: Instant,
}

impl Moment {
    /// Reads both clocks: the machine's own, so that nothing measured here hangs on the clock that is tested.
    #[allow(clippy::disallowed_methods)]
    pub fn now() -> Self {
        Self {
            utc: Utc::now(),
            monotonic: Instant::now(),
        }
    }
}
