#![allow(clippy::unwrap_used)]
mod clocks;
mod ends;
mod pods;
mod restarts;

use super::*;
use crate::decide::muster::muster;
use crate::decide::started::Expected;
use crate::decide::timebase::Reading;
use crate::decide::witness::{Seen, Sighting};
use crate::testing::{
    a_clock, a_report, a_set_plan, a_start, agreed, aim, noon, run_id, runner, seconds, sight,
    stage,
};
use rendezvous::{Abort, Incarnation, Report};
use rstest::rstest;
use tokio::time::Instant;

struct Scenario {
    roster: Roster,
    began: Instant,
    after: Duration,
    waited: bool,
    followed: bool,
    replaced: BTreeSet<RunnerId>,
}

impl Scenario {
    /// Reports that were all seen live, and judged a second later.
    fn of(reports: Vec<Report>) -> Self {
        let (mut roster, began) = (Roster::default(), Instant::now());
        for report in reports {
            roster.report(report, true, began);
        }
        Self {
            roster,
            began,
            after: seconds(1),
            waited: false,
            followed: false,
            replaced: BTreeSet::new(),
        }
    }

    fn waited(mut self) -> Self {
        self.waited = true;
        self
    }

    fn judge(&self, ending: &Ending) -> Outcome {
        let now = self.began + self.after;
        let sight = Sight {
            clear_since: Some(self.began),
            ..sight(now)
        };
        judge(&Facts {
            run: &run_id(),
            stage: &stage(),
            wanted: 2,
            own_utc: noon() + TimeDelta::hours(25),
            waited: self.waited,
            followed: self.followed,
            replaced: &self.replaced,
            ending,
            roster: &self.roster,
            muster: &muster(&self.roster, &agreed(now), aim(), &sight),
            sight,
        })
    }
}

fn followed() -> Ending {
    let expected = Expected::Runners(vec![runner("r1"), runner("r2")]);
    followed_for(a_set_plan(), expected)
}

/// A start in which nobody contradicts anybody about the time.
fn followed_for(plan: Plan, expected: Expected) -> Ending {
    let time = agreed(Instant::now());
    Ending::Followed {
        plan,
        expected,
        time,
    }
}

fn impossible(ended: &[&str]) -> Ending {
    let ended = ended.iter().map(|name| runner(name)).collect();
    let why = "too many ended".to_owned();
    Ending::Impossible { ended, why }
}

fn running(name: &str, late_us: i64) -> Report {
    let mut report = a_report(name, Phase::Running);
    report.start = Some(a_start(late_us));
    report
}

fn ended(name: &str, phase: Phase, code: u8) -> Report {
    let mut report = a_report(name, phase);
    report.exit_code = Some(code);
    if phase == Phase::Finished {
        report.start = Some(a_start(0));
    }
    report
}

#[test]
fn a_start_of_all_on_time_is_well() {
    let outcome = Scenario::of(vec![running("r1", 120), running("r2", 400)]).judge(&followed());
    assert_eq!(outcome.code, Code::Well);
    assert_eq!(outcome.faults, [""; 0]);
    assert_eq!((outcome.started, outcome.wanted), (2, 2));
    let spread = outcome.spread.unwrap();
    assert_eq!(spread.measured, TimeDelta::microseconds(280));
    assert_eq!(outcome.rows[0].fate, Fate::Running);
}

#[rstest]
#[case::late(
    running("r2", 1_000_001),
    "r2 fired 1000.00 ms too late (tolerated: 1s)"
)]
#[case::early(running("r2", -2_000_000), "r2 fired 2000.00 ms too early (tolerated: 1s)")]
#[case::refused(
    ended("r2", Phase::Refused, 74),
    "r2 was counted on, but did not start: refused"
)]
#[case::skipped(
    ended("r2", Phase::Skipped, 0),
    "r2 was counted on, but did not start: skipped"
)]
#[case::never_fired(
    a_report("r2", Phase::Armed),
    "r2 was counted on, but did not start: armed"
)]
fn what_is_not_well_is_named(#[case] second: Report, #[case] fault: &str) {
    let outcome = Scenario::of(vec![running("r1", 0), second]).judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    assert!(
        outcome.faults.iter().any(|found| found == fault),
        "{:?}",
        outcome.faults
    );
}

#[test]
fn a_start_that_k6_did_not_confirm_is_not_well() {
    let mut unconfirmed = running("r2", 0);
    unconfirmed.phase = Phase::Fired;
    unconfirmed.start.as_mut().unwrap().running_at = None;
    let outcome = Scenario::of(vec![running("r1", 0), unconfirmed]).judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(outcome.faults, ["r2: fired, but k6 was not seen running"]);
}

#[rstest]
#[case::failed(Phase::Failed, "r2: failed: it was frozen", 78)]
#[case::ended_before_anybody_looked(Phase::Finished, "", 0)]
fn a_start_that_came_to_nothing_is_not_well_without_waiting_either(
    #[case] phase: Phase,
    #[case] fault: &str,
    #[case] code: u8,
) {
    let mut frozen = ended("r2", phase, 74);
    frozen.reason = Some("it was frozen".to_owned());
    frozen.start = Some(a_start(0));
    frozen.start.as_mut().unwrap().running_at = None;
    let outcome = Scenario::of(vec![running("r1", 0), frozen]).judge(&followed());
    assert_eq!(outcome.code.number(), code);
    assert_eq!(outcome.faults.join("; "), fault);
}

