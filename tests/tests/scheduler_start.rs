//! `start` with real agents and the real k6: who counts for the quorum.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use rendezvous::{Phase, RunId};
use serde_json::Value;
use support::{
    moment::Moment,
    process::{Program, Running},
    programs,
    runner::{Runner, SOON},
    scheduler::{Run, SOONEST, assert_on_time, ended},
    stage::Stage,
    wait,
};

/// How long a report stays fresh, and a little more.
const STALE_AFTER: Duration = Duration::from_secs(60);

fn wait_for_ready(runners: &[Runner]) {
    for runner in runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
}

/// Kills an agent as a machine does that has no memory left: it can do nothing about it.
fn kill(runner: Runner) {
    runner.process().signal(Signal::SIGKILL);
    runner.process().wait(SOON);
    runner.process().assert_nothing_left();
}

/// A runner of another run in the same store.
fn stranger(run: &Run, name: &str) -> Running {
    let stranger = Program::new(programs::agent())
        .args([
            "--store",
            &format!("dir:{}", run.stage.directory().display()),
        ])
        .args(["--run", RunId::random().as_str(), "--runner", name, "--"])
        .args(run.k6("one-iteration"))
        .env("TARGET", run.target.url())
        .start();
    stranger.wait_for_line("phase=ready", SOON);
    stranger
}

#[test]
fn without_wait_it_is_done_once_all_run() {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.runner(name, "8s"));
    let scheduler = run
        .command("start")
        .args(["--runners", "2"])
        .args(SOONEST)
        .start();
    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    result.assert_ending("started", "started");
    for name in ["a", "b"] {
        let runner = result.runner(name).unwrap();
        assert_eq!(
            (&runner["state"], &runner["exit_code"]),
            (&"running".into(), &Value::Null)
        );
    }
    let running = runners.each_ref().map(|it| it.process().exited().is_none());
    assert_eq!(running, [true, true], "the scheduler waited");
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
}

#[test]
fn what_another_run_left_in_the_store_does_no_harm() {
    let (run, other) = (Run::new(), Stage::new());
    run.stage
        .write(&other.plan_for(Moment::now().utc + TimeDelta::hours(1)));
    run.stage.abort_another_run();
    let _a = run.runner("a", "1s");
    let scheduler = run.start(1, SOONEST);
    let ended = ended(&scheduler);
    let replaced = format!("replacing the plan that run {} left", other.run());
    let result = ended.assert(0).assert_told(&replaced).result();
    assert_on_time(&run.target, ["a"], result.start_at().unwrap());
}

#[test]
fn where_the_quorum_does_not_come_those_that_wait_are_told_and_end_at_once() {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.runner(name, "1s"));
    let stranger = stranger(&run, "c");
    let ended = ended(&run.start(3, ["--max-wait", "5s"]));
    ended
        .assert(75)
        .assert_told("2/3 ready, ")
        .assert_told("1 not heard of yet");
    let result = ended.result();
    result.assert_ending("quorum_timed_out", "the quorum did not come within 5s");
    assert!(result.start_at().is_none() && result.runner("c").is_none());
    for runner in runners {
        let told = runner.ended(SOON);
        told.assert(Phase::Aborted, 76)
            .assert_reason("the quorum did not come within 5s");
        println!(
            "{:?} after the scheduler",
            told.exit.at.monotonic - ended.exit.at.monotonic
        );
        assert_eq!(run.target.teardown_count(told.report.runner.as_str()), 1);
    }
    assert!(run.target.first_requests().is_empty());
    assert!(stranger.exited().is_none(), "another run was aborted");
}

#[test]
fn the_minimum_starts_when_the_grace_period_is_over_and_who_is_missing_is_told() {
    let run = Run::new();
    let (a, _b, c) = (run.runner("a", "9s"), run.runner("b", "9s"), run.held("c"));
    let options = ["--min-runners", "2", "--grace-period", "2s"];
    let scheduler = run.start(3, SOONEST.iter().chain(&options));
    let both = scheduler.wait_for_line("2/3 ready, ", SOON);
    assert!(both.contains("c: "), "{both}");
    let start = a.wait_for_phase(Phase::Running, SOON).start.unwrap();
    wait::until("more than the tolerance", SOON, || {
        (Moment::now().utc > start.fired_at + TimeDelta::seconds(1)).then_some(())
    });
    run.release("c");
    c.ended(SOON).assert(Phase::Refused, 74);

    let ended = ended(&scheduler);
    let result = ended.assert(78).result();
    result
        .assert_ending("started", "")
        .assert_exit_codes(&[("a", 0), ("b", 0), ("c", 74)]);
    assert!(
        result.0["faults"]
            .to_string()
            .contains("only 2 of 3 runners started")
    );
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
}

#[test]
fn the_grace_period_is_not_waited_out_where_all_are_there() {
    let run = Run::new();
    let (_a, _b) = (run.runner("a", "1s"), run.held("b"));
    let options = ["--min-runners", "1", "--grace-period", "10m"];
    let scheduler = run.start(2, SOONEST.iter().chain(&options));
    scheduler.wait_for_line("1/2 ready, ", SOON);
    run.release("b");
    let result = ended(&scheduler).assert(0).result();
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
}

#[test]
fn a_runner_counts_that_is_ready_shortly_before_the_deadline() {
    let run = Run::new();
    let _a = run.runner("a", "1s");
    let _b = run
        .launch("b")
        .env("ONE", "b")
        .env("WHAT", "slow setup")
        .env("DELAY", "7s")
        .start(run.k6("one-is-different"));
    wait::until("the last runner's setup()", SOON, || {
        (run.target.setup_count("b") == 1).then_some(())
    });
    let scheduler = run.start(2, SOONEST.iter().chain(&["--max-wait", "10s"]));
    let result = ended(&scheduler).assert(0).result();
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
}

