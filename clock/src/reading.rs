//! What a clock answers when it is asked for the time.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::discipline::{Interval, SourceKind};

/// How far a reading may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorBound {
    /// Nobody has measured it: it may be anything.
    Unmeasured,
    /// The true time is no further than this from the midpoint.
    Within(Duration),
}

impl ErrorBound {
    /// The bound, if anybody has measured it.
    pub fn measured(self) -> Option<Duration> {
        match self {
            Self::Unmeasured => None,
            Self::Within(bound) => Some(bound),
        }
    }
}

/// How a clock knows the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// From the machine's own clock, as it stood when it was read. Nobody has
    /// measured how far that one is off, nor is anybody to.
    SystemClock,
    /// Measured in the last round.
    Synchronised {
        /// By whom.
        by: SourceKind,
    },
    /// Measured, but not in the last round: the bound grows.
    FreeRunning {
        /// By whom it was measured.
        by: SourceKind,
        /// When it was.
        since: DateTime<Utc>,
    },
    /// Not measured yet, or not to be believed yet. The time is what the machine's
    /// own clock says, for want of anything better, and nothing may start by it.
    Unsynchronised,
    /// What was measured last contradicts what was measured before. The reading
    /// covers both, and nothing may start by it.
    InDoubt,
}

/// The time: true UTC lies between [`earliest`](Self::earliest) and
/// [`latest`](Self::latest), as far as the status can vouch for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The earliest that it can be.
    pub earliest: DateTime<Utc>,
    /// The latest that it can be. Under [`Status::SystemClock`] and
    /// [`Status::Unsynchronised`] the same as [`earliest`](Self::earliest): there
    /// is a best guess, and no bound.
    pub latest: DateTime<Utc>,
    /// What to count down by: the midpoint, but under [`Status::InDoubt`] that of
    /// what was held before the doubt. The midpoint of all that was said moves
    /// with every wrong answer, and would move the instant along.
    pub held: DateTime<Utc>,
    /// How this is known.
    pub status: Status,
}

impl Reading {
    /// The best single figure: halfway between earliest and latest.
    pub fn midpoint(&self) -> DateTime<Utc> {
        self.interval().midpoint()
    }

    /// How far [`midpoint`](Self::midpoint) may be off.
    pub fn bound(&self) -> ErrorBound {
        match self.status {
            Status::SystemClock | Status::Unsynchronised => ErrorBound::Unmeasured,
            Status::Synchronised { .. } | Status::FreeRunning { .. } | Status::InDoubt => {
                ErrorBound::Within(self.interval().bound())
            }
        }
    }

    fn interval(&self) -> Interval {
        Interval {
            earliest: self.earliest,
            latest: self.latest,
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
            held: earliest,
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
    fn a_clock_that_nobody_measured_has_no_bound() {
        let epoch = DateTime::UNIX_EPOCH;
        for status in [Status::SystemClock, Status::Unsynchronised] {
            let reading = Reading {
                status,
                ..reading(epoch, epoch)
            };
            assert_eq!(reading.bound(), ErrorBound::Unmeasured);
        }
    }

    #[test]
    fn a_measured_clock_is_off_by_half_of_what_it_leaves_open() {
        let epoch = DateTime::UNIX_EPOCH;
        let by = SourceKind::Ntp;
        for status in [
            Status::Synchronised { by },
            Status::FreeRunning { by, since: epoch },
            Status::InDoubt,
        ] {
            let reading = Reading {
                status,
                ..reading(epoch, epoch + TimeDelta::nanoseconds(11))
            };
            let bound = ErrorBound::Within(Duration::from_nanos(6));
            assert_eq!(reading.bound(), bound);
        }
    }
}
