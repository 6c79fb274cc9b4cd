//! Has the start come to its end, and has the run?

use std::time::Duration;

use rendezvous::{PlanId, RunnerId};
use tokio::time::Instant;

use super::observed::Observed;
use super::roster::Roster;

/// How long after the instant a start may take to show what came of it. An agent
/// settles an unclear resume within 10 s; its report comes up to 2 s after the
/// instant on purpose, so that runners do not all write at once; the rest is a
/// busy store.
pub const SETTLES_WITHIN: Duration = Duration::from_secs(15);

/// How long after the instant a runner that measures its clock may take to tell whether that
/// had jumped: it measures once more up to 3 s after it fired, waits a second for answers,
/// and a report is written within 2 s.
pub const CLOCKS_TOLD_WITHIN: Duration = Duration::from_secs(6);

/// Shortly before the instant it is looked who is armed: an abort still reaches runners that watch the store, and
/// one that has not armed by then most likely will not. Who is lost later is lost to the start.
pub const SHORTLY_BEFORE: Duration = Duration::from_secs(2);

/// Which runners a start was set for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// These, counted by this very process.
    Runners(Vec<RunnerId>),
    /// So many, counted by another scheduler; which, nobody wrote down.
    Number(u32),
}

impl Expected {
    /// Whether this runner is known to be one of them.
    #[must_use]
    pub fn names(&self, runner: &RunnerId) -> bool {
        matches!(self, Self::Runners(runners) if runners.contains(runner))
    }
}

/// What this process knows of the reports' freshness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The present.
    pub now: Instant,
    /// Since when the store has been readable without a break. `None`: it is not, just now.
    pub clear_since: Option<Instant>,
    /// How long a report is fresh after its change was seen.
    pub fresh: Duration,
    /// How long a runner may be silent before it is taken for lost.
    pub overdue: Duration,
}

/// For how long a runner has given no sign of life although one was due. `None`: it
/// has ended, or is not lost. Nobody is called lost while the store is away.
#[must_use]
pub fn lost(observed: &Observed, sight: &Sight) -> Option<Duration> {
    let clear_since = sight.clear_since?;
    let silent = |since: Instant| sight.now.saturating_duration_since(since);
    let overdue = silent(observed.last_sign().max(clear_since)) > sight.overdue;
    let due = !observed.has_ended() && !observed.has_not_come();
    (overdue && due).then(|| silent(observed.last_sign()))
}

/// Whether every runner that the start was set for has either been seen running or ended.
#[must_use]
pub fn is_settled(roster: &Roster, expected: &Expected, plan: &PlanId) -> bool {
    let settled = |observed: &Observed| {
        observed.has_ended()
            || observed.removed
            || observed
                .start_under(plan)
                .is_some_and(|start| start.running_at.is_some())
    };
    match expected {
        Expected::Runners(runners) => runners
            .iter()
            .all(|runner| roster.get(runner).is_some_and(settled)),
        Expected::Number(number) => {
            let count = roster.iter().filter(|(_, one)| settled(one)).count();
            let in_doubt = roster
                .iter()
                .any(|(_, one)| has_armed(one, plan) && !settled(one));
            count >= *number as usize && !in_doubt
        }
    }
}

/// The names of those that a start was set for and that are not armed under its plan. Where
/// another scheduler counted, of those that are known.
#[must_use]
pub fn unarmed<'a>(roster: &'a Roster, expected: &'a Expected, plan: &PlanId) -> Vec<&'a str> {
    let is_ready = |observed: &Observed| has_armed(observed, plan) && !observed.has_ended();
    match expected {
        Expected::Runners(runners) => runners
            .iter()
            .filter(|runner| !roster.get(runner).is_some_and(is_ready))
            .map(|runner| roster.name(runner))
            .collect(),
        Expected::Number(number) => {
            let armed = roster.iter().filter(|(_, one)| is_ready(one)).count();
            if armed >= *number as usize {
                return Vec::new();
            }
            let others = roster.iter().filter(|(_, one)| !is_ready(one));
            others.map(|(runner, _)| roster.name(runner)).collect()
        }
    }
}

/// Whether a runner may still find that its clock had jumped around the start: one that
/// measures it, and lives.
#[must_use]
pub fn a_clock_is_open(roster: &Roster, plan: &PlanId) -> bool {
    let mut runners = roster.iter();
    runners.any(|(_, one)| {
        let start = one.start_under(plan);
        let measures = start.is_some_and(|start| start.clock_error.is_some());
        measures && !one.has_ended() && !one.removed
    })
}

/// Whether it has counted down to the instant of this plan, or would have.
#[must_use]
pub fn has_armed(observed: &Observed, plan: &PlanId) -> bool {
    let report = observed.report.as_ref();
    report.is_some_and(|report| report.armed && report.plan.as_ref() == Some(plan))
}

