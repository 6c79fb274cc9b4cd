//! Plans that a runner must not start by, and what it does instead; where it can be told beforehand, without
//! having started k6 at all.
#![allow(clippy::unwrap_used)]

use std::{fs, time::Duration};

use chrono::TimeDelta;
use rendezvous::{
    ClockReport, Incarnation, Phase, Plan, PlanId, Report, RunId, RunnerId, StageName,
};
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, Event, FakeK6},
    moment::Moment,
    programs::{self, K6},
    runner::{Ended, Launch, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
    wrapped_k6::WrappedK6,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

/// Runs an agent to its end that must not start k6.
fn end_without_k6(stage: &Stage, options: &[&str]) -> Ended {
    let k6 = WrappedK6::new(stage, &programs::fake_k6());
    let runner = k6
        .environment(Launch::new(stage, RUNNER))
        .options(options)
        .start(k6_run(&k6.path(), &[], "one-iteration"));
    let ended = runner.ended(SOON);
    assert!(k6.starts().is_empty(), "k6 was started");
    ended
}

/// What an earlier process of the runner left when it had got so far by this plan.
fn earlier(plan: &Plan, phase: Phase) -> Report {
    Report {
        run: plan.run.clone(),
        stage: plan.stage.clone(),
        runner: RunnerId::new(RUNNER).unwrap(),
        name: RUNNER.to_owned(),
        node: None,
        container: None,
        incarnation: Incarnation::random(),
        sequence: 5,
        phase,
        plan: Some(plan.id.clone()),
        armed: !matches!(phase, Phase::Starting | Phase::Ready),
        clock: ClockReport {
            utc: Moment::now().utc,
            error: None,
            source: "system clock".to_owned(),
            offset: None,
            used: Vec::new(),
            rejected: Vec::new(),
        },
        vus: Some(1),
        waiting_for: None,
        setup_took: None,
        start: None,
        exit_code: phase.is_final().then_some(99),
        reason: None,
        k6_errors: Vec::new(),
    }
}

#[rstest]
fn a_plan_of_another_run_is_none_and_is_obeyed_once_it_has_been_replaced(
    #[values(-86_400_000, 300)] millis: i64,
) {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let foreign = Moment::now().utc + TimeDelta::milliseconds(millis);
    stage.write(&Plan {
        run: RunId::random(),
        id: PlanId::random(),
        ..stage.plan_for(foreign)
    });
    stage.abort_another_run();
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .start(k6_run(&k6, &[], "one-iteration"));
    let ready = runner.wait_for_phase(Phase::Ready, SOON);
    assert_eq!((ready.plan, ready.armed), (None, false));
    let waiting_for = ready.waiting_for.unwrap();
    assert!(waiting_for.contains("of run"), "{waiting_for}");

    let instant = stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    let load = target.first_requests()[RUNNER];
    assert_eq!(load.count, 1);
    assert!(load.first.utc >= instant - TimeDelta::milliseconds(1));
}

#[test]
fn a_plan_of_another_stage_is_none() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let warmup = Moment::now().utc + LEAD;
    stage.write(&Plan {
        stage: StageName::new("warmup").unwrap(),
        ..stage.plan_for(warmup)
    });
    wait::until("the other stage's instant", SOON, || {
        (Moment::now().utc > warmup + LEAD).then_some(())
    });
    assert_eq!(runner.report().unwrap().phase, Phase::Ready);
    assert!(target.first_requests().is_empty());

    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
fn a_stage_that_an_earlier_process_used_up_is_refused_without_k6(
    #[values(Phase::Armed, Phase::Fired, Phase::Running, Phase::Finished)] phase: Phase,
    #[values("refuse", "join")] late: &str,
) {
    let stage = Stage::new();
    // Within the tolerance: but for the report, the runner would start.
    let instant = stage.set_ago(Duration::from_millis(100));
    stage.publish(&earlier(&stage.plan_for(instant), phase));
    let ended = end_without_k6(&stage, &["--late", late, "--late-tolerance", "1h"]);
    ended
        .assert(Phase::Refused, 77)
        .assert_reason("used the stage up");
    // What comes after it must know, too.
    assert!(ended.report.armed);
    end_without_k6(&stage, &["--late", late]).assert(Phase::Refused, 77);
}

#[test]
fn a_stage_that_was_used_up_can_be_passed_over() {
    let stage = Stage::new();
    let instant = stage.set_ago(Duration::from_millis(100));
    stage.publish(&earlier(&stage.plan_for(instant), Phase::Finished));
    end_without_k6(&stage, &["--late", "skip"])
        .assert(Phase::Skipped, 0)
        .assert_reason("used the stage up");
}

#[test]
fn a_plan_that_an_earlier_process_has_only_seen_is_not_used_up() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let instant = stage.set_ago(Duration::from_millis(100));
    stage.publish(&earlier(&stage.plan_for(instant), Phase::Ready));
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--late-tolerance", "1h"])
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
fn who_comes_too_late_is_refused_or_passed_over_without_k6(
    #[values(2, 600)] seconds: u64,
    #[values(("refuse", Phase::Refused, 74), ("skip", Phase::Skipped, 0))] policy: (
        &str,
        Phase,
        i32,
    ),
) {
    let (late, phase, code) = policy;
    let stage = Stage::new();
    stage.set_ago(Duration::from_secs(seconds));
    end_without_k6(&stage, &["--late", late])
        .assert(phase, code)
        .assert_reason("after the instant");
}

