//! What to do when a runner is lost, or its k6 fails, in the middle of a run.

use std::fmt;

use rendezvous::{Phase, PlanId, RunnerId};
use tokio::time::Instant;

use super::loss::{Evidence, evidence};
use super::muster::why_ended;
use super::observed::Observed;
use super::roster::Roster;
use super::started::Sight;
use crate::exit::Code;

/// What becomes of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// They go on.
    #[default]
    Continue,
    /// They are ended: the run is aborted.
    Abort,
}

/// What becomes of the others when something happens to a runner after the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policies {
    /// When it is lost.
    pub on_lost: Policy,
    /// When its k6 ends by itself with another code than 0.
    pub on_failure: Policy,
}

/// Why a run is ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A runner's k6 failed.
    Failed {
        /// Its name.
        name: String,
        /// With what code, and why, for people.
        how: String,
    },
    /// A runner was lost.
    Lost {
        /// Its name.
        name: String,
        /// How that is known, for people.
        how: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { name, how } => write!(f, "{name} {how} (--on-failure abort)"),
            Self::Lost { name, how } => write!(f, "{name} was lost: {how} (--on-lost abort)"),
        }
    }
}

/// Why a run that has started is to be ended now, if it is. `since`: when it was looked who is armed; who was lost
/// before that is a matter of those that were not.
#[must_use]
pub fn cause(
    roster: &Roster,
    plan: &PlanId,
    since: Instant,
    sight: &Sight,
    policies: Policies,
) -> Option<Cause> {
    let named = |runner: &RunnerId| roster.name(runner).to_owned();
    let failed = |(runner, observed): (&RunnerId, &Observed)| {
        let how = failure(observed, plan)?;
        let name = named(runner);
        Some(Cause::Failed { name, how })
    };
    let lost = |(runner, observed): (&RunnerId, &Observed)| {
        let how = loss(observed, plan, since, sight)?;
        let name = named(runner);
        Some(Cause::Lost { name, how })
    };
    let mut cause = None;
    if policies.on_failure == Policy::Abort {
        cause = roster.iter().find_map(failed);
    }
    if policies.on_lost == Policy::Abort {
        cause = cause.or_else(|| roster.iter().find_map(lost));
    }
    cause
}

/// How the k6 of a runner that started failed by itself, if it did.
fn failure(observed: &Observed, plan: &PlanId) -> Option<String> {
    observed.start_under(plan)?;
    let last_word = match observed.outlived_start(plan) {
        Some(start) => start.last_word?,
        None => observed.report.as_ref()?,
    };
    let is_k6s_end = matches!(last_word.phase, Phase::Finished | Phase::Failed);
    let code = last_word.exit_code.filter(|_| is_k6s_end)?;
    let reason = last_word.reason.as_deref().unwrap_or_default();
    let because = if reason.is_empty() { "" } else { ": " };
    Code::of_runner(code)
        .is_k6s()
        .then(|| format!("ended with {code}{because}{reason}"))
}

