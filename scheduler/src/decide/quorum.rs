//! Is there a quorum?

use std::time::Duration;

use tokio::time::Instant;

use super::fresh;
use super::muster::Muster;

/// How many runners a start needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// All of them, at least 1.
    pub wanted: u32,
    /// How many must be there at least; 1 to `wanted`.
    pub minimum: u32,
    /// How long the rest is waited for once the minimum was first there.
    pub grace_period: Duration,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Those that count.
    pub ready: usize,
    /// Those that would count but for their clock.
    pub at_odds: usize,
    /// Those that have ended for good.
    pub ended: usize,
    /// All that are known.
    pub known: usize,
    /// Whether a majority agrees on the time.
    pub time_agreed: bool,
    /// How many runners can be there at once, by the word of whoever brings another one in the
    /// place of one that ended. `None`: nobody does.
    pub at_most: Option<usize>,
}

impl Tally {
    /// Counts a muster.
    #[must_use]
    pub fn of(muster: &Muster, time_agreed: bool, at_most: Option<u32>) -> Self {
        Self {
            at_most: at_most.map(|most| most as usize),
            ready: muster.ready.len(),
            at_odds: muster.at_odds,
            ended: muster.ended,
            known: muster.known(),
            time_agreed,
        }
    }
}

/// The moments that matter, all on this process's own monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    /// The present.
    pub now: Instant,
    /// When waiting ends.
    pub deadline: Instant,
    /// When the minimum was first there.
    pub minimum_since: Option<Instant>,
    /// Since when some runner contradicts the others about the time, without a break.
    pub at_odds_since: Option<Instant>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on waiting.
    Wait,
    /// Start with those that count.
    Go,
    /// Too many have ended, or have a clock that cannot be trusted: the quorum cannot
    /// come any more.
    Impossible,
    /// Enough are ready, but no majority of them agrees on the time.
    NoMajority,
    /// The quorum did not come in time.
    TimedOut,
}

impl Need {
    /// How long a quarrel about the time may last before it is taken for lasting: by then each
    /// runner has renewed its report, and one that was merely seen late has been seen again.
    fn quarrel(&self) -> Duration {
        fresh(self.wanted)
    }
}

