//! How far apart the runners fired.

use chrono::TimeDelta;
use rendezvous::StartReport;

/// How far apart the runners fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Latest minus earliest, as the runners measured it by their own clocks.
    pub measured: TimeDelta,
    /// The most that it can truly be, given the bounds of their clocks' errors.
    /// `None` if any of them is unmeasured.
    pub at_most: Option<TimeDelta>,
}

/// The spread over these starts; `None` if there are none.
#[must_use]
pub fn of(starts: &[&StartReport]) -> Option<Spread> {
    let fired = || starts.iter().map(|start| start.fired_at);
    let measured = fired().max()? - fired().min()?;
    Some(Spread {
        measured,
        at_most: at_most(starts),
    })
}

/// The maximum over pairs of (mᵢ + bᵢ) − (mⱼ − bⱼ), with m the time at which a runner
/// fired and b its bound. A runner alone has no spread.
fn at_most(starts: &[&StartReport]) -> Option<TimeDelta> {
    let first = starts.first()?.fired_at;
    let mut bounds = Vec::with_capacity(starts.len());
    for start in starts {
        let bound = TimeDelta::from_std(start.clock_error?).ok()?;
        let fired = start.fired_at - first;
        bounds.push((fired.checked_sub(&bound)?, fired.checked_add(&bound)?));
    }
    // The partner of the latest is the earliest of the others, and there are two candidates for that.
    let mut by_earliest: Vec<usize> = (0..bounds.len()).collect();
    by_earliest.sort_unstable_by_key(|&i| bounds[i].0);
    let pairs = bounds.iter().enumerate().filter_map(|(i, (_, latest))| {
        let partner = by_earliest.iter().find(|&&j| j != i)?;
        latest.checked_sub(&bounds[*partner].0)
    });
    Some(pairs.max().unwrap_or(TimeDelta::zero()))
}

/// A difference of times in milliseconds for people, to 10 µs: finer than that no start can be
/// told from another.
#[must_use]
pub fn millis(delta: TimeDelta) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people, to 10 µs")]
    let nanos = delta.num_nanoseconds().map_or_else(
        || delta.num_milliseconds() as f64 * 1e6,
        |nanos| nanos as f64,
    );
    format!("{:.2}", nanos / 1e6)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::a_start;
    use proptest::prelude::*;
    use std::time::Duration;

    fn spread(starts: &[(i64, Option<u64>)]) -> Option<Spread> {
        let starts: Vec<_> = starts
            .iter()
            .map(|(late_us, bound_us)| StartReport {
                clock_error: bound_us.map(Duration::from_micros),
                ..a_start(*late_us)
            })
            .collect();
        of(&starts.iter().collect::<Vec<_>>())
    }

    #[test]
    fn it_is_the_latest_minus_the_earliest() {
        let spread = spread(&[(120, None), (-30, None), (400, None)]).unwrap();
        assert_eq!(spread.measured, TimeDelta::microseconds(430));
        assert_eq!(spread.at_most, None, "unmeasured clocks bound nothing");
    }

    #[test]
    fn nobody_has_none_and_one_has_zero() {
        assert_eq!(spread(&[]), None);
        let one = spread(&[(120, Some(50))]).unwrap();
        assert_eq!(one.measured, TimeDelta::zero());
        assert_eq!(one.at_most, Some(TimeDelta::zero()));
    }

    #[test]
    fn the_bounds_of_two_runners_add_up() {
        let spread = spread(&[(100, Some(20)), (300, Some(5)), (200, Some(500))]).unwrap();
        // The one in the middle may have fired at −300 or at 700.
        assert_eq!(spread.at_most, Some(TimeDelta::microseconds(620)));
    }

    proptest! {
        #[test]
        fn the_quick_way_equals_all_pairs(starts in prop::collection::vec((-500i64..500, 0u64..500), 2..8)) {
            let given: Vec<_> = starts.iter().map(|(late, bound)| (*late, Some(*bound))).collect();
            let mut most = i64::MIN;
            for (i, (late_i, bound_i)) in starts.iter().enumerate() {
                for (j, (late_j, bound_j)) in starts.iter().enumerate() {
                    if i != j {
                        let bounds = i64::try_from(bound_i + bound_j).unwrap();
                        most = most.max(late_i - late_j + bounds);
                    }
                }
            }
            let spread = spread(&given).unwrap();
            prop_assert_eq!(spread.at_most, Some(TimeDelta::microseconds(most)));
            prop_assert!(spread.at_most >= Some(spread.measured));
        }
    }
}