#[test]
fn the_plans_own_policy_holds_where_the_runner_has_none() {
    let stage = Stage::new();
    let mut plan = stage.plan_for(Moment::now().utc - TimeDelta::seconds(10));
    plan.terms.late = Some(rendezvous::LatePolicy::Skip);
    stage.write(&plan);
    end_without_k6(&stage, &[]).assert(Phase::Skipped, 0);
    end_without_k6(&stage, &["--late", "refuse"]).assert(Phase::Refused, 74);
}

#[rstest]
fn who_comes_late_and_joins_starts_at_once_and_says_how_late(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(2, 600)] seconds: u64,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let instant = stage.set_ago(Duration::from_secs(seconds));
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--late", "join"])
        .start(k6_run(&k6, &[], "one-iteration"));
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    let start = ended.report.start.unwrap();
    assert_eq!(start.lateness, start.fired_at - instant);
    assert!(start.lateness >= TimeDelta::seconds(seconds.try_into().unwrap()));
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
fn a_ready_runner_starts_at_once_by_an_instant_that_is_just_past(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(0, 10)] millis: u64,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--late-tolerance", "10s"])
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let instant = stage.set_ago(Duration::from_millis(millis));
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    let start = ended.report.start.unwrap();
    println!(
        "{millis} ms past when it was written, fired at {} after the instant",
        start.lateness
    );
    assert_eq!(start.lateness, start.fired_at - instant);
    assert!(start.lateness >= TimeDelta::milliseconds(millis.try_into().unwrap()));
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
fn a_ready_runner_that_is_told_too_late_makes_no_load(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(2, 600)] seconds: u64,
    #[values(("refuse", Phase::Refused, 74), ("skip", Phase::Skipped, 0))] policy: (
        &str,
        Phase,
        i32,
    ),
) {
    let Some(k6) = k6.program() else { return };
    let (late, phase, code) = policy;
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--late", late])
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_ago(Duration::from_secs(seconds));
    runner.ended(SOON).assert(phase, code);
    assert!(target.first_requests().is_empty());
}

#[test]
fn a_run_that_is_aborted_already_is_not_begun() {
    let stage = Stage::new();
    stage.set_in(Duration::from_secs(600));
    stage.abort("not today");
    end_without_k6(&stage, &[])
        .assert(Phase::Aborted, 76)
        .assert_reason("not today");
}

#[test]
fn an_earlier_report_of_another_run_says_nothing() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let instant = stage.set_ago(Duration::from_millis(100));
    stage.publish(&Report {
        run: RunId::random(),
        ..earlier(&stage.plan_for(instant), Phase::Finished)
    });
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--late-tolerance", "1h"])
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[test]
fn an_earlier_report_that_cannot_be_read_keeps_the_runner_from_starting() {
    let stage = Stage::new();
    let id = RunnerId::new(RUNNER).unwrap();
    let instant = stage.set_ago(Duration::from_millis(100));
    stage.publish(&earlier(&stage.plan_for(instant), Phase::Finished));
    let whole = fs::read_to_string(stage.report_file(&id)).unwrap();
    fs::write(stage.report_file(&id), &whole[..whole.len() / 2]).unwrap();

    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .options(["--late-tolerance", "1h"])
        .start(k6_run(&k6.program(), &[], "one-iteration"));
    let line = runner.process().wait_for_line("the report in", SOON);
    assert!(line.contains("cannot be read"), "{line}");
    // Once it can be read, it counts.
    fs::write(stage.report_file(&id), whole).unwrap();
    runner.ended(SOON).assert(Phase::Refused, 77);
    assert!(k6.requests("PATCH /v1/status").iter().all(|it| {
        matches!(&it.event, Event::Request { body, .. } if body.contains("stopped"))
    }));
}
