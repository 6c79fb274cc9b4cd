//! What is wrong with a runner's start.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{StartReport, Terms};

use super::muster::Why;
use super::words::span;

/// How much later than it ran k6 may be seen running. An agent asks 0.3 s after the resume at
/// the latest, and a k6 on a busy machine takes some 0.1 s for an answer; as much again to be sure.
const SEEN_WITHIN: TimeDelta = TimeDelta::milliseconds(500);

/// What is wrong with a runner's start. The worst that can be said of it: by a clock that is
/// wrong nothing else can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Its clock was found to have jumped around the start.
    ClockJumped,
    /// Its clock is ahead of the others' by so much (negative: behind).
    ClockAtOdds(TimeDelta),
    /// It fired so long after the instant (negative: before), which is more than is tolerated.
    FiredOff(TimeDelta),
    /// Its k6 was seen running only so long after the instant, though it was resumed in time.
    RanLate(TimeDelta),
}

/// What is wrong with a start that was to be at `start_at`. `at_odds`: by how much the runner's
/// clock is ahead of the others', if it contradicts them.
#[must_use]
pub fn flaw(
    start: &StartReport,
    start_at: DateTime<Utc>,
    terms: &Terms,
    at_odds: Option<TimeDelta>,
) -> Option<Flaw> {
    let tolerance = tolerance(terms);
    if start.clock_jumped {
        return Some(Flaw::ClockJumped);
    }
    if let Some(ahead) = at_odds {
        return Some(Flaw::ClockAtOdds(ahead));
    }
    if start.lateness.abs().to_std().unwrap_or_default() > tolerance {
        return Some(Flaw::FiredOff(start.lateness));
    }
    // Not by when the load was seen: where setup() is left to k6, it delays that.
    let ran_after = start.running_at? - start_at;
    let late = (ran_after - SEEN_WITHIN).to_std().unwrap_or_default() > tolerance;
    late.then_some(Flaw::RanLate(ran_after))
}

/// How late a start is still on time.
#[must_use]
pub fn tolerance(terms: &Terms) -> Duration {
    terms.late_tolerance.unwrap_or(Terms::DEFAULT_TOLERANCE)
}

impl Flaw {
    /// Whether the times that the runner reported are worth nothing.
    #[must_use]
    pub fn is_of_the_clock(&self) -> bool {
        matches!(self, Self::ClockJumped | Self::ClockAtOdds(_))
    }

    /// It in a sentence that begins with the runner's name.
    #[must_use]
    pub fn sentence(&self, name: &str, tolerance: Duration) -> String {
        let tolerance = humantime::format_duration(tolerance);
        match self {
            Self::ClockJumped => {
                format!("{name}: its clock jumped around the start, so nobody knows when it fired")
            }
            Self::ClockAtOdds(_) => {
                format!("{name}: {self}, so it fired at another time than they did")
            }
            Self::FiredOff(by) => {
                let way = if *by < TimeDelta::zero() {
                    "early"
                } else {
                    "late"
                };
                let by = span(by.abs());
                format!("{name} fired {by} too {way} (tolerated: {tolerance})")
            }
            Self::RanLate(after) => format!(
                "{name} was resumed in time, but its k6 was seen running only {} after the instant \
                 (tolerated: {tolerance})",
                span(*after)
            ),
        }
    }
}

