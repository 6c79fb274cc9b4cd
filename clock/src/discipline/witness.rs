//! What somebody says of the time who has no vote.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{fix::Fix, interval::Interval, rates::Rates};
use crate::{Moment, ntp::Leap, span};

/// How far a server's clock may be off while nobody calls it wrong: its own error
/// is unknown, and a second is what a `Date` leaves open anyway.
const OWN_ERROR: Duration = Duration::from_secs(1);

/// A `Date` is cut to whole seconds.
const WHOLE_SECOND: Duration = Duration::from_secs(1);

/// The `Date` of an HTTP response. It bounds nothing: its server's own error is
/// unknown. But a clock that contradicts it is worth a warning, and one that would
/// move the wall clock far is not believed against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Witness(Fix);

impl Witness {
    /// A response with `date` that came at `received`, `round_trip` after it was
    /// asked for: the server's clock lay in \[`date`, `date` + 1 s) at some moment
    /// of that.
    pub(crate) fn new(date: DateTime<Utc>, received: Moment, round_trip: Duration) -> Self {
        let late = span::signed(WHOLE_SECOND + OWN_ERROR).checked_add(&span::signed(round_trip));
        Self(Fix {
            at: received,
            interval: Interval {
                earliest: span::after(date, -span::signed(OWN_ERROR)),
                latest: span::after(date, late.unwrap_or(TimeDelta::MAX)),
            },
            leap: Leap::None,
        })
    }

    /// By how much, at least, `said` is outside of what this allows; positive if
    /// it is later.
    pub(crate) fn contradicted_by(&self, said: &Fix) -> Option<TimeDelta> {
        said.interval
            .distance_from(self.0.carried(said.at, Rates::ASSUMED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By how much a clock that is so many milliseconds after the `Date` when the
    /// response comes, 100 ms after it was asked for, is outside.
    fn outside(after_ms: i64) -> Option<i64> {
        let now = Moment::after(Duration::from_secs(100), Duration::ZERO);
        let date = DateTime::UNIX_EPOCH;
        let utc = date + TimeDelta::milliseconds(after_ms);
        let said = Fix {
            at: now,
            interval: Interval::around(utc, Duration::ZERO),
            leap: Leap::None,
        };
        let witness = Witness::new(date, now, Duration::from_millis(100));
        witness
            .contradicted_by(&said)
            .map(|by| by.num_milliseconds())
    }

    #[test]
    fn a_second_before_it_and_two_and_the_round_trip_after_it_are_allowed() {
        assert_eq!(outside(-1_000), None);
        assert_eq!(outside(0), None);
        assert_eq!(outside(2_100), None);
    }

    #[test]
    fn what_is_outside_of_that_is_told_with_its_sign() {
        assert_eq!(outside(-1_300), Some(-300));
        assert_eq!(outside(2_400), Some(300));
    }

    #[test]
    fn absurd_dates_do_not_overflow() {
        let now = Moment::after(Duration::MAX, Duration::MAX);
        for date in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let witness = Witness::new(date, now, Duration::MAX);
            let said = Fix {
                at: now,
                interval: Interval::around(DateTime::UNIX_EPOCH, Duration::ZERO),
                leap: Leap::None,
            };
            let _ = witness.contradicted_by(&said);
        }
    }
}