#[test]
fn two_processes_under_one_runner_id_are_not_well() {
    let mut scenario = Scenario::of(vec![running("r1", 0), running("r2", 0)]);
    let mut twin = running("r2", 0);
    twin.incarnation = Incarnation::random();
    for report in [twin, running("r2", 0)] {
        scenario.roster.report(report, true, scenario.began);
    }
    let outcome = scenario.judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    assert!(
        outcome.faults[0].starts_with("r2: two processes"),
        "{:?}",
        outcome.faults
    );
}

/// A start that another scheduler set, of reports that were seen to change or only found.
fn adopted(reports: Vec<Report>, live: bool, waited: bool) -> Outcome {
    let (plan, expected) = (a_set_plan(), Expected::Number(2));
    let mut scenario = Scenario::of(Vec::new());
    for report in reports {
        scenario.roster.report(report, live, scenario.began);
    }
    scenario.waited = waited;
    scenario.judge(&followed_for(plan, expected))
}

#[rstest]
#[case::well(0, false, 78)]
#[case::well_to_its_end(0, true, 78)]
#[case::a_threshold(99, true, 99)]
fn a_start_that_was_over_before_is_shown_and_is_none(
    #[case] code: u8,
    #[case] waited: bool,
    #[case] expected: u8,
) {
    let reports = || {
        ["r1", "r2"]
            .map(|name| ended(name, Phase::Finished, code))
            .to_vec()
    };
    let outcome = adopted(reports(), false, waited);
    assert_eq!(outcome.code.number(), expected);
    assert_eq!(
        outcome.faults,
        [
            "this run started at 2026-03-01T12:00:00Z, 1day 1h ago by this machine's clock; \
          its result is shown again, and a new run needs a new --run"
        ]
    );
    assert_eq!(
        adopted(reports(), true, false).code,
        Code::Well,
        "seen to end"
    );
}

#[test]
fn one_that_is_seen_to_run_vouches_for_the_start() {
    let outcome = adopted(vec![running("r1", 0), running("r2", 0)], true, false);
    assert_eq!((outcome.code, outcome.faults.len()), (Code::Well, 0));
}

#[test]
fn the_greater_number_of_runners_is_the_one_that_was_wanted() {
    for plans in [1, 4] {
        let mut plan = a_set_plan();
        plan.runners_wanted = plans;
        let expected = Expected::Number(1);
        let outcome = Scenario::of(vec![running("r1", 0)]).judge(&followed_for(plan, expected));
        assert_eq!(
            (outcome.code, outcome.wanted),
            (Code::NotWell, plans.max(2))
        );
    }
}

#[test]
fn the_plans_own_tolerance_rules() {
    let mut plan = a_set_plan();
    plan.terms.late_tolerance = Some(Duration::from_millis(10));
    let expected = Expected::Number(2);
    let ending = followed_for(plan, expected);
    let late = |us| Scenario::of(vec![running("r1", 0), running("r2", us)]).judge(&ending);
    assert_eq!(late(10_000).code, Code::Well);
    assert_eq!(late(10_001).code, Code::NotWell);
}

#[test]
fn a_start_with_fewer_than_wanted_is_not_well() {
    let expected = Expected::Runners(vec![runner("r1")]);
    let ending = followed_for(a_set_plan(), expected);
    let outcome = Scenario::of(vec![running("r1", 0)]).judge(&ending);
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(outcome.faults, ["only 1 of 2 runners started"]);
}

#[test]
fn surplus_runners_are_listed_and_do_no_harm() {
    let all = vec![running("r1", 0), running("r2", 0), running("r3", 0)];
    let outcome = Scenario::of(all).judge(&followed());
    assert_eq!((outcome.code, outcome.started), (Code::Well, 3));
    assert_eq!(outcome.rows.len(), 3);
}

#[test]
fn a_start_under_another_plan_is_none() {
    let mut other = running("r2", 0);
    other.plan = Some(PlanId::random());
    let outcome = Scenario::of(vec![running("r1", 0), other]).judge(&followed());
    assert_eq!((outcome.code, outcome.started), (Code::NotWell, 1));
}

#[test]
fn what_became_of_a_runner_is_not_said_twice() {
    let aborted = Fate::Ended(
        Some(Phase::Aborted),
        Some("aborted by me: enough".to_owned()),
    );
    assert_eq!(aborted.to_string(), "aborted: by me: enough");
    let failed = Fate::Ended(Some(Phase::Failed), Some("k6 ended".to_owned()));
    assert_eq!(failed.to_string(), "failed: k6 ended");
}

#[test]
fn where_nothing_started_each_runner_says_where_it_stood() {
    let mut building = a_report("r2", Phase::Starting);
    building.waiting_for = Some("setup()".to_owned());
    let scenario = Scenario::of(vec![a_report("r1", Phase::Ready), building]);
    let outcome = scenario.judge(&Ending::TimedOut {
        after: seconds(900),
        missing: "1/2 ready".to_owned(),
    });
    let fates: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| row.fate.to_string())
        .collect();
    assert_eq!(fates, ["ready", "waiting for setup()"]);
}