/// In a few words, beside what became of the runner.
impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClockJumped => f.write_str("its clock jumped"),
            Self::ClockAtOdds(ahead) => Why::AtOdds(*ahead).fmt(f),
            Self::FiredOff(by) if *by < TimeDelta::zero() => f.write_str("fired early"),
            Self::FiredOff(_) => f.write_str("fired late"),
            Self::RanLate(_) => f.write_str("k6 ran late"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_start, noon};
    use proptest::prelude::*;
    use rstest::rstest;

    fn terms(tolerance_ms: Option<u64>) -> Terms {
        Terms {
            late_tolerance: tolerance_ms.map(Duration::from_millis),
            ..Terms::default()
        }
    }

    fn found(start: &StartReport, tolerance_ms: Option<u64>) -> Option<Flaw> {
        flaw(start, noon(), &terms(tolerance_ms), None)
    }

    fn first_seen_after(ms: i64) -> StartReport {
        StartReport {
            running_at: Some(noon() + TimeDelta::milliseconds(ms)),
            ..a_start(0)
        }
    }

    #[rstest]
    #[case::on_time(999_999, None, false)]
    #[case::late(1_000_001, None, true)]
    #[case::early(-1_000_001, None, true)]
    #[case::within_a_tolerance_of_its_own(9_000, Some(10), false)]
    #[case::beyond_it(10_001, Some(10), true)]
    fn a_start_is_judged_by_when_it_was_fired(
        #[case] late_us: i64,
        #[case] tolerance_ms: Option<u64>,
        #[case] is_flawed: bool,
    ) {
        let found = found(&a_start(late_us), tolerance_ms);
        let expected = is_flawed.then(|| Flaw::FiredOff(TimeDelta::microseconds(late_us)));
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::at_once(2, None, false)]
    #[case::as_late_as_asking_explains(1_500, None, false)]
    #[case::later(1_501, None, true)]
    #[case::with_a_narrow_tolerance(510, Some(10), false)]
    #[case::later_than_that(511, Some(10), true)]
    fn and_by_when_k6_was_seen_running(
        #[case] after_ms: i64,
        #[case] tolerance_ms: Option<u64>,
        #[case] is_flawed: bool,
    ) {
        let found = found(&first_seen_after(after_ms), tolerance_ms);
        let expected = is_flawed.then(|| Flaw::RanLate(TimeDelta::milliseconds(after_ms)));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_setup_that_was_left_to_k6_may_take_its_time() {
        let start = StartReport {
            load_at: Some(noon() + TimeDelta::minutes(5)),
            ..first_seen_after(3)
        };
        assert_eq!(found(&start, None), None);
        let never_seen = StartReport {
            running_at: None,
            load_at: None,
            ..a_start(0)
        };
        assert_eq!(found(&never_seen, None), None, "told by its phase");
    }

    #[test]
    fn by_a_clock_that_is_wrong_nothing_else_is_told() {
        let ahead = TimeDelta::seconds(420);
        let mut start = a_start(5_000_000);
        let at_odds = flaw(&start, noon(), &terms(None), Some(ahead));
        assert_eq!(at_odds, Some(Flaw::ClockAtOdds(ahead)));
        start.clock_jumped = true;
        let jumped = flaw(&start, noon(), &terms(None), Some(ahead));
        assert_eq!(jumped, Some(Flaw::ClockJumped));
        assert!(jumped.is_some_and(|flaw| flaw.is_of_the_clock()));
    }

    #[rstest]
    #[case(
        Flaw::ClockJumped,
        "r1: its clock jumped around the start, so nobody knows when it fired"
    )]
    #[case(
        Flaw::ClockAtOdds(TimeDelta::seconds(-420)),
        "r1: its clock is 420.0 s behind the others', so it fired at another time than they did"
    )]
    #[case(
        Flaw::FiredOff(TimeDelta::seconds(-12)),
        "r1 fired 12.0 s too early (tolerated: 1s)"
    )]
    #[case(
        Flaw::RanLate(TimeDelta::milliseconds(4_210)),
        "r1 was resumed in time, but its k6 was seen running only 4210.00 ms after the instant (tolerated: 1s)"
    )]
    fn each_has_a_sentence(#[case] flaw: Flaw, #[case] sentence: &str) {
        assert_eq!(flaw.sentence("r1", Duration::from_secs(1)), sentence);
    }

    proptest! {
        #[test]
        fn a_wider_tolerance_never_finds_more(
            late_us in -3_000_000i64..3_000_000,
            ran_ms in 0i64..5_000,
            narrow_ms in 0u64..2_000,
            wider_ms in 0u64..2_000,
        ) {
            let mut start = a_start(late_us);
            start.running_at = Some(noon() + TimeDelta::milliseconds(ran_ms));
            let wide = found(&start, Some(narrow_ms + wider_ms));
            prop_assert!(wide.is_none() || found(&start, Some(narrow_ms)).is_some());
        }
    }
}
