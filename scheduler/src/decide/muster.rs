//! Who counts for the quorum, and why the others do not.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use rendezvous::{Phase, Plan, PlanId, Report, RunnerId};

use super::observed::{Observed, Place};
use super::roster::Roster;
use super::started::Sight;
use super::timebase::Reading;
use super::words::{bound, waits};

/// Why a runner does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A witness saw its process; it has said nothing itself.
    NoReport,
    /// A witness says why its process is not there.
    Held(String),
    /// A witness says that it is about to be ended, and why.
    Leaving(String),
    /// It was started anew, and the new process has said nothing yet.
    StartedAnew,
    /// Its report was taken out of the store.
    Removed,
    /// It is not ready yet.
    Starting {
        /// What it waits for, by its own word.
        waiting_for: Option<String>,
    },
    /// It says that it is ready, but only in a report of unknown age.
    AgeUnknown,
    /// It was ready, but has been silent for this long.
    Silent(Duration),
    /// Its clock may be off by more than the plan lets it be: it would refuse at the instant.
    ClockTooWide {
        /// By how much it may be off.
        error: Duration,
        /// By how much it may be, by the plan.
        budget: Duration,
    },
    /// Its clock is ahead of the others' by so much (negative: behind).
    AtOdds(TimeDelta),
    /// It has started already, under some other plan.
    Elsewhere,
    /// It has ended.
    Ended {
        /// The final phase, if it had time to report one.
        phase: Option<Phase>,
        /// Its exit code.
        code: Option<u8>,
        /// Why, by its own word, else by a witness's.
        reason: Option<String>,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReport => f.write_str("has not reported yet"),
            Self::Held(why) | Self::Leaving(why) => f.write_str(why),
            Self::StartedAnew => f.write_str("was started again and has not reported since"),
            Self::Removed => f.write_str("its report was removed from the store"),
            Self::Starting { waiting_for: None } => f.write_str("starting"),
            Self::Starting {
                waiting_for: Some(what),
            } => f.write_str(&waits(what)),
            Self::AgeUnknown => {
                f.write_str("ready by a report of unknown age; waiting for a new one")
            }
            Self::Silent(silent) => write!(f, "silent for {} s", silent.as_secs()),
            // As an agent says it.
            Self::ClockTooWide { error, budget } => {
                write!(f, "clock error {} > {}", bound(*error), bound(*budget))
            }
            Self::AtOdds(ahead) => {
                let (seconds, way) = if *ahead < TimeDelta::zero() {
                    (-*ahead, "behind")
                } else {
                    (*ahead, "ahead of")
                };
                #[expect(clippy::cast_precision_loss, reason = "for people, to 0.1 s")]
                let seconds = seconds.num_milliseconds() as f64 / 1e3;
                write!(f, "its clock is {seconds:.1} s {way} the others'")
            }
            Self::Elsewhere => f.write_str("has started already, under another plan"),
            Self::Ended {
                phase,
                code,
                reason,
            } => {
                match (phase, code, reason) {
                    (Some(phase), ..) => phase.fmt(f)?,
                    // It may never have begun.
                    (None, None, Some(reason)) => return f.write_str(reason),
                    (None, ..) => f.write_str("ended without a word")?,
                }
                if let Some(code) = code {
                    write!(f, " ({code})")?;
                }
                match reason {
                    Some(reason) => write!(f, ": {}", without(reason, *phase)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A reason without the phase that it begins with, where that stands in front of it anyway.
#[must_use]
pub fn without(reason: &str, phase: Option<Phase>) -> &str {
    let rest = phase.and_then(|phase| reason.strip_prefix(&phase.to_string()));
    // "failed over" begins with the phase, "failedover" does not.
    let rest = rest.filter(|rest| !rest.starts_with(char::is_alphanumeric));
    rest.map_or(reason, |rest| {
        rest.trim_start_matches(|c: char| c == ':' || c.is_whitespace())
    })
}

/// Who counts, and who does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Muster {
    /// Those that count: ready, fresh, of one mind about the time.
    pub ready: Vec<RunnerId>,
    /// All others that are known, and why.
    pub others: BTreeMap<RunnerId, Why>,
    /// How many of the others would count but for their clock.
    pub at_odds: usize,
    /// How many of the others have ended.
    pub ended: usize,
}

impl Muster {
    /// How many runners are known.
    #[must_use]
    pub fn known(&self) -> usize {
        self.ready.len() + self.others.len()
    }
}

/// What the runners are mustered for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Aim<'a> {
    /// The plan, if there is one yet.
    pub plan: Option<&'a PlanId>,
    /// How far a clock may be off by its terms; `None`: that is left to each runner.
    pub max_clock_error: Option<Duration>,
}

impl<'a> Aim<'a> {
    /// A plan on its own terms.
    #[must_use]
    pub fn at(plan: &'a Plan) -> Self {
        Self {
            plan: Some(&plan.id),
            max_clock_error: plan.terms.max_clock_error,
        }
    }
}

/// Musters the runners. Each runner id counts once, by its newest incarnation.
#[must_use]
pub fn muster(roster: &Roster, time: &Reading, aim: Aim<'_>, sight: &Sight) -> Muster {
    let mut muster = Muster::default();
    for (runner, observed) in roster.iter() {
        let why = match (why_not(observed, aim, sight), time.at_odds.get(runner)) {
            (None, Some(by)) => {
                muster.at_odds += 1;
                Some(Why::AtOdds(*by))
            }
            (why, _) => why,
        };
        match why {
            None => muster.ready.push(runner.clone()),
            Some(why) => {
                muster.ended += usize::from(matches!(why, Why::Ended { .. }));
                muster.others.insert(runner.clone(), why);
            }
        }
    }
    muster
}

/// Why a runner does not count, other runners' clocks aside.
#[must_use]
pub fn why_not(observed: &Observed, aim: Aim<'_>, sight: &Sight) -> Option<Why> {
    if observed.has_ended() {
        return Some(why_ended(observed));
    }
    match &observed.place {
        Place::Held(why) => return Some(Why::Held(why.clone())),
        Place::Leaving(why) => return Some(Why::Leaving(why.clone())),
        Place::There | Place::Gone(_) => {}
    }
    let Some(report) = &observed.report else {
        return Some(Why::NoReport);
    };
    if observed.is_void() {
        return Some(Why::StartedAnew);
    }
    if observed.removed {
        return Some(Why::Removed);
    }
    let by_phase = why_not_by_phase(report, aim.plan);
    let silent = || match observed.live_at {
        None => Some(Why::AgeUnknown),
        Some(live_at) => {
            let silent = sight.now.saturating_duration_since(live_at);
            (silent > sight.fresh).then_some(Why::Silent(silent))
        }
    };
    by_phase
        .or_else(silent)
        .or_else(|| clock_too_wide(report, aim.max_clock_error))
}

/// Whether a runner would refuse at the instant by its clock. One that takes its machine's clock at its word keeps
/// any budget. It may not have seen yet what the plan wants; else it says so itself.
fn clock_too_wide(report: &Report, budget: Option<Duration>) -> Option<Why> {
    let (error, budget) = (report.clock.error?, budget?);
    (error > budget).then_some(Why::ClockTooWide { error, budget })
}

/// How a runner that has ended ended.
#[must_use]
pub fn why_ended(observed: &Observed) -> Why {
    let report = observed.report.as_ref();
    let last_word = report.filter(|report| report.phase.is_final());
    Why::Ended {
        phase: last_word.map(|report| report.phase),
        code: observed.exit_code(),
        reason: match last_word {
            Some(report) => report.reason.clone(),
            None => observed.exit_detail().map(str::to_owned),
        },
    }
}

fn why_not_by_phase(report: &Report, plan: Option<&PlanId>) -> Option<Why> {
    match report.phase {
        Phase::Ready => None,
        // Where an earlier scheduler has set this very plan.
        Phase::Armed if plan.is_some() && report.plan.as_ref() == plan => None,
        Phase::Starting => Some(Why::Starting {
            waiting_for: report.waiting_for.clone(),
        }),
        _ => Some(Why::Elsewhere),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decide::witness::{Seen, Sighting};
    use crate::testing::{FRESH, a_report, agreed, aim, runner, seconds, sight};
    use rstest::rstest;
    use tokio::time::Instant;

    fn roster(reports: &[(&str, Phase)], now: Instant) -> Roster {
        let mut roster = Roster::default();
        for (name, phase) in reports {
            roster.report(a_report(name, *phase), true, now);
        }
        roster
    }

    #[rstest]
    #[case::within(Some(50), Some(50), None)]
    #[case::over(Some(180), Some(50), Some("clock error 180.00 ms > 50.00 ms"))]
    #[case::unmeasured(None, Some(50), None)]
    #[case::left_to_the_runners(Some(180), None, None)]
    fn whose_clock_the_plan_would_not_do_with_does_not_count(
        #[case] error_ms: Option<u64>,
        #[case] budget_ms: Option<u64>,
        #[case] expected: Option<&str>,
    ) {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let mut report = a_report("r1", Phase::Ready);
        report.clock.error = error_ms.map(Duration::from_millis);
        roster.report(report, true, now);
        let aim = Aim {
            max_clock_error: budget_ms.map(Duration::from_millis),
            ..aim()
        };
        let muster = muster(&roster, &agreed(now), aim, &sight(now));
        let why = muster.others.get(&runner("r1")).map(ToString::to_string);
        assert_eq!(why.as_deref(), expected);
        assert_eq!(muster.ready.len(), usize::from(expected.is_none()));
    }

    #[test]
    fn ready_runners_count_and_so_do_those_armed_under_the_same_plan() {
        let now = Instant::now();
        let mut roster = roster(&[("r1", Phase::Ready), ("r2", Phase::Armed)], now);
        let mut foreign = a_report("r3", Phase::Armed);
        foreign.plan = Some(PlanId::random());
        roster.report(foreign, true, now);
        let muster = muster(&roster, &agreed(now), aim(), &sight(now));
        assert_eq!(muster.ready, [runner("r1"), runner("r2")]);
        assert_eq!(muster.others[&runner("r3")], Why::Elsewhere);
    }

    #[rstest]
    #[case(Phase::Starting)]
    #[case(Phase::Fired)]
    #[case(Phase::Running)]
    #[case(Phase::Finished)]
    #[case(Phase::Failed)]
    #[case(Phase::Refused)]
    #[case(Phase::Aborted)]
    #[case(Phase::Skipped)]
    fn nobody_else_counts(#[case] phase: Phase) {
        let now = Instant::now();
        let muster = muster(
            &roster(&[("r1", phase)], now),
            &agreed(now),
            aim(),
            &sight(now),
        );
        assert_eq!(muster.ready, []);
        assert_eq!(muster.ended, usize::from(phase.is_final()));
    }

    #[rstest]
    #[case::a_colon("skipped: came 1s late", "came 1s late")]
    #[case::a_blank("skipped by the plan", "by the plan")]
    #[case::both("skipped : came", "came")]
    #[case::a_longer_word("skippedover", "skippedover")]
    #[case::another_word("came late", "came late")]
    fn a_reason_does_not_say_the_phase_again(#[case] reason: &str, #[case] expected: &str) {
        assert_eq!(without(reason, Some(Phase::Skipped)), expected);
        assert_eq!(without(reason, None), reason);
    }

    #[test]
    fn a_report_counts_for_three_renewals() {
        let now = Instant::now();
        let roster = roster(&[("r1", Phase::Ready)], now);
        let observed = roster.get(&runner("r1")).unwrap();
        assert_eq!(why_not(observed, aim(), &sight(now + FRESH)), None);
        let why = why_not(observed, aim(), &sight(now + FRESH + seconds(1)));
        assert_eq!(why, Some(Why::Silent(FRESH + seconds(1))));
    }

    #[test]
    fn a_report_found_lying_there_does_not_count() {
        let now = Instant::now();
        let mut roster = Roster::default();
        roster.report(a_report("r1", Phase::Ready), false, now);
        let observed = roster.get(&runner("r1")).unwrap();
        assert_eq!(why_not(observed, aim(), &sight(now)), Some(Why::AgeUnknown));
    }

    #[test]
    fn a_process_that_ended_does_not_count_whatever_it_reported() {
        let now = Instant::now();
        let mut roster = roster(&[("r1", Phase::Ready)], now);
        let ended = Sighting {
            runner: runner("r1"),
            name: None,
            state: Seen::Ended(137, None),
        };
        roster.sighting(ended, now);
        let muster = muster(&roster, &agreed(now), aim(), &sight(now));
        assert_eq!((muster.ready.len(), muster.ended), (0, 1));
        let why = muster.others.values().next().unwrap().to_string();
        assert_eq!(why, "ended without a word (137)");
    }

    #[test]
    fn who_contradicts_the_others_about_the_time_does_not_count() {
        let now = Instant::now();
        let roster = roster(&[("r1", Phase::Ready), ("r2", Phase::Starting)], now);
        let mut time = agreed(now);
        for name in ["r1", "r2"] {
            let ahead = TimeDelta::milliseconds(-420_040);
            time.at_odds.insert(runner(name), ahead);
        }
        let muster = muster(&roster, &time, aim(), &sight(now));
        assert_eq!((muster.ready.len(), muster.at_odds), (0, 1));
        assert_eq!(
            muster.others[&runner("r1")].to_string(),
            "its clock is 420.0 s behind the others'"
        );
        assert!(matches!(muster.others[&runner("r2")], Why::Starting { .. }));
    }
}
