//! How often runners speak to a store that all of them share.
//!
//! Each runner does two things again and again: it polls for the plan and it renews
//! its report. Both grow rarer with the number of runners that the plan says are
//! wanted, so that all of them together stay below [`MOST_REQUESTS_PER_SECOND`].

use std::time::Duration;

use crate::plan::Plan;

/// The most requests a second that all runners of a run make while nothing happens. A
/// small API server was measured with 300 Lease writes a second, each over a new
/// connection; others use it, too.
pub const MOST_REQUESTS_PER_SECOND: u32 = 200;

/// How often a runner renews its report, and polls, where there are few of them: about as
/// often as a kubelet renews its node's Lease.
const SHORTEST: Duration = Duration::from_secs(10);

/// The part by which each of them comes sooner or later, at random, so that runners that
/// began together do not all write together.
pub const JITTER: f64 = 0.2;

/// How often a runner renews its report while nothing changes.
///
/// `runners_wanted`: as the plan says, 1 to [`Plan::MOST_RUNNERS`]; more counts as that many.
#[must_use]
pub fn renew_every(runners_wanted: u32) -> Duration {
    let runners = runners_wanted.min(Plan::MOST_RUNNERS);
    // Two requests a turn: one to poll and one to renew.
    SHORTEST.max(Duration::from_secs(2) * runners / MOST_REQUESTS_PER_SECOND)
}

/// How often a runner polls for the plan, besides watching it.
#[must_use]
pub fn poll_every(runners_wanted: u32) -> Duration {
    renew_every(runners_wanted)
}

/// The longest that a healthy runner takes to renew its report: [`renew_every`] and the whole
/// [`JITTER`] of it.
#[must_use]
pub fn longest_renewal(runners_wanted: u32) -> Duration {
    with_jitter(renew_every(runners_wanted), 1.0)
}

/// A pause with a part of its [`JITTER`]: `part` is -1 for the shortest to 1 for the longest.
#[must_use]
pub fn with_jitter(pause: Duration, part: f64) -> Duration {
    pause.mul_f64(1.0 + JITTER * part.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 10)]
    #[case(1, 10)]
    #[case(1_000, 10)]
    #[case(5_000, 50)]
    #[case(Plan::MOST_RUNNERS, 1_000)]
    #[case(u32::MAX, 1_000)]
    fn it_grows_rarer_with_the_number_of_runners(#[case] runners: u32, #[case] seconds: u64) {
        assert_eq!(renew_every(runners), Duration::from_secs(seconds));
        assert_eq!(poll_every(runners), Duration::from_secs(seconds));
    }

    #[test]
    fn the_longest_renewal_has_all_of_the_jitter() {
        assert_eq!(longest_renewal(4), Duration::from_secs(12));
        assert_eq!(
            with_jitter(Duration::from_secs(10), -9.0),
            Duration::from_secs(8)
        );
    }

    proptest! {
        #[test]
        fn all_runners_together_stay_below_the_limit(runners in 1..=Plan::MOST_RUNNERS) {
            let each = 1.0 / renew_every(runners).as_secs_f64() + 1.0 / poll_every(runners).as_secs_f64();
            let all = each * f64::from(runners);
            prop_assert!(all <= f64::from(MOST_REQUESTS_PER_SECOND) + 1e-6, "{all}");
        }
    }
}
