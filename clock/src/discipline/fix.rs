//! What is known of UTC at one moment, and carrying it to others.

use chrono::{DateTime, TimeDelta, Utc};

use super::{interval::Interval, rates::Rates};
use crate::{
    Moment,
    ntp::{Leap, Sample},
    span,
};

/// UTC days have this many seconds, leap seconds aside.
const DAY: i64 = 86_400;

const LEAP_SECOND: TimeDelta = TimeDelta::seconds(1);

/// Where UTC lies at a moment, and the leap second that is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fix {
    pub(crate) at: Moment,
    pub(crate) interval: Interval,
    /// Announced for the end of the UTC day, or of some day to come: there are
    /// servers that announce it a month ahead (RFC 5905 §7.3 says "month" in its
    /// text and "day" in its table).
    pub(crate) leap: Leap,
}

impl Fix {
    /// What one answer says.
    pub(crate) fn of(sample: &Sample) -> Self {
        Self {
            at: sample.at,
            interval: Interval::around(sample.utc, sample.bound),
            leap: sample.leap,
        }
    }

    /// Where UTC lies at `moment`, before or after, if its rate lies in `rates`.
    ///
    /// Times here count no leap seconds, as NTP and POSIX count: an inserted one
    /// is a second counted twice. So past a midnight that may have had one the
    /// count is a second less than what the machine counted on, or not, and both
    /// are allowed until a fix from after it says which.
    pub(crate) fn carried(&self, moment: Moment, rates: Rates) -> Interval {
        let (least, most) = rates.gains(moment.ran_since(self.at));
        let counted = self
            .interval
            .shifted(moment.since(self.at), moment.suspend_error(self.at));
        let mut carried = Interval {
            earliest: span::after(counted.earliest, least),
            latest: span::after(counted.latest, most),
        };
        if self.leaps_before(carried.latest) {
            match self.leap {
                Leap::None => {}
                Leap::Insert => carried.earliest = span::after(carried.earliest, -LEAP_SECOND),
                Leap::Delete => carried.latest = span::after(carried.latest, LEAP_SECOND),
            }
        }
        carried
    }

    /// The same, to be carried on from `moment`.
    pub(crate) fn moved(&self, moment: Moment, rates: Rates) -> Self {
        let interval = self.carried(moment, rates);
        let leap = if self.leaps_before(interval.latest) {
            Leap::None
        } else {
            self.leap
        };
        Self {
            at: moment,
            interval,
            leap,
        }
    }

    /// When the announced leap second may come: at any midnight from here on.
    pub(crate) fn leaps_at(&self) -> Option<DateTime<Utc>> {
        let days = self.interval.earliest.timestamp().div_euclid(DAY);
        let midnight = DateTime::from_timestamp(days.checked_add(1)?.checked_mul(DAY)?, 0)?;
        match self.leap {
            Leap::None => None,
            Leap::Insert => Some(midnight),
            // 23:59:59 is left out: from 23:59:59 on the count is one ahead.
            Leap::Delete => Some(midnight - LEAP_SECOND),
        }
    }

    /// Whether there may have been a leap second once `utc` is counted.
    pub(crate) fn leaps_before(&self, utc: DateTime<Utc>) -> bool {
        self.leaps_at().is_some_and(|leap| leap <= utc)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MS: Duration = Duration::from_millis(1);

    /// 30 s before midnight.
    fn fix(leap: Leap) -> Fix {
        Fix {
            at: Moment::after(100 * SECOND, Duration::ZERO),
            interval: Interval::around(midnight() - 30 * SECOND, MS),
            leap,
        }
    }

    fn midnight() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn after(ran: Duration, asleep: Duration) -> Moment {
        Moment::after(100 * SECOND + ran, asleep)
    }

    #[test]
    fn with_age_it_widens_on_either_side_of_its_moment() {
        let later = fix(Leap::None).carried(after(20 * SECOND, Duration::ZERO), Rates::ASSUMED);
        assert_eq!(later, Interval::around(midnight() - 10 * SECOND, 11 * MS));
        let earlier = Moment::after(80 * SECOND, Duration::ZERO);
        let earlier = fix(Leap::None).carried(earlier, Rates::ASSUMED);
        assert_eq!(earlier, Interval::around(midnight() - 50 * SECOND, 11 * MS));
    }

    #[test]
    fn time_slept_through_counts_and_leaves_seconds_open() {
        let slept = fix(Leap::None).carried(after(Duration::ZERO, 20 * SECOND), Rates::ASSUMED);
        let bound = MS + 3 * SECOND + 10 * MS;
        assert_eq!(slept, Interval::around(midnight() - 10 * SECOND, bound));
        // Seen from after a suspend a moment before it is no better known.
        let woken = Fix {
            at: after(Duration::ZERO, 20 * SECOND),
            ..fix(Leap::None)
        };
        let before = woken.carried(after(Duration::ZERO, Duration::ZERO), Rates::ASSUMED);
        assert_eq!(before, Interval::around(midnight() - 50 * SECOND, bound));
    }

    #[test]
    fn past_an_announced_leap_second_both_counts_are_open() {
        let past = after(31 * SECOND, Duration::ZERO);
        let plain = fix(Leap::None).carried(past, Rates::ASSUMED);
        let insert = fix(Leap::Insert).carried(past, Rates::ASSUMED);
        assert_eq!(insert.earliest, plain.earliest - SECOND);
        assert_eq!(insert.latest, plain.latest);
        let delete = fix(Leap::Delete).carried(past, Rates::ASSUMED);
        assert_eq!(delete.earliest, plain.earliest);
        assert_eq!(delete.latest, plain.latest + SECOND);
    }

    #[test]
    fn it_is_open_from_where_the_counts_part() {
        let width = |leap, ran| {
            let carried = fix(leap).carried(after(ran, Duration::ZERO), Rates::ASSUMED);
            carried.bound()
        };
        let nearly = MS * 50;
        for (leap, parts) in [(Leap::Insert, 30 * SECOND), (Leap::Delete, 29 * SECOND)] {
            assert!(width(leap, parts - nearly) < SECOND / 2);
            assert!(width(leap, parts) > SECOND / 2);
        }
    }

    #[test]
    fn it_is_open_once_and_not_again_at_every_midnight() {
        let past = fix(Leap::Insert).moved(after(31 * SECOND, Duration::ZERO), Rates::ASSUMED);
        assert_eq!(past.leap, Leap::None);
        let before = fix(Leap::Insert).moved(after(20 * SECOND, Duration::ZERO), Rates::ASSUMED);
        assert_eq!(before.leap, Leap::Insert);
        let straight =
            fix(Leap::Insert).carried(after(90_000 * SECOND, Duration::ZERO), Rates::ASSUMED);
        assert!(straight.bound() < 46 * SECOND);
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_overflow() {
        for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let fix = Fix {
                interval: Interval::around(end, MS),
                ..fix(Leap::Insert)
            };
            let far = Moment::after(Duration::MAX, Duration::MAX);
            let carried = fix.carried(far, Rates::ASSUMED);
            assert!(carried.earliest <= carried.latest);
        }
    }
}
