//! Where UTC lies: between two times, both included.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::span;

/// UTC is no earlier and no later than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) earliest: DateTime<Utc>,
    /// Never before `earliest`.
    pub(crate) latest: DateTime<Utc>,
}

impl Interval {
    /// `utc` ± `bound`.
    pub(crate) fn around(utc: DateTime<Utc>, bound: Duration) -> Self {
        let bound = span::signed(bound);
        Self {
            earliest: span::after(utc, -bound),
            latest: span::after(utc, bound),
        }
    }

    /// What both allow; nothing if they contradict each other.
    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let earliest = self.earliest.max(other.earliest);
        let latest = self.latest.min(other.latest);
        (earliest <= latest).then_some(Self { earliest, latest })
    }

    /// From the earliest to the latest of both.
    pub(crate) fn hull(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }

    /// Whether a moment exists that both allow.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.intersection(other).is_some()
    }

    /// How far this lies wholly after `other`, or before it if negative. None if
    /// they overlap.
    pub(crate) fn distance_from(self, other: Self) -> Option<TimeDelta> {
        if self.earliest > other.latest {
            Some(self.earliest - other.latest)
        } else if self.latest < other.earliest {
            Some(self.latest - other.earliest)
        } else {
            None
        }
    }

    /// Halfway, rounded down.
    pub(crate) fn midpoint(self) -> DateTime<Utc> {
        self.earliest + self.width() / 2
    }

    /// How far the midpoint may be off, rounded up.
    pub(crate) fn bound(self) -> Duration {
        span::positive(self.latest - self.midpoint())
    }

    /// `later`, or earlier if negative, and `wider` on either side.
    pub(crate) fn shifted(self, later: TimeDelta, wider: Duration) -> Self {
        let wider = span::signed(wider);
        Self {
            earliest: span::after(span::after(self.earliest, later), -wider),
            latest: span::after(span::after(self.latest, later), wider),
        }
    }

    fn width(self) -> TimeDelta {
        self.latest - self.earliest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(earliest_ns: i64, latest_ns: i64) -> Interval {
        Interval {
            earliest: DateTime::from_timestamp_nanos(earliest_ns),
            latest: DateTime::from_timestamp_nanos(latest_ns),
        }
    }

    #[test]
    fn two_intervals_leave_what_both_allow() {
        let (a, b) = (between(0, 10), between(4, 20));
        assert_eq!(a.intersection(b), Some(between(4, 10)));
        assert_eq!(a.hull(b), between(0, 20));
        assert!(a.overlaps(b) && b.overlaps(a));
    }

    #[test]
    fn touching_in_one_point_is_no_contradiction() {
        let (a, b) = (between(0, 10), between(10, 20));
        assert_eq!(a.intersection(b), Some(between(10, 10)));
        assert_eq!(a.distance_from(b), None);
        let c = between(11, 20);
        assert_eq!(a.intersection(c), None);
        assert_eq!(a.distance_from(c), Some(TimeDelta::nanoseconds(-1)));
        assert_eq!(c.distance_from(a), Some(TimeDelta::nanoseconds(1)));
    }

    #[test]
    fn the_bound_reaches_both_ends_from_the_midpoint() {
        for (interval, bound) in [
            (between(0, 10), 5),
            (between(0, 11), 6),
            (between(-11, 0), 6),
            (between(7, 7), 0),
        ] {
            assert_eq!(interval.bound(), Duration::from_nanos(bound));
            let covered = Interval::around(interval.midpoint(), interval.bound());
            assert_eq!(covered.hull(interval), covered);
        }
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_overflow() {
        let all = Interval {
            earliest: DateTime::<Utc>::MIN_UTC,
            latest: DateTime::<Utc>::MAX_UTC,
        };
        assert_eq!(
            all.shifted(TimeDelta::MAX, Duration::MAX),
            Interval::around(DateTime::<Utc>::MAX_UTC, Duration::ZERO).hull(all)
        );
        assert!(all.bound() > Duration::from_secs(1_000_000_000));
        assert_eq!(Interval::around(DateTime::UNIX_EPOCH, Duration::MAX), all);
    }
}