/// Whether some process was seen alive that started under the plan. Where none was, a start
/// that another scheduler set may have been over long before this process came.
#[must_use]
pub fn was_witnessed(roster: &Roster, plan: &PlanId) -> bool {
    let mut runners = roster.iter();
    runners.any(|(_, one)| one.was_seen_to_live_under(plan))
}

/// Whether nothing more is to be expected of any runner: each has ended, or is lost. One that
/// has not come is none of this start.
#[must_use]
pub fn is_over(roster: &Roster, sight: &Sight) -> bool {
    roster.iter().all(|(_, observed)| {
        observed.has_ended()
            || observed.removed
            || observed.has_not_come()
            || lost(observed, sight).is_some()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{OVERDUE, a_plan_id, a_report, a_start, runner, seconds, sight};
    use rendezvous::{Phase, Report};

    fn running(name: &str) -> Report {
        let mut report = a_report(name, Phase::Running);
        report.start = Some(a_start(0));
        report
    }

    fn roster(reports: Vec<Report>, now: Instant) -> Roster {
        let mut roster = Roster::default();
        for report in reports {
            roster.report(report, true, now);
        }
        roster
    }

    #[test]
    fn a_start_is_settled_when_all_run_or_have_ended() {
        let now = Instant::now();
        let both = Expected::Runners(vec![runner("r1"), runner("r2")]);
        let settled = |second| {
            let roster = roster(vec![running("r1"), second], now);
            is_settled(&roster, &both, &a_plan_id())
        };
        assert!(settled(running("r2")));
        assert!(settled(a_report("r2", Phase::Failed)));
        assert!(!settled(a_report("r2", Phase::Armed)));
        let mut unconfirmed = running("r2");
        unconfirmed.phase = Phase::Fired;
        unconfirmed.start.as_mut().unwrap().running_at = None;
        assert!(!settled(unconfirmed));
        let only_one = roster(vec![running("r1")], now);
        assert!(!is_settled(&only_one, &both, &a_plan_id()));
    }

    #[test]
    fn who_measures_its_clock_measures_it_once_more() {
        let now = Instant::now();
        let open = |report| a_clock_is_open(&roster(vec![report], now), &a_plan_id());
        let mut measured = running("r1");
        assert!(!open(measured.clone()), "an unmeasured clock");
        measured.start.as_mut().unwrap().clock_error = Some(Duration::from_millis(1));
        assert!(open(measured.clone()));
        measured.phase = Phase::Finished;
        assert!(!open(measured), "its last word");
    }

    #[test]
    fn where_another_scheduler_counted_the_number_decides() {
        let roster = roster(vec![running("r1"), running("r2")], Instant::now());
        assert!(is_settled(&roster, &Expected::Number(2), &a_plan_id()));
        assert!(!is_settled(&roster, &Expected::Number(3), &a_plan_id()));
    }

    #[test]
    fn who_ended_before_the_start_does_not_stand_in_for_one_in_doubt() {
        let reports = vec![
            running("r1"),
            a_report("r2", Phase::Failed),
            a_report("r3", Phase::Armed),
        ];
        let roster = roster(reports, Instant::now());
        assert!(!is_settled(&roster, &Expected::Number(2), &a_plan_id()));
    }

    #[test]
    fn a_runner_is_lost_after_two_renewals_of_silence() {
        let now = Instant::now();
        let roster = roster(vec![running("r1")], now);
        let lost_at = |at: Instant, clear_since: Option<Instant>| {
            let sight = Sight {
                now: at,
                clear_since,
                ..sight(at)
            };
            assert_eq!(
                is_over(&roster, &sight),
                lost(roster.get(&runner("r1")).unwrap(), &sight).is_some()
            );
            lost(roster.get(&runner("r1")).unwrap(), &sight)
        };
        assert_eq!(lost_at(now + OVERDUE, Some(now)), None);
        let later = now + OVERDUE + seconds(1);
        assert_eq!(lost_at(later, Some(now)), Some(OVERDUE + seconds(1)));
        assert_eq!(lost_at(later, None), None, "while the store is away");
        assert_eq!(
            lost_at(later, Some(now + seconds(10))),
            None,
            "soon after it came back"
        );
    }

    #[test]
    fn who_has_ended_is_never_lost() {
        let now = Instant::now();
        let roster = roster(vec![a_report("r1", Phase::Finished)], now);
        let sight = Sight {
            clear_since: Some(now),
            ..sight(now + seconds(1_000))
        };
        assert_eq!(lost(roster.get(&runner("r1")).unwrap(), &sight), None);
        assert!(is_over(&roster, &sight));
    }
}
