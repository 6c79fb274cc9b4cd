//! Points on the machine's own time line, which no wall clock moves.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{Timebase, span};

/// Smaller changes of [`Timebase::suspended`] are noise of reading two clocks
/// one after the other. No suspend is that short: freezing the processes and
/// the devices alone takes longer.
const SHORTEST_SUSPEND: TimeDelta = TimeDelta::milliseconds(1);

/// A reading of `CLOCK_MONOTONIC_RAW`: the time since a point of no meaning,
/// about the boot. It stands still while the machine is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raw(Duration);

impl Raw {
    /// The reading `since_origin` after the clock's origin.
    pub const fn new(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// How long after `earlier` this is; negative if it is before.
    fn since(self, earlier: Self) -> TimeDelta {
        span::difference(span::signed(self.0), span::signed(earlier.0))
    }
}

/// A point in time as this machine counts it: when it was running, by
/// `CLOCK_MONOTONIC_RAW`, and when it was suspended.
///
/// Keep one to learn later what UTC it was ([`crate::Clock::reading_at`]): the
/// clock may by then know better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    raw: Raw,
    suspended: TimeDelta,
}

impl Moment {
    /// Now. A suspend while this reads does not spoil it: RAW is read first
    /// and then stands still, so the pair is the moment of waking up.
    pub(crate) fn read(timebase: &dyn Timebase) -> Self {
        let raw = timebase.raw();
        let suspended = timebase.suspended();
        Self { raw, suspended }
    }

    /// The moment after a machine has run and slept for so long.
    #[cfg(test)]
    pub(crate) fn after(ran: Duration, asleep: Duration) -> Self {
        Self {
            raw: Raw(ran),
            suspended: span::signed(asleep),
        }
    }

    /// How long after `earlier` this is, suspends included; negative if it is
    /// before.
    pub fn since(self, earlier: Self) -> TimeDelta {
        span::sum(self.ran_since(earlier), self.suspended_since(earlier))
    }

    /// How long the machine ran between `earlier` and this.
    pub(crate) fn ran_since(self, earlier: Self) -> TimeDelta {
        self.raw.since(earlier.raw)
    }

    /// How long the machine was suspended between `earlier` and this.
    pub(crate) fn suspended_since(self, earlier: Self) -> TimeDelta {
        let suspended = span::difference(self.suspended, earlier.suspended);
        if suspended.abs() < SHORTEST_SUSPEND {
            TimeDelta::zero()
        } else {
            suspended
        }
    }

    /// How far [`since`](Self::since) may be off for a suspend between the two, whichever
    /// came first.
    ///
    /// Where no clock runs through a suspend the kernel takes the time from the
    /// real-time clock, which counts whole seconds (±1 s between two readings), and
    /// then moves it by up to 2 s so that many suspends do not add up
    /// (`timekeeping_suspend`, `delta_delta`). The crystal of that clock is assumed no
    /// better than the machine's.
    pub(crate) fn suspend_error(self, other: Self) -> Duration {
        const CLOCKS: Duration = Duration::from_secs(3);
        const CRYSTAL_IS_ONE_IN: u32 = 2_000;
        let asleep = span::positive(self.suspended_since(other).abs());
        if asleep.is_zero() {
            Duration::ZERO
        } else {
            CLOCKS.saturating_add(asleep / CRYSTAL_IS_ONE_IN)
        }
    }

    /// The moment `later` after this one, had the machine gone on running.
    pub(crate) fn plus(self, later: Duration) -> Self {
        Self {
            raw: Raw(self.raw.0.saturating_add(later)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::simulation::{Event, SimulatedTimebase};

    fn moment(raw_ns: u64, suspended_ns: i64) -> Moment {
        Moment {
            raw: Raw::new(Duration::from_nanos(raw_ns)),
            suspended: TimeDelta::nanoseconds(suspended_ns),
        }
    }

    #[test]
    fn time_that_the_machine_slept_through_counts() {
        let asleep = TimeDelta::minutes(5);
        let before = moment(1_000, 40);
        let after = Moment {
            suspended: before.suspended + asleep,
            ..moment(3_000, 0)
        };
        assert_eq!(after.since(before), asleep + TimeDelta::nanoseconds(2_000));
        assert_eq!(before.since(after), -after.since(before));
    }

    #[test]
    fn noise_of_the_reading_is_no_suspend() {
        let quiet = moment(1_000, 0);
        for noise in [-999_999, -30, 30, 999_999] {
            let noisy = moment(1_500, noise);
            assert_eq!(noisy.since(quiet), TimeDelta::nanoseconds(500));
            assert_eq!(quiet.since(noisy), TimeDelta::nanoseconds(-500));
        }
        assert_eq!(
            moment(1_500, 1_000_000).since(quiet),
            TimeDelta::nanoseconds(1_000_500)
        );
    }

    #[test]
    fn a_suspend_leaves_three_seconds_open_and_what_a_bad_crystal_adds() {
        let ms = Duration::from_millis(1);
        let day = Duration::from_secs(86_400);
        for (asleep, open) in [
            (Duration::ZERO, Duration::ZERO),
            (ms, 3_000 * ms + ms / 2_000),
            (day, 3_000 * ms + 43_200 * ms),
        ] {
            let before = Moment::after(ms, Duration::ZERO);
            let after = Moment::after(2 * ms, asleep);
            assert_eq!(after.suspend_error(before), open);
            assert_eq!(before.suspend_error(after), open);
        }
    }

    #[test]
    fn a_suspend_in_the_middle_of_reading_is_counted() {
        for offset in 0..100 {
            let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
            let start = Moment::read(&machine);
            let asleep = Duration::from_secs(300);
            machine.after(Duration::from_nanos(offset), Event::Suspend(asleep));
            let read = Moment::read(&machine).since(start);
            let off = machine.true_elapsed() - read;
            // One that comes after the reading is none of its business.
            if machine.true_elapsed() >= span::signed(asleep) {
                assert!(off < TimeDelta::microseconds(1), "{offset} ns: {off}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        let first = moment(0, i64::MIN);
        let last = Moment {
            raw: Raw::new(Duration::MAX),
            suspended: TimeDelta::MAX,
        };
        assert_eq!(last.since(first), TimeDelta::MAX);
        assert_eq!(first.since(last), TimeDelta::MIN);
        assert_eq!(last.plus(Duration::MAX), last);
    }
}
