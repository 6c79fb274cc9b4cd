//! A runner that is started again by whoever runs containers: the load is not made twice.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    moment::Moment,
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan, and to publish that it is armed before the quiet second.
const LEAD: Duration = Duration::from_millis(1500);

const RUNNER: &str = "runner-1";

fn launch<'a>(stage: &'a Stage, target: &Target) -> Launch<'a> {
    Launch::new(stage, RUNNER)
        .env("TARGET", target.url())
        .env("DURATION", "1m")
}

/// Kills an agent as a machine does that has no memory left: it can do nothing about it.
fn kill(runner: Runner) {
    runner.process().signal(Signal::SIGKILL);
    runner.process().wait(SOON);
    // Its k6 goes with it, and so nothing makes load any more.
    runner.process().assert_nothing_left();
}

#[rstest]
fn a_runner_that_has_fired_does_not_run_again(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values("refuse", "join")] late: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(Phase::Running, SOON);
    kill(runner);
    let load = target.load_count(RUNNER);
    assert!(load > 0);

    for _ in 0..2 {
        let again = launch(&stage, &target)
            .options(["--late", late, "--late-tolerance", "1h"])
            .start(k6_run(&k6, &[], "setup"));
        again.ended(SOON).assert(Phase::Refused, 77);
        assert_eq!(target.load_count(RUNNER), load);
        assert_eq!(target.setup_count(RUNNER), 1);
    }
}

#[test]
fn a_runner_whose_run_has_failed_does_not_run_again() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let command = k6_run(&k6, &[], "threshold-fails");
    let runner = launch(&stage, &target).start(command.clone());
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 99);

    let again = launch(&stage, &target).start(command);
    again.ended(SOON).assert(Phase::Refused, 77);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[test]
fn a_runner_that_was_armed_before_the_instant_and_comes_back_after_it_does_not_run() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let command = k6_run(&k6, &[], "one-iteration");
    let runner = launch(&stage, &target).start(command.clone());
    runner.wait_for_phase(Phase::Ready, SOON);
    let instant = stage.set_in(Duration::from_secs(6));
    runner.wait_for_phase(Phase::Armed, SOON);
    kill(runner);
    wait::until("the instant", SOON, || {
        (Moment::now().utc > instant).then_some(())
    });
    // It cannot be told from one that was killed just after it had fired.
    let again = launch(&stage, &target)
        .options(["--late", "join"])
        .start(command);
    again.ended(SOON).assert(Phase::Refused, 77);
    assert_eq!(target.load_count(RUNNER), 0);
}

#[test]
fn a_runner_that_comes_back_before_the_instant_takes_part_once() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let command = k6_run(&k6, &[], "one-iteration");
    let runner = launch(&stage, &target).start(command.clone());
    runner.wait_for_phase(Phase::Ready, SOON);
    // Long enough for a k6 to come up meanwhile, on a busy machine.
    stage.set_in(Duration::from_secs(15));
    let first = runner.wait_for_phase(Phase::Armed, SOON);
    kill(runner);

    let again = launch(&stage, &target).start(command);
    let second = again.wait_for_report("a report of its own", SOON, |report| {
        report.incarnation != first.incarnation
    });
    assert!(!second.phase.is_final(), "{second:#?}");
    again.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
fn a_paused_k6_goes_with_its_agent(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    kill(runner);
}

#[rstest]
fn a_runner_that_fired_by_a_plan_from_the_last_moment_does_not_run_again(
    #[values("500ms ahead", "past")] when: &str,
) {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let options = ["--late", "join"];
    let runner = launch(&stage, &target)
        .options(options)
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    match when {
        "past" => stage.set_ago(Duration::from_secs(5)),
        _ => stage.set_in(Duration::from_millis(500)),
    };
    wait::until("the first request", SOON, || {
        (target.load_count(RUNNER) > 0).then_some(())
    });
    kill(runner);
    let load = target.load_count(RUNNER);

    let again = launch(&stage, &target)
        .options(options)
        .start(k6_run(&k6, &[], "setup"));
    again.ended(SOON).assert(Phase::Refused, 77);
    assert_eq!(target.load_count(RUNNER), load);
}

#[test]
fn a_second_process_of_one_runner_is_refused_and_leaves_the_first_alone() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], "one-iteration"));
    let ready = runner.wait_for_phase(Phase::Ready, SOON);

    let second = launch(&stage, &target).start(k6_run(&k6, &[], "one-iteration"));
    assert_eq!(second.process().wait(SOON).code, Some(77));
    let stderr = second.process().stderr();
    assert!(
        stderr.contains("another process is running runner-1"),
        "{stderr}"
    );
    second.process().assert_nothing_left();

    assert_eq!(runner.report().unwrap().incarnation, ready.incarnation);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}
