//! What the scheduler says when somebody else meddles with its run.
#![allow(clippy::unwrap_used)]

use std::fs;

use rendezvous::Phase;
use support::{
    fake_k6::{Behaviour, FakeK6},
    process::Running,
    runner::{Launch, Runner, SOON},
    scheduler::{command_for, ended},
    stage::Stage,
    wait,
};

fn runner<'a>(stage: &'a Stage, k6: &FakeK6, name: &str) -> Runner<'a> {
    let launch = Launch::new(stage, name).fake_k6(k6);
    launch.start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()])
}

fn scheduler(stage: &Stage, command: &str, options: &[&str]) -> Running {
    command_for(stage, command).args(options).start()
}

/// Waits for its end, and checks its code and the words of its result.
fn assert_result(scheduler: &Running, code: i32, words: &str) {
    let ended = ended(scheduler);
    ended.assert(code);
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
}

fn new_stage() -> (Stage, FakeK6) {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    (stage, k6)
}

fn wait_for_plan(stage: &Stage) {
    wait::until("a plan", SOON, || stage.plan_file().exists().then_some(()));
}

#[test]
fn a_plan_that_is_removed_while_it_gathers_is_written_again() {
    let (stage, k6) = new_stage();
    let first = runner(&stage, &k6, "a");
    let start = scheduler(&stage, "start", &["--runners", "2", "--lead", "1s"]);
    // By then the scheduler has seen its own plan stand there.
    start.wait_for_line("1/2 ready", SOON);
    fs::remove_file(stage.plan_file()).unwrap();
    start.wait_for_line(
        "the plan was removed from the store; writing it again",
        SOON,
    );
    wait_for_plan(&stage);
    let second = runner(&stage, &k6, "b");
    let ended = ended(&start);
    let told = ended.assert(0).assert_told("start set for ");
    assert!(told.stderr.contains(" with 2 runners"), "{}", told.stderr);
    first.ended(SOON).assert(Phase::Finished, 0);
    second.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn a_plan_that_is_removed_after_its_instant_was_set_moves_nobody() {
    let (stage, k6) = new_stage();
    let runner = runner(&stage, &k6, "a");
    runner.wait_for_phase(Phase::Ready, SOON);
    let start = scheduler(
        &stage,
        "start",
        &["--runners", "1", "--lead", "5s", "--wait"],
    );
    runner.wait_for_phase(Phase::Armed, SOON);
    fs::remove_file(stage.plan_file()).unwrap();
    let words = "the plan was changed or removed after its instant was set; \
                 runners that are armed start all the same";
    start.wait_for_line(words, SOON);
    ended(&start).assert(0);
    runner.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn a_scheduler_that_is_told_another_number_says_whose_counts() {
    let (stage, _k6) = new_stage();
    let first = scheduler(&stage, "start", &["--runners", "2"]);
    wait_for_plan(&stage);
    let second = scheduler(&stage, "start", &["--runners", "3"]);
    second.wait_for_line(
        "a scheduler gathers for this run already, or did; going on with its plan",
        SOON,
    );
    let line = second.wait_for_line("this run's plan is for 2 runners", SOON);
    let rest = ": the plan stands, and the start is judged by the greater number of runners";
    assert!(
        line.contains(rest) && line.contains(", and this scheduler was told 3"),
        "{line}"
    );
    let abort = ended(&scheduler(&stage, "abort", &["--why", "enough"]));
    abort
        .assert(0)
        .assert_told(&format!("run {} is aborted in ", stage.run()));
    for scheduler in [&first, &second] {
        assert_result(
            scheduler,
            76,
            "the run was aborted by tminus-scheduler abort (process ",
        );
    }
}

#[test]
fn runners_are_told_which_process_called_their_run_off() {
    let (stage, k6) = new_stage();
    let runner = runner(&stage, &k6, "a");
    runner.wait_for_phase(Phase::Ready, SOON);
    let start = scheduler(&stage, "start", &["--runners", "2"]);
    start.wait_for_line("1/2 ready", SOON);
    start.signal(nix::sys::signal::Signal::SIGTERM);
    assert_result(&start, 76, "cancelled by SIGTERM");
    runner
        .ended(SOON)
        .assert(Phase::Aborted, 76)
        .assert_reason("aborted by tminus-scheduler (process ")
        .assert_reason("SIGTERM");
}
