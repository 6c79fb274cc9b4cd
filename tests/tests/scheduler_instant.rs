//! One instant a run, whatever happens to its schedulers; and what becomes of who misses it.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, thread::sleep, time::Duration};

use chrono::{DateTime, FixedOffset, SecondsFormat, SubsecRound, TimeDelta, Utc};
use nix::sys::signal::Signal;
use rendezvous::{Phase, Plan};
use rstest::rstest;
use serde_json::Value;
use support::{
    moment::Moment,
    process::Running,
    runner::{Runner, SOON},
    scheduler::{Run, SOONEST, assert_on_time, ended, time},
    wait,
};

fn plan(run: &Run) -> Plan {
    Plan::from_json(&fs::read_to_string(run.stage.plan_file()).unwrap()).unwrap()
}

fn kill(scheduler: Running) {
    scheduler.signal(Signal::SIGKILL);
    scheduler.wait(SOON);
}

/// The instant that a runner fired for, by its own word.
fn instant_of(runner: &Runner) -> DateTime<Utc> {
    let start = runner.report().unwrap().start.unwrap();
    start.fired_at - start.lateness
}

#[test]
fn a_scheduler_killed_while_it_gathers_goes_on_with_its_plan_when_run_again() {
    let run = Run::new();
    let (a, b) = (run.runner("a", "1s"), run.held("b"));
    let first = run.start(2, SOONEST);
    first.wait_for_line("1/2 ready, ", SOON);
    let gathering = plan(&run);
    kill(first);

    let second = run.start(2, SOONEST);
    second.wait_for_line(&format!("going on with its plan {}", gathering.id), SOON);
    run.release("b");
    let result = ended(&second).assert(0).result();
    let set = plan(&run);
    assert_eq!(set.id, gathering.id);
    assert_eq!(result.0["plan"], set.id.as_str());
    assert_eq!(result.start_at(), set.start_at());
    for runner in [&a, &b] {
        runner.ended(SOON).assert(Phase::Finished, 0);
        assert_eq!(Some(instant_of(runner)), set.start_at());
    }
    assert_on_time(&run.target, ["a", "b"], set.start_at().unwrap());
}

#[test]
fn the_instant_does_not_move_when_its_scheduler_is_killed_and_run_again() {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.runner(name, "12s"));
    let first = run.start(2, ["--lead", "6s"]);
    for runner in &runners {
        runner.wait_for_phase(Phase::Armed, SOON);
    }
    kill(first);
    let set = fs::read(run.stage.plan_file()).unwrap();

    // Other terms than the first had: too late.
    let second = run.start(2, ["--lead", "1h"]);
    second.wait_for_line("has set the instant; following it", SOON);
    for runner in &runners {
        runner.wait_for_phase(Phase::Running, SOON);
    }
    kill(second);
    let third = run.start(2, ["--lead", "1h"]);
    let instant = plan(&run).start_at().unwrap();
    for scheduler in [third, run.start(2, ["--lead", "1h"])] {
        let result = ended(&scheduler).assert(0).result();
        assert_eq!(result.start_at(), Some(instant));
        result
            .assert_ending("started", "")
            .assert_exit_codes(&[("a", 0), ("b", 0)]);
    }
    assert_eq!(fs::read(run.stage.plan_file()).unwrap(), set);
    assert_on_time(&run.target, ["a", "b"], instant);
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
        assert_eq!(instant_of(runner), instant);
    }
}

#[test]
fn a_start_that_was_over_is_shown_again_and_is_none() {
    let run = Run::new();
    let _a = run.runner("a", "1s");
    let first = ended(&run.start(1, SOONEST)).assert(0).result();
    let again = ended(&run.start(1, SOONEST)).assert(78).result();
    assert_eq!(again.start_at(), first.start_at());
    again.assert_exit_codes(&[("a", 0)]);
    let faults = again.0["faults"].to_string();
    assert!(faults.contains("a new run needs a new --run"), "{faults}");
}

#[test]
fn two_schedulers_at_once_set_one_instant() {
    for round in 0..10 {
        let run = Run::new();
        let runners = ["a", "b"].map(|name| run.launch(name).start(run.k6("one-iteration")));
        // Each would set another instant, and each round they meet at another step.
        let one = run.start(2, ["--lead", "1s"]);
        sleep(Duration::from_millis(20) * round);
        let other = run.start(2, ["--lead", "3s"]);
        let results = [one, other].map(|scheduler| ended(&scheduler).assert(0).result());
        let instants: BTreeSet<_> = results
            .iter()
            .map(|result| result.start_at().unwrap())
            .collect();
        let plans: BTreeSet<_> = results
            .iter()
            .map(|result| result.0["plan"].to_string())
            .collect();
        assert!(instants.len() == 1 && plans.len() == 1, "{results:#?}");
        let instant = *instants.first().unwrap();
        for runner in &runners {
            runner.ended(SOON).assert(Phase::Finished, 0);
            assert_eq!(instant_of(runner), instant);
        }
        assert_on_time(&run.target, ["a", "b"], instant);
    }
}

