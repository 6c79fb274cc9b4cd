//! How far apart the runners fired.

use chrono::TimeDelta;
use rendezvous::StartReport;

/// How far apart the runners fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Of how many starts.
    pub starts: usize,
    /// Latest minus earliest, as the runners measured it by their own clocks.
    pub measured: TimeDelta,
    /// How many of them know how wrong their clock may be.
    pub bounded: usize,
    /// The most that the spread of those can truly be. `None` if it is not known of any two.
    pub at_most: Option<TimeDelta>,
}

/// The spread over these starts, by clocks that are worth believing; `None` if there are none.
#[must_use]
pub fn of(starts: &[&StartReport]) -> Option<Spread> {
    let fired = || starts.iter().map(|start| start.fired_at);
    let measured = fired().max()? - fired().min()?;
    let bounded: Vec<_> = starts
        .iter()
        .copied()
        .filter(|start| start.clock_error.is_some())
        .collect();
    // One that is bounded says nothing of the others.
    let tells = bounded.len() > 1 || bounded.len() == starts.len();
    Some(Spread {
        starts: starts.len(),
        measured,
        bounded: bounded.len(),
        at_most: at_most(&bounded).filter(|_| tells),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::a_start;
    use proptest::prelude::*;
    use std::time::Duration;

    /// The spread of starts so many microseconds late, with such bounds.
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
        assert_eq!((spread.starts, spread.bounded), (3, 0));
    }

    #[test]
    fn nobody_has_none_and_one_has_zero() {
        assert_eq!(spread(&[]), None);
        let one = spread(&[(120, Some(50))]).unwrap();
        assert_eq!(one.measured, TimeDelta::zero());
        assert_eq!(one.at_most, Some(TimeDelta::zero()));
        assert_eq!(spread(&[(120, None)]).unwrap().at_most, None);
    }

    #[test]
    fn the_bounds_of_two_runners_add_up() {
        let spread = spread(&[(100, Some(20)), (300, Some(5)), (200, Some(500))]).unwrap();
        // The one in the middle may have fired at −300 or at 700.
        assert_eq!(spread.at_most, Some(TimeDelta::microseconds(620)));
    }

    #[test]
    fn where_only_some_clocks_are_measured_only_those_are_bounded() {
        let three = spread(&[(0, Some(20)), (900, None), (100, Some(30))]).unwrap();
        assert_eq!(three.measured, TimeDelta::microseconds(900));
        assert_eq!((three.starts, three.bounded), (3, 2));
        assert_eq!(three.at_most, Some(TimeDelta::microseconds(150)));
        let two = spread(&[(0, Some(20)), (900, None)]).unwrap();
        assert_eq!((two.bounded, two.at_most), (1, None), "of no two");
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

        /// Each runner fired at a true time, and measured it with an error within its bound.
        #[test]
        fn the_true_spread_is_never_more(
            starts in prop::collection::vec((-5_000i64..5_000, 0u64..500, -1.0f64..=1.0), 1..9),
        ) {
            let measured: Vec<_> = starts.iter().map(|(fired, bound, wrong)| {
                let error = f64::from(u32::try_from(*bound).unwrap()) * wrong;
                (fired + error as i64, Some(*bound))
            }).collect();
            let fired = || starts.iter().map(|(fired, ..)| *fired);
            let truly = fired().max().unwrap() - fired().min().unwrap();
            prop_assert!(spread(&measured).unwrap().at_most >= Some(TimeDelta::microseconds(truly)));
        }

        /// The same where some clocks are not measured: the claim is of the others alone.
        #[test]
        fn the_claim_is_true_of_those_that_are_measured(
            starts in prop::collection::vec((-5_000i64..5_000, prop::option::of(0u64..500)), 2..9),
        ) {
            let bounded: Vec<_> = starts.iter().filter(|(_, bound)| bound.is_some()).copied().collect();
            let (all, some) = (spread(&starts).unwrap(), spread(&bounded));
            prop_assert_eq!(all.bounded, bounded.len());
            if bounded.len() > 1 {
                prop_assert_eq!(all.at_most, some.unwrap().at_most);
            } else {
                prop_assert_eq!(all.at_most, None);
            }
        }
    }
}