/// How a runner that was armed or started is known to be lost, if it is.
fn loss(observed: &Observed, plan: &PlanId, since: Instant, sight: &Sight) -> Option<String> {
    let by = evidence(observed, plan, sight)?;
    let has_started = observed.start_under(plan).is_some();
    let before = observed.over_at.is_none_or(|at| at < since);
    if !has_started && before && !matches!(by, Evidence::Silent(_)) {
        return None;
    }
    Some(match by {
        Evidence::Silent(silent) => {
            format!("its report has not been renewed for {} s", silent.as_secs())
        }
        Evidence::ReportRemoved => "its report was removed from the store".to_owned(),
        Evidence::StartedAgain => "its process ended, and another one is in its place".to_owned(),
        Evidence::ProcessEnded | Evidence::K6Killed | Evidence::PodGone | Evidence::Stopped => {
            why_ended(observed).to_string()
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decide::witness::{Seen, Sighting};
    use crate::testing::{a_plan_id, a_report, a_start, runner, seconds, sight};
    use rendezvous::{Incarnation, Report};
    use rstest::rstest;

    fn policies(on_lost: Policy, on_failure: Policy) -> Policies {
        Policies {
            on_lost,
            on_failure,
        }
    }

    const BOTH: Policies = Policies {
        on_lost: Policy::Abort,
        on_failure: Policy::Abort,
    };

    fn started(name: &str, phase: Phase, code: u8) -> Report {
        let mut report = a_report(name, phase);
        report.start = Some(a_start(0));
        report.exit_code = phase.is_final().then_some(code);
        report
    }

    fn killed() -> Sighting {
        Sighting {
            runner: runner("r2"),
            name: None,
            state: Seen::Ended(137, None),
        }
    }

    /// What is made of one that runs and another one that reports this and is then killed or not, 5 s after the start.
    fn told(report: Report, killed_after: Option<u64>, policies: Policies) -> Option<String> {
        let instant = Instant::now() + seconds(60);
        let (mut roster, now) = (Roster::default(), instant + seconds(5));
        roster.report(started("r1", Phase::Running, 0), true, now);
        roster.report(report, true, instant - seconds(3));
        if let Some(after) = killed_after {
            roster.sighting(killed(), instant - seconds(3) + seconds(after));
        }
        let sight = Sight {
            clear_since: Some(instant - seconds(60)),
            ..sight(now)
        };
        let since = instant - seconds(2);
        cause(&roster, &a_plan_id(), since, &sight, policies).map(|cause| cause.to_string())
    }

    #[rstest]
    #[case::all_is_well(started("r2", Phase::Running, 0), None)]
    #[case::ended_well(started("r2", Phase::Finished, 0), None)]
    #[case::a_threshold(
        started("r2", Phase::Finished, 99),
        Some("r2 ended with 99 (--on-failure abort)")
    )]
    #[case::a_script_error(
        started("r2", Phase::Finished, 107),
        Some("r2 ended with 107 (--on-failure abort)")
    )]
    #[case::k6_was_killed(
        started("r2", Phase::Finished, 137),
        Some("r2 ended with 137 (--on-failure abort)")
    )]
    #[case::stopped(
        started("r2", Phase::Aborted, 105),
        Some("r2 was lost: aborted (105) (--on-lost abort)")
    )]
    #[case::failed_before_the_start(a_report("r2", Phase::Failed), None)]
    #[case::too_late(a_report("r2", Phase::Refused), None)]
    fn a_run_is_ended_for(#[case] report: Report, #[case] expected: Option<&str>) {
        assert_eq!(told(report.clone(), None, BOTH).as_deref(), expected);
        assert_eq!(told(report, None, Policies::default()), None);
    }

    #[rstest]
    #[case::while_it_ran(started("r2", Phase::Running, 0), 5, true)]
    #[case::before_it_said_that_it_had_started(a_report("r2", Phase::Armed), 5, true)]
    #[case::before_it_was_looked_who_is_armed(a_report("r2", Phase::Armed), 0, false)]
    #[case::after_that(a_report("r2", Phase::Armed), 2, true)]
    #[case::while_it_was_only_ready(a_report("r2", Phase::Ready), 5, false)]
    fn a_runner_that_is_killed_counts(
        #[case] report: Report,
        #[case] after: u64,
        #[case] counts: bool,
    ) {
        let expected = "r2 was lost: ended without a word (137) (--on-lost abort)";
        let on_lost = policies(Policy::Abort, Policy::Continue);
        let told_of = told(report.clone(), Some(after), on_lost);
        assert_eq!(told_of.as_deref(), counts.then_some(expected));
        let on_failure = policies(Policy::Continue, Policy::Abort);
        assert_eq!(told(report, Some(after), on_failure), None);
    }

    #[test]
    fn a_process_that_came_in_the_place_of_the_one_that_started_does_not_make_up_for_it() {
        let instant = Instant::now() + seconds(60);
        let mut roster = Roster::default();
        roster.report(started("r2", Phase::Running, 0), true, instant + seconds(1));
        let mut another = a_report("r2", Phase::Starting);
        (another.incarnation, another.plan) = (Incarnation::random(), None);
        roster.report(another, true, instant + seconds(5));
        let sight = sight(instant + seconds(6));
        let told = |policies| {
            let cause = cause(&roster, &a_plan_id(), instant, &sight, policies);
            cause.map(|cause| cause.to_string())
        };
        let expected =
            "r2 was lost: its process ended, and another one is in its place (--on-lost abort)";
        assert_eq!(told(BOTH).as_deref(), Some(expected));
        assert_eq!(told(policies(Policy::Continue, Policy::Abort)), None);
    }
}