#[test]
fn where_the_scheduler_never_comes_back_the_runners_give_up_and_leave_no_k6() {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| {
        run.launch(name)
            .options(["--deadline", "2s"])
            .start(run.k6("one-is-different"))
    });
    let scheduler = run.start(3, ["--max-wait", "3s"]);
    scheduler.wait_for_line("2/3 ready, ", SOON);
    kill(scheduler);
    // They give a scheduler that has fallen silent half a minute to be run again.
    let limit = Duration::from_secs(30) + SOON;
    for runner in runners {
        runner
            .ended(limit)
            .assert(Phase::Refused, 75)
            .assert_reason("fell silent");
    }
    assert!(run.target.first_requests().is_empty());
}

#[test]
fn an_instant_that_is_asked_for_is_kept() {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.runner(name, "1s"));
    let at = Moment::now().utc + TimeDelta::milliseconds(5250);
    // To the nanosecond, and in whatever zone.
    let zone = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
    let asked = at
        .with_timezone(&zone)
        .to_rfc3339_opts(SecondsFormat::Nanos, false);
    let result = ended(&run.start(2, ["--at", &asked])).assert(0).result();
    assert_eq!(result.start_at(), Some(at));
    assert_on_time(&run.target, ["a", "b"], at);
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
        assert_eq!(instant_of(runner), at);
    }
}

#[rstest]
#[case::past(-60_000, "past by the runners' clocks")]
#[case::now(0, "past by the runners' clocks")]
#[case::too_near(900, "1s are needed to reach them all")]
#[case::days_away(3 * 86_400_000, "more than a day")]
fn an_instant_that_cannot_be_kept_is_refused_and_the_runners_are_told(
    #[case] milliseconds: i64,
    #[case] why: &str,
) {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.runner(name, "1s"));
    let asked = Moment::now().utc + TimeDelta::milliseconds(milliseconds);
    // As it is told, also where it is a whole second.
    let asked = asked.trunc_subsecs(3);
    let asked = asked.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let ended = ended(&run.start(2, ["--at", &asked]));
    ended
        .assert(75)
        .result()
        .assert_ending("instant_refused", why);
    for runner in runners {
        runner
            .ended(SOON)
            .assert(Phase::Aborted, 76)
            .assert_reason(&format!("the instant that was asked for ({asked})"));
    }
    assert!(run.target.first_requests().is_empty());
}

/// For how long another writer holds the plan: less than a writer's patience (5 s), and more than the lead and a second
/// of rounding after whatever the scheduler takes to see that the last runner is ready.
const HELD_UP: Duration = Duration::from_millis(4_200);

#[test]
fn an_instant_that_stands_in_the_store_too_late_to_be_heard_of_is_called_off() {
    let run = Run::new();
    let (a, b) = (run.runner("a", "1s"), run.held("b"));
    let scheduler = run.start(2, SOONEST);
    scheduler.wait_for_line("1/2 ready, ", SOON);
    run.release("b");
    b.wait_for_phase(Phase::Starting, SOON);
    // As a writer does that is stopped while it writes.
    let draft = run.stage.plan_file().with_file_name(".plan-main.json.tmp");
    let other = fs::File::create(draft).unwrap();
    other.try_lock().unwrap();
    b.wait_for_phase(Phase::Ready, SOON);
    sleep(HELD_UP);
    drop(other);

    let result = ended(&scheduler).assert(75).result();
    result.assert_ending("instant_refused", "when the store had it at last");
    let set = plan(&run).start_at();
    assert!(set.is_some() && result.start_at().is_none(), "{result:?}");
    for runner in [a, b] {
        // Whichever it reads first: the instant that is past, or that all is off.
        let ended = runner.ended(SOON);
        match ended.report.phase {
            Phase::Refused => ended.assert(Phase::Refused, 74),
            _ => ended.assert(Phase::Aborted, 76),
        };
    }
    assert!(run.target.first_requests().is_empty());
}

#[rstest]
#[case::is_refused("refuse", Phase::Refused, 74, 78)]
#[case::passes_without_load("skip", Phase::Skipped, 0, 0)]
#[case::joins_where_it_may("join", Phase::Finished, 0, 78)]
fn a_runner_that_comes_after_the_instant(
    #[case] policy: &str,
    #[case] phase: Phase,
    #[case] code: i32,
    #[case] of_scheduler: i32,
) {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.runner(name, "8s"));
    let scheduler = run.start(2, SOONEST.iter().chain(&["--late", policy]));
    for runner in &runners {
        runner.wait_for_phase(Phase::Running, SOON);
    }
    let instant = instant_of(&runners[0]);
    wait::until("more than the tolerance", SOON, || {
        (Moment::now().utc > instant + TimeDelta::seconds(1)).then_some(())
    });
    let late = run.runner("c", "1s");
    late.ended(SOON).assert(phase, code);

    let status = ended(&run.command("status").start());
    let status: Value = serde_json::from_str(&status.assert(0).stdout).unwrap();
    let shown = status["runners"].as_array().unwrap().iter();
    let shown: Vec<_> = shown.filter(|runner| runner["runner"] == "c").collect();
    assert_eq!(shown.len(), 1, "{status:#}");
    assert_eq!(
        (&shown[0]["phase"], &shown[0]["exit_code"]),
        (&phase.to_string().into(), &code.into())
    );
    assert_eq!(time(&status["plan"]["start_at"]), Some(instant));

    let result = ended(&scheduler).assert(of_scheduler).result();
    result.assert_exit_codes(&[("a", 0), ("b", 0), ("c", code.into())]);
    assert_eq!(result.start_at(), Some(instant));
    assert_eq!(run.target.load_count("c") > 0, phase == Phase::Finished);
}
