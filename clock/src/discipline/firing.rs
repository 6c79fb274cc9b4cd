//! What time it was at the firing, by what was known before and after it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{fix::Fix, interval::Interval, rates::Rates};
use crate::Moment;

/// The time of the firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// UTC then, by the best that is known.
    pub utc: DateTime<Utc>,
    /// How far that may be off.
    pub bound: Duration,
    /// What the round just after it said.
    pub closing: Closing,
}

/// What the closing round, just after the firing, said of the time of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It has not been held yet.
    Awaited,
    /// The same as what was known before.
    Confirmed,
    /// Something else: the clock jumped around the firing.
    Jumped {
        /// By how much the time was later than thought; negative if earlier.
        by: TimeDelta,
    },
    /// Nothing: no majority answered.
    Failed,
}

/// A firing that is not closed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fired {
    /// When it was.
    pub(crate) at: Moment,
    /// Where UTC lay by what was known before.
    pub(crate) known: Interval,
}

impl Fired {
    /// As long as nothing else is known.
    pub(crate) fn so_far(self) -> Firing {
        self.knowing(self.known, Closing::Awaited)
    }

    /// With what a majority said after it, if one did.
    ///
    /// Both are true if they do not contradict each other, so both bounds hold,
    /// and the smaller one does. If they do, all that was said is kept open.
    pub(crate) fn closed(self, after: Option<Fix>, rates: Rates) -> Firing {
        let Some(after) = after else {
            return self.knowing(self.known, Closing::Failed);
        };
        let after = after.carried(self.at, rates);
        match self.known.intersection(after) {
            Some(both) => self.knowing(both, Closing::Confirmed),
            None => self.knowing(
                self.known.hull(after),
                Closing::Jumped {
                    by: after.midpoint() - self.known.midpoint(),
                },
            ),
        }
    }

    fn knowing(self, interval: Interval, closing: Closing) -> Firing {
        Firing {
            utc: interval.midpoint(),
            bound: interval.bound(),
            closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntp::Leap;

    const FIRED: DateTime<Utc> = DateTime::UNIX_EPOCH;
    const MS: Duration = Duration::from_millis(1);

    fn fired() -> Fired {
        Fired {
            at: Moment::after(Duration::ZERO, Duration::ZERO),
            known: Interval::around(FIRED, 5 * MS),
        }
    }

    /// What a round 2 s after the firing says, `off` the truth.
    fn two_seconds_later(off: TimeDelta, bound: Duration) -> Option<Fix> {
        let later = Duration::from_secs(2);
        Some(Fix {
            at: Moment::after(later, Duration::ZERO),
            interval: Interval::around(FIRED + later + off, bound),
            leap: Leap::None,
        })
    }

    #[test]
    fn before_the_closing_round_what_was_known_counts() {
        let firing = fired().so_far();
        assert_eq!(firing.utc, FIRED);
        assert_eq!(firing.bound, 5 * MS);
        assert_eq!(firing.closing, Closing::Awaited);
    }

    #[test]
    fn the_smaller_bound_of_the_two_rounds_counts() {
        // Carried back by 2 s at 500 ppm it widens by 1 ms.
        let tight = two_seconds_later(TimeDelta::zero(), MS);
        let firing = fired().closed(tight, Rates::ASSUMED);
        assert_eq!(firing.closing, Closing::Confirmed);
        assert_eq!((firing.utc, firing.bound), (FIRED, 2 * MS));

        let wide = two_seconds_later(TimeDelta::zero(), 40 * MS);
        let firing = fired().closed(wide, Rates::ASSUMED);
        assert_eq!((firing.utc, firing.bound), (FIRED, 5 * MS));
    }

    #[test]
    fn a_jump_is_reported_with_its_size_and_all_that_was_said_stays_open() {
        for by in [TimeDelta::seconds(2), TimeDelta::milliseconds(-30)] {
            let firing = fired().closed(two_seconds_later(by, MS), Rates::ASSUMED);
            assert_eq!(firing.closing, Closing::Jumped { by });
            let open = Interval::around(firing.utc, firing.bound);
            assert!(open.overlaps(Interval::around(FIRED, Duration::ZERO)));
            assert!(open.overlaps(Interval::around(FIRED + by, Duration::ZERO)));
        }
    }

    #[test]
    fn a_closing_round_without_a_majority_leaves_what_was_known() {
        let firing = fired().closed(None, Rates::ASSUMED);
        assert_eq!(firing.closing, Closing::Failed);
        assert_eq!((firing.utc, firing.bound), (FIRED, 5 * MS));
    }
}
