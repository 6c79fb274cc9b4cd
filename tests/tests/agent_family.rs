//! What k6 has started in turn is the agent's, too: signals reach it, it ends with k6, and with the agent.
#![allow(clippy::unwrap_used)]

use std::{fs, time::Duration};

use nix::{
    sys::signal::{SigSet, Signal, kill},
    unistd::Pid,
};
use procfs::process::{Process, all_processes};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    mark::Marked,
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
    wrapped_k6::WrappedK6,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

/// Stays, with the real k6 as its child, and passes the child's code on; notes each signal that ends no run.
const LAUNCHER: &str = r#"
    trap : TERM INT
    for signal in USR1 USR2 WINCH; do trap "echo $signal >>$NOTES" $signal; done
    "$WRAPPED_PROGRAM" "$@" &
    while wait $!; code=$?; kill -0 $! 2>/dev/null; do :; done
    exit $code
"#;

fn launch<'a>(stage: &'a Stage, target: &Target, k6: &WrappedK6) -> Launch<'a> {
    k6.environment(Launch::new(stage, RUNNER))
        .env("TARGET", target.url())
        .env("DURATION", "5m")
        .env("NOTES", notes(stage))
}

fn notes(stage: &Stage) -> std::path::PathBuf {
    stage.scratch().path().join("notes")
}

fn run(runner: &Runner, stage: &Stage) {
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(Phase::Running, SOON);
}

fn launcher(runner: &Runner) -> Marked {
    let mut found = runner.process().descendants();
    found.retain(|process| process.name == "wrapped-k6.sh");
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[rstest]
fn signals_that_end_no_run_are_passed_on_once_to_all_of_k6(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = WrappedK6::new(&stage, &k6).before(LAUNCHER);
    let runner = launch(&stage, &target, &k6).start(k6_run(&k6.path(), &[], "setup"));
    run(&runner, &stage);
    let mut expected = String::new();
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGWINCH] {
        runner.process().signal(signal);
        expected += &format!("{}\n", &signal.as_str()["SIG".len()..]);
        wait::until("the launcher to note it", SOON, || {
            (fs::read_to_string(notes(&stage)).ok()? == expected).then_some(())
        });
    }
    runner.process().signal(Signal::SIGTERM);
    runner.ended(SOON).assert(Phase::Aborted, 105);
    assert_eq!(fs::read_to_string(notes(&stage)).unwrap(), expected);
    assert_eq!(target.teardown_count(RUNNER), 1);
}

#[test]
fn k6_gets_the_signal_mask_that_the_agent_was_started_with() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = WrappedK6::new(&stage, &k6).before(LAUNCHER);
    let mask = SigSet::from_iter([Signal::SIGTERM, Signal::SIGUSR2, Signal::SIGVTALRM]);
    let before = SigSet::thread_get_mask().unwrap();
    mask.thread_block().unwrap();
    let runner = launch(&stage, &target, &k6).start(k6_run(&k6.path(), &[], "setup"));
    before.thread_set_mask().unwrap();
    runner.wait_for_phase(Phase::Ready, SOON);
    let held_back = |id: Pid| Process::new(id.as_raw()).unwrap().status().unwrap().sigblk;
    let expected: u64 = mask.iter().map(|signal| 1_u64 << (signal as u32 - 1)).sum();
    assert_eq!(held_back(launcher(&runner).id), expected);
    // The agent itself minds them all the same.
    runner.process().signal(Signal::SIGTERM);
    runner.process().signal(Signal::SIGTERM);
    let ended = runner.ended(SOON);
    ended.assert_reason("SIGTERM received");
}

#[rstest]
fn what_has_left_k6s_group_is_ended_with_it_and_what_it_left_before_is_collected(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    // The shells in between end at once, so that the sleepers have lost their parents.
    let before = "(setsid sleep 600 &); (setsid sh -c 'sleep 601 & sleep 602' &); (sleep 0.1 &)";
    let k6 = WrappedK6::new(&stage, &k6).before(before);
    let runner = launch(&stage, &target, &k6).start(k6_run(&k6.path(), &[], "threshold-fails"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let sleepers = || {
        let mut found = runner.process().descendants();
        found.retain(|process| process.name == "sleep");
        found.len()
    };
    wait::until("the sleepers", SOON, || (sleepers() == 3).then_some(()));
    let agent = runner.process().id().as_raw();
    wait::until("no zombie", SOON, || {
        let all = all_processes().unwrap().flatten();
        let mut children = all
            .filter_map(|process| process.stat().ok())
            .filter(|stat| stat.ppid == agent);
        children.all(|stat| stat.state != 'Z').then_some(())
    });
    stage.set_in(LEAD);
    // It checks that nothing is left.
    runner.ended(SOON).assert(Phase::Finished, 99);
}

#[rstest]
fn an_agent_that_is_killed_takes_along_what_a_launcher_has_started(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(Phase::Ready, Phase::Running)] phase: Phase,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = WrappedK6::new(&stage, &k6).before(LAUNCHER);
    let runner = launch(&stage, &target, &k6).start(k6_run(&k6.path(), &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    if phase == Phase::Running {
        stage.set_in(LEAD);
        runner.wait_for_phase(phase, SOON);
    }
    runner.process().signal(Signal::SIGKILL);
    assert_eq!(runner.process().wait(SOON).signal, Some(Signal::SIGKILL));
    runner.process().assert_nothing_left();
}

#[test]
fn a_guard_that_is_gone_is_missed_by_nobody() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let mut guards = runner.process().descendants();
    guards.retain(|process| process.name == "tminus-guard");
    assert_eq!(guards.len(), 1, "{guards:?}");
    // Only this ends it before its time.
    kill(guards[0].id, Signal::SIGTERM).unwrap();
    kill(guards[0].id, Signal::SIGKILL).unwrap();
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
fn an_api_is_ours_also_where_who_started_its_k6_has_ended(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    // k6 has lost its parent, and stays in the group.
    let detached = r#"
        ("$WRAPPED_PROGRAM" "$@" & echo $! >"$NOTES")
        while kill -0 $(cat "$NOTES") 2>/dev/null; do sleep 0.05; done
        exit 0
    "#;
    let k6 = WrappedK6::new(&stage, &k6).before(detached);
    let runner = launch(&stage, &target, &k6).start(k6_run(&k6.path(), &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}