#[test]
fn a_runner_too_many_starts_with_the_others_and_those_of_another_run_do_not() {
    let run = Run::new();
    let names = ["a", "b", "c", "d", "e"];
    let runners = names.map(|name| run.runner(name, "1s"));
    let stranger = stranger(&run, "f");
    wait_for_ready(&runners);
    let ended = ended(&run.start(4, SOONEST));
    let result = ended.assert(0).result();
    assert_on_time(&run.target, names, result.start_at().unwrap());
    result.assert_exit_codes(&names.map(|name| (name, 0)));
    assert_eq!(
        (&result.0["wanted"], &result.0["started"]),
        (&4.into(), &5.into())
    );
    for runner in runners {
        let report = runner.ended(SOON).report;
        let start = report.start.unwrap();
        assert_eq!(start.fired_at - start.lateness, result.start_at().unwrap());
    }
    assert!(stranger.exited().is_none() && stranger.stderr().contains("phase=ready"));
}

#[test]
fn a_runner_that_is_started_again_counts_once() {
    let run = Run::new();
    let (a, _b) = (run.runner("a", "1s"), run.runner("b", "1s"));
    let scheduler = run.start(3, SOONEST);
    scheduler.wait_for_line("2/3 ready, ", SOON);
    kill(a);
    let _a = run.held("a");
    scheduler.wait_for_line("a was started again; it had been ready", SOON);
    let line = scheduler.wait_for_line("1/3 ready, ", SOON);
    assert!(line.contains("a: "), "{line}");
    run.release("a");
    let _c = run.runner("c", "1s");
    let result = ended(&scheduler).assert(0).result();
    result.assert_exit_codes(&[("a", 0), ("b", 0), ("c", 0)]);
    assert_on_time(&run.target, ["a", "b", "c"], result.start_at().unwrap());
}

#[test]
fn what_a_dead_runner_said_before_the_scheduler_came_does_not_count() {
    let run = Run::new();
    let dead = run.runner("a", "1s");
    wait_for_ready(std::slice::from_ref(&dead));
    kill(dead);
    let ended = ended(&run.start(1, ["--max-wait", "3s"]));
    ended
        .assert(75)
        .assert_told("a: ready by a report of unknown age");
}

#[test]
fn a_ready_runner_that_falls_silent_does_not_count_any_more() {
    let run = Run::new();
    let (a, _b) = (run.runner("a", "1s"), run.held("b"));
    let scheduler = run.start(2, SOONEST);
    scheduler.wait_for_line("a is ready", SOON);
    kill(a);
    scheduler.wait_for_line("a: silent for", STALE_AFTER);
    run.release("b");
    wait::until("the other one counted alone", SOON, || {
        let told = scheduler.stderr();
        let mut lines = told.lines();
        lines.find_map(|line| {
            (line.starts_with("1/2 ready, ") && line.contains("a: silent")).then_some(())
        })
    });
    assert!(!scheduler.stderr().contains("start set for"));

    let _a = run.runner("a", "1s");
    let result = ended(&scheduler).assert(0).result();
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
}

#[test]
fn a_runner_that_dies_between_the_quorum_and_the_instant_is_told() {
    let run = Run::new();
    let (a, _b) = (run.runner("a", "1s"), run.runner("b", "1s"));
    let scheduler = run.start(2, ["--lead", "6s"]);
    a.wait_for_phase(Phase::Armed, SOON);
    kill(a);
    let limit = STALE_AFTER + SOON;
    let exit = scheduler.wait(limit);
    println!("{exit:?}\n{}\n{}", scheduler.stdout(), scheduler.stderr());
    let result = ended(&scheduler).assert(78).result();
    assert_on_time(&run.target, ["b"], result.start_at().unwrap());
    assert!(
        result.0["faults"]
            .to_string()
            .contains("a was counted on, but did not start")
    );
}

#[test]
fn a_runner_that_cannot_start_ends_the_wait_of_the_others() {
    let run = Run::new();
    let (a, c) = (run.runner("a", "1s"), run.runner("c", "1s"));
    let scheduler = run.start(3, ["--max-wait", "15m"]);
    scheduler.wait_for_line("2/3 ready, ", SOON);
    let b = run.launch("b").start(run.k6("syntax-error"));
    b.ended(SOON).assert(Phase::Failed, 107);
    let ended = ended(&scheduler);
    let result = ended.assert(107).assert_told("Unexpected token").result();
    result.assert_ending("quorum_impossible", "b ended");
    for runner in [a, c] {
        let told = runner.ended(SOON);
        told.assert(Phase::Aborted, 76).assert_reason("b ended");
    }
    assert!(run.target.first_requests().is_empty());
}

#[test]
fn a_runner_that_cannot_start_is_done_without_where_the_minimum_allows_it() {
    let run = Run::new();
    let _b = run.launch("b").start(run.k6("init-throws"));
    let _a = run.runner("a", "1s");
    let options = ["--min-runners", "1", "--grace-period", "1s"];
    let ended = ended(&run.start(2, SOONEST.iter().chain(&options)));
    let result = ended.assert(107).result();
    result
        .assert_ending("started", "")
        .assert_exit_codes(&[("a", 0), ("b", 107)]);
    assert_on_time(&run.target, ["a"], result.start_at().unwrap());
}
