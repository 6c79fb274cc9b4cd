//! How often runners speak to a store that all of them share.
//!
//! Each runner does two things again and again: it polls for the plan and it renews
//! its report. Both grow rarer with the number of runners that the plan says are
//! wanted, so that all of them together stay below [`MOST_REQUESTS_PER_SECOND`]. Until a plan has
//! said so, they grow rarer with the time that none has come. What all runners
//! have to tell at the same moment is spread out.

use std::time::Duration;

use crate::plan::Plan;

/// The most requests a second that all runners of a run make while nothing happens. A
/// small API server was measured with 300 Lease writes a second, each over a new
/// connection; others use it, too.
pub const MOST_REQUESTS_PER_SECOND: u32 = 200;

/// How often a runner renews its report, and polls, where there are few of them: about as
/// often as a kubelet renews its node's Lease.
const SHORTEST: Duration = Duration::from_secs(10);

/// The rarest that a runner does so while no plan has come. With it 5,000 pods whose scheduler is not
/// there yet stay below [`MOST_REQUESTS_PER_SECOND`], and people still see that each lives.
const LONGEST_UNTOLD: Duration = Duration::from_secs(60);

/// The part by which each of them comes sooner or later, at random, so that runners that
/// began together do not all write together.
pub const JITTER: f64 = 0.2;

/// What a runner needs from hearing of the instant until the scheduler has seen that it is armed: a
/// measurement of its clock and a write, and 2 s before the instant it has to be there.
pub const ARMING: Duration = Duration::from_secs(3);

/// So many runners may write at the same moment: an API server with its usual limits takes that many writes of one
/// service account in at once, and answers some of a thousand with 429.
const AT_ONCE: u32 = 100;

/// How many runners share the store, as far as one of them knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// A plan says that so many are wanted, 1 to [`Plan::MOST_RUNNERS`].
    Wanted(u32),
    /// No plan has come for so long.
    Untold(Duration),
}

impl Crowd {
    /// How often a runner renews its report while nothing changes. One that has not been told yet waits half as long
    /// again as it has waited so far.
    #[must_use]
    pub fn renews_every(self) -> Duration {
        match self {
            Self::Wanted(runners) => renew_every(runners),
            Self::Untold(waited) => (waited / 2).clamp(SHORTEST, LONGEST_UNTOLD),
        }
    }

    /// How often a runner polls for the plan, besides watching it. One that has not been told yet polls with each
    /// renewal as well.
    #[must_use]
    pub fn polls_every(self) -> Duration {
        match self {
            Self::Wanted(runners) => poll_every(runners),
            Self::Untold(waited) => waited.clamp(SHORTEST, 2 * LONGEST_UNTOLD),
        }
    }
}

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

/// Over how long the runners that see something at the same moment tell of it: not at all where they are few.
#[must_use]
pub fn spread(runners_wanted: u32) -> Duration {
    let runners = runners_wanted.min(Plan::MOST_RUNNERS);
    Duration::from_secs(1) * runners.saturating_sub(AT_ONCE) / MOST_REQUESTS_PER_SECOND
}

/// Over how long they tell that they are armed for an instant that is `left` away: as with [`spread`], and never so
/// long that one of them cannot be seen to be armed in good time.
#[must_use]
pub fn spread_of_armed(runners_wanted: u32, left: Duration) -> Duration {
    spread(runners_wanted).min(left.saturating_sub(ARMING))
}

/// A pause with a part of its [`JITTER`]: `part` is -1 for the shortest to 1 for the longest.
#[must_use]
pub fn with_jitter(pause: Duration, part: f64) -> Duration {
    pause.mul_f64(1.0 + JITTER * part.clamp(-1.0, 1.0))
}

/// A pause with a part of its [`JITTER`] that is left to chance.
#[must_use]
pub fn some_jitter(pause: Duration) -> Duration {
    with_jitter(pause, rand::random_range(-1.0..=1.0))
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

    #[rstest]
    #[case::at_first(0, 10, 10)]
    #[case(20, 10, 20)]
    #[case(60, 30, 60)]
    #[case(120, 60, 120)]
    #[case::after_a_day(86_400, 60, 120)]
    fn while_no_plan_comes_it_grows_rarer(
        #[case] waited: u64,
        #[case] renews: u64,
        #[case] polls: u64,
    ) {
        let untold = Crowd::Untold(Duration::from_secs(waited));
        assert_eq!(untold.renews_every(), Duration::from_secs(renews));
        assert_eq!(untold.polls_every(), Duration::from_secs(polls));
        let told = Crowd::Wanted(5_000);
        let every = (told.renews_every(), told.polls_every());
        assert_eq!(every, (renew_every(5_000), poll_every(5_000)));
    }

    #[rstest]
    #[case::few_at_once(6, 0)]
    #[case::as_many_as_it_takes(100, 0)]
    #[case(400, 1_500)]
    #[case(1_000, 4_500)]
    #[case(5_000, 24_500)]
    fn what_all_tell_at_the_same_moment_is_spread_out(#[case] runners: u32, #[case] millis: u64) {
        assert_eq!(spread(runners), Duration::from_millis(millis));
    }

    #[rstest]
    #[case::in_good_time(30_000, 4_500)]
    #[case::heard_late(5_000, 2_000)]
    #[case::hardly_in_time(3_000, 0)]
    #[case::too_late(0, 0)]
    fn who_hears_of_the_instant_late_does_not_wait_to_say_that_it_is_armed(
        #[case] left: u64,
        #[case] millis: u64,
    ) {
        let spread = spread_of_armed(1_000, Duration::from_millis(left));
        assert_eq!(spread, Duration::from_millis(millis));
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