/// Decides. Never [`Verdict::Go`] with fewer than the minimum.
#[must_use]
pub fn decide(need: &Need, tally: &Tally, moments: &Moments) -> Verdict {
    let (wanted, minimum) = (need.wanted as usize, need.minimum as usize);
    let reached = |since: Option<Instant>, after: Duration| {
        since.is_some_and(|since| moments.now >= since + after)
    };
    let late = moments.now >= moments.deadline;
    let lasting_quarrel = late || reached(moments.at_odds_since, need.quarrel());

    if !tally.time_agreed && tally.ready + tally.at_odds >= minimum {
        return if lasting_quarrel {
            Verdict::NoMajority
        } else {
            Verdict::Wait
        };
    }
    let enough = tally.ready >= minimum;
    let no_more_waiting = late || reached(moments.minimum_since, need.grace_period);
    if tally.time_agreed && (tally.ready >= wanted || enough && no_more_waiting) {
        return Verdict::Go;
    }
    let at_odds = if lasting_quarrel { tally.at_odds } else { 0 };
    let can_come = match tally.at_most {
        Some(most) => most.saturating_sub(at_odds),
        None => tally.known.max(wanted) - (tally.ended + at_odds).min(tally.known),
    };
    if !enough && can_come < minimum && !late {
        return Verdict::Impossible;
    }
    if late {
        return Verdict::TimedOut;
    }
    Verdict::Wait
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::seconds;
    use proptest::prelude::*;
    use rstest::rstest;

    const NEED: Need = Need {
        wanted: 4,
        minimum: 3,
        grace_period: Duration::from_secs(30),
    };

    fn tally(ready: usize, ended: usize, known: usize) -> Tally {
        Tally {
            ready,
            ended,
            known,
            at_odds: 0,
            time_agreed: true,
            at_most: None,
        }
    }

    /// The verdict `at` seconds after the start, with the minimum there since `minimum_since`.
    fn verdict(tally: &Tally, at: u64, minimum_since: Option<u64>) -> Verdict {
        let start = Instant::now();
        let moments = Moments {
            now: start + seconds(at),
            deadline: start + seconds(900),
            minimum_since: minimum_since.map(|s| start + seconds(s)),
            at_odds_since: None,
        };
        decide(&NEED, tally, &moments)
    }

    #[rstest]
    #[case::nobody(tally(0, 0, 0), 5, None, Verdict::Wait)]
    #[case::all(tally(4, 0, 4), 5, Some(5), Verdict::Go)]
    #[case::more_than_all(tally(5, 0, 9), 5, Some(4), Verdict::Go)]
    #[case::the_minimum_just_now(tally(3, 0, 4), 5, Some(5), Verdict::Wait)]
    #[case::grace_nearly_over(tally(3, 0, 4), 34, Some(5), Verdict::Wait)]
    #[case::grace_over(tally(3, 0, 4), 35, Some(5), Verdict::Go)]
    #[case::grace_over_but_one_fell_out(tally(2, 0, 4), 50, Some(5), Verdict::Wait)]
    #[case::ready_a_second_before_the_deadline(tally(4, 0, 4), 899, Some(899), Verdict::Go)]
    #[case::the_minimum_at_the_deadline(tally(3, 0, 4), 900, Some(899), Verdict::Go)]
    #[case::too_few_at_the_deadline(tally(2, 0, 4), 900, None, Verdict::TimedOut)]
    #[case::one_of_four_failed(tally(0, 1, 4), 5, None, Verdict::Wait)]
    #[case::two_of_four_failed(tally(0, 2, 4), 5, None, Verdict::Impossible)]
    #[case::two_failed_and_none_else_came_yet(tally(0, 2, 2), 5, None, Verdict::Impossible)]
    #[case::two_of_five_failed(tally(0, 2, 5), 5, None, Verdict::Wait)]
    #[case::all_failed(tally(0, 4, 4), 5, None, Verdict::Impossible)]
    fn by_the_count(
        #[case] tally: Tally,
        #[case] at: u64,
        #[case] minimum_since: Option<u64>,
        #[case] expected: Verdict,
    ) {
        assert_eq!(verdict(&tally, at, minimum_since), expected);
    }

    #[rstest]
    #[case::half_and_half_at_first(0, 4, false, 10, Verdict::Wait)]
    #[case::half_and_half_lasting(0, 4, false, 37, Verdict::NoMajority)]
    #[case::no_majority_but_too_few_anyway(0, 1, false, 37, Verdict::Wait)]
    #[case::two_outsiders_at_first(2, 2, true, 10, Verdict::Wait)]
    #[case::two_outsiders_lasting(2, 2, true, 37, Verdict::Impossible)]
    #[case::one_outsider_is_one_missing(3, 1, true, 37, Verdict::Go)]
    fn when_clocks_contradict(
        #[case] ready: usize,
        #[case] at_odds: usize,
        #[case] time_agreed: bool,
        #[case] after: u64,
        #[case] expected: Verdict,
    ) {
        let start = Instant::now();
        let tally = Tally {
            ready,
            at_odds,
            ended: 0,
            known: ready + at_odds,
            time_agreed,
            at_most: None,
        };
        let moments = Moments {
            now: start + seconds(after),
            deadline: start + seconds(900),
            minimum_since: Some(start),
            at_odds_since: Some(start),
        };
        assert_eq!(decide(&NEED, &tally, &moments), expected);
    }

    #[rstest]
    #[case::all_in_place_of_the_one_that_ended(4, 3, 2, 5, Verdict::Wait)]
    #[case::one_index_failed(3, 2, 1, 4, Verdict::Wait)]
    #[case::two_indexes_failed(2, 2, 2, 4, Verdict::Impossible)]
    #[case::none_came_and_none_will(0, 0, 0, 0, Verdict::Impossible)]
    fn where_others_come_in_the_place_of_those_that_ended(
        #[case] at_most: usize,
        #[case] ready: usize,
        #[case] ended: usize,
        #[case] known: usize,
        #[case] expected: Verdict,
    ) {
        let tally = Tally {
            at_most: Some(at_most),
            ..tally(ready, ended, known)
        };
        assert_eq!(verdict(&tally, 5, None), expected);
    }

    proptest! {
        #[test]
        fn never_go_below_the_minimum_nor_without_a_time(
            (wanted, minimum) in (1u32..20).prop_flat_map(|wanted| (Just(wanted), 1..=wanted)),
            ready in 0usize..25,
            at_odds in 0usize..5,
            ended in 0usize..5,
            strangers in 0usize..5,
            time_agreed: bool,
            at_most in prop::option::of(0usize..25),
            at in 0u64..2000,
            minimum_since in prop::option::of(0u64..1000),
            at_odds_since in prop::option::of(0u64..1000),
        ) {
            let start = Instant::now();
            let need = Need { wanted, minimum, grace_period: Duration::from_secs(30) };
            let known = ready + at_odds + ended + strangers;
            let tally = Tally { ready, at_odds, ended, known, time_agreed, at_most };
            let moments = Moments {
                now: start + seconds(at),
                deadline: start + seconds(900),
                minimum_since: minimum_since.map(|s| start + seconds(s)),
                at_odds_since: at_odds_since.map(|s| start + seconds(s)),
            };
            let verdict = decide(&need, &tally, &moments);
            if verdict == Verdict::Go {
                prop_assert!(ready >= minimum as usize);
                prop_assert!(time_agreed);
            }
            if at >= 900 {
                prop_assert_ne!(verdict, Verdict::Wait, "nobody waits for ever");
            }
            if ready >= wanted as usize && time_agreed {
                prop_assert_eq!(verdict, Verdict::Go, "all are there");
            }
        }
    }
}
