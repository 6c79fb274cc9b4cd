//! What happens to the machine's clocks while one waits.

use std::{fmt, time::Duration};

use chrono::TimeDelta;

use crate::{span, wall::WallReading};

/// Something that happened to the machine's clocks. It moves no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// The wall clock was set.
    WallStepped {
        /// By how much, forward if positive; a slew that went on meanwhile is
        /// in it too, at most 25 ms.
        by: TimeDelta,
    },
    /// The machine, or the virtual machine, was suspended.
    Suspended {
        /// For how long.
        asleep: Duration,
    },
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WallStepped { by } => {
                let sign = if *by < TimeDelta::zero() { '-' } else { '+' };
                let by = span::positive(by.abs());
                write!(f, "the wall clock was stepped by {sign}{by:?}")
            }
            Self::Suspended { asleep } => write!(f, "the machine was suspended for {asleep:?}"),
        }
    }
}

/// A smaller change of the wall clock is not called a step: that is what a
/// daemon slews away in a second or two, and nothing depends on it.
const SMALLEST_STEP: TimeDelta = TimeDelta::milliseconds(1);

/// A slewed wall clock gains or loses up to one part in this many: Linux bounds
/// the tick at ±10 %, and chronyd's `maxslewrate` with it.
const FASTEST_SLEW: i32 = 10;

/// What happened between two readings of the wall clock.
pub(super) fn disturbances(
    before: &WallReading,
    after: &WallReading,
) -> impl Iterator<Item = Disturbance> {
    let asleep = span::positive(after.at.suspended_since(before.at));
    let suspended = (!asleep.is_zero()).then_some(Disturbance::Suspended { asleep });

    // A suspend advances the wall clock as well, and by the same.
    let by = span::difference(
        after.wall.signed_duration_since(before.wall),
        after.at.since(before.at),
    );
    let slew = after.at.ran_since(before.at) / FASTEST_SLEW;
    let reading = span::signed(before.width / 2 + after.width / 2);
    let allowed = span::sum(SMALLEST_STEP, span::sum(slew, reading));
    let stepped = (by.abs() > allowed).then_some(Disturbance::WallStepped { by });

    suspended.into_iter().chain(stepped)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::simulation::{Event, SimulatedTimebase};

    /// What is noticed when `events` happen at once in the middle of a slice.
    fn noticed(events: &[Event]) -> Vec<Disturbance> {
        let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
        let before = WallReading::take(&machine);
        machine.advance(Duration::from_millis(125));
        for event in events {
            machine.happens(event.clone());
        }
        machine.advance(Duration::from_millis(125));
        disturbances(&before, &WallReading::take(&machine)).collect()
    }

    #[track_caller]
    fn assert_step(noticed: &[Disturbance], expected: TimeDelta) {
        let [Disturbance::WallStepped { by }] = noticed else {
            panic!("not one step: {noticed:?}");
        };
        assert!((*by - expected).abs() < TimeDelta::microseconds(2), "{by}");
    }

    #[test]
    fn nothing_is_noticed_where_nothing_happens() {
        assert_eq!(noticed(&[]), []);
    }

    #[test]
    fn steps_are_noticed_with_their_size_and_sign() {
        for by in [
            TimeDelta::milliseconds(130),
            TimeDelta::seconds(-2),
            TimeDelta::hours(1),
        ] {
            assert_step(&noticed(&[Event::WallStep(by)]), by);
        }
    }

    #[test]
    fn the_fastest_slew_is_no_step() {
        for ppm in [100_000, -100_000, 83_333] {
            assert_eq!(noticed(&[Event::Slew { ppm }]), []);
        }
    }

    #[test]
    fn a_process_that_is_held_up_sees_no_step() {
        assert_eq!(noticed(&[Event::Freeze(Duration::from_secs(3))]), []);
    }

    #[test]
    fn a_suspend_is_noticed_with_its_length_and_is_no_step() {
        let asleep = Duration::from_secs(300);
        assert_eq!(
            noticed(&[Event::Suspend(asleep)]),
            [Disturbance::Suspended { asleep }]
        );
    }

    #[test]
    fn a_step_after_a_suspend_is_noticed_too() {
        let asleep = Duration::from_secs(300);
        let by = TimeDelta::seconds(-1);
        let noticed = noticed(&[Event::Suspend(asleep), Event::WallStep(by)]);
        assert_eq!(noticed[0], Disturbance::Suspended { asleep });
        assert_step(&noticed[1..], by);
    }

    #[test]
    fn a_suspend_and_a_step_are_told_in_words() {
        assert_eq!(
            Disturbance::WallStepped {
                by: TimeDelta::milliseconds(-2_500)
            }
            .to_string(),
            "the wall clock was stepped by -2.5s"
        );
        assert_eq!(
            Disturbance::Suspended {
                asleep: Duration::from_secs(300)
            }
            .to_string(),
            "the machine was suspended for 300s"
        );
    }
}
