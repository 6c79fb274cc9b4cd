//! What a clock answers when it is asked for the time.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How far a reading may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorBound {
    /// Nobody has measured it: it may be anything.
    Unmeasured,
    /// The true time is no further than this from the midpoint.
    Within(Duration),
}

/// How a clock knows the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// From the machine's own clock, as it stood when it was read. Nobody has
    /// measured how far that one is off.
    SystemClock,
}

/// The time: true UTC lies between [`earliest`](Self::earliest) and
/// [`latest`](Self::latest), as far as the status can vouch for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The earliest that it can be.
    pub earliest: DateTime<Utc>,
    /// The latest that it can be. Under [`Status::SystemClock`] the same as
    /// [`earliest`](Self::earliest): there is a best guess, and no bound.
    pub latest: DateTime<Utc>,
    /// How this is known.
    pub status: Status,
}

impl Reading {
    /// The best single figure: halfway between earliest and latest.
    pub fn midpoint(&self) -> DateTime<Utc> {
        self.earliest + (self.latest - self.earliest) / 2
    }

    /// How far [`midpoint`](Self::midpoint) may be off.
    pub fn bound(&self) -> ErrorBound {
        match self.status {
            Status::SystemClock => ErrorBound::Unmeasured,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn reading(earliest: DateTime<Utc>, latest: DateTime<Utc>) -> Reading {
        Reading {
            earliest,
            latest,
            status: Status::SystemClock,
        }
    }

    #[test]
    fn the_midpoint_lies_halfway() {
        let epoch = DateTime::UNIX_EPOCH;
        let wide = reading(epoch, epoch + TimeDelta::nanoseconds(10));
        assert_eq!(wide.midpoint(), epoch + TimeDelta::nanoseconds(5));
        assert_eq!(reading(epoch, epoch).midpoint(), epoch);
    }

    #[test]
    fn the_widest_reading_has_a_midpoint() {
        let all = reading(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        assert!(all.earliest < all.midpoint() && all.midpoint() < all.latest);
    }

    #[test]
    fn the_system_clock_has_no_bound() {
        let epoch = DateTime::UNIX_EPOCH;
        assert_eq!(reading(epoch, epoch).bound(), ErrorBound::Unmeasured);
    }
}
