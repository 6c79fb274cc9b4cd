//! The agent as the first process of a container: signals have no effect on such a process unless it handles them,
//! and it inherits all processes that lose their parent.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use procfs::process::{Process, all_processes};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
    wrapped_k6::WrappedK6,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// How soon an orphan that has ended is to be collected, on a busy machine.
const COLLECTED_WITHIN: Duration = Duration::from_secs(5);

const RUNNER: &str = "runner-1";

/// Starts it in a process namespace of its own, as a container runtime does.
fn in_a_namespace(launch: Launch) -> Launch {
    launch.in_shell(if geteuid().is_root() {
        r#"exec unshare --pid --fork --mount-proc "$0" "$@""#
    } else {
        r#"exec unshare --user --map-root-user --pid --fork --mount-proc "$0" "$@""#
    })
}

/// The agent: the first process in there has a parent outside.
fn agent(runner: &Runner) -> Pid {
    wait::until("the agent as a process", SOON, || {
        let mut found = runner.process().descendants().into_iter();
        let id = found.find(|it| it.name == "tminus-agent")?.id;
        let status = Process::new(id.as_raw()).ok()?.status().ok()?;
        assert_eq!(status.nspid.unwrap().last(), Some(&1));
        Some(id)
    })
}

/// The children of a process, by name, and whether each has ended and was not collected.
fn children(parent: Pid) -> Vec<(String, bool)> {
    let all = all_processes().unwrap().flatten();
    all.filter_map(|process| process.stat().ok())
        .filter(|stat| stat.ppid == parent.as_raw())
        .map(|stat| (stat.comm, stat.state == 'Z'))
        .collect()
}

#[rstest]
#[case::terminate(Signal::SIGTERM, 105, 1)]
#[case::interrupt(Signal::SIGINT, 105, 1)]
#[case::hang_up(Signal::SIGHUP, 129, 0)]
#[case::quit(Signal::SIGQUIT, 2, 0)]
fn a_signal_reaches_k6_once_and_k6s_code_comes_out(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] signal: Signal,
    #[case] code: i32,
    #[case] teardowns: u64,
    #[values(Phase::Ready, Phase::Running)] phase: Phase,
) {
    let Some(k6) = k6.program() else { return };
    let loads = phase == Phase::Running;
    let (stage, target) = (Stage::new(), Target::start());
    // Orphans that end at once, and some that stay.
    let k6 = WrappedK6::new(&stage, &k6).before("(sleep 0.1 &); (setsid sleep 300 &)");
    let runner = k6
        .environment(in_a_namespace(Launch::new(&stage, RUNNER)))
        .env("TARGET", target.url())
        .env("DURATION", "5m")
        // A second signal would end k6 in the middle of it.
        .env("TEARDOWN", "/delay/1s")
        .start(k6_run(&k6.path(), &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    if loads {
        stage.set_in(LEAD);
    }
    runner.wait_for_phase(phase, SOON);
    let agent = agent(&runner);
    wait::until("no zombie", COLLECTED_WITHIN, || {
        let children = children(agent);
        children
            .iter()
            .all(|(_, has_ended)| !has_ended)
            .then_some(())
    });
    kill(agent, signal).unwrap();
    runner.ended(SOON).assert(Phase::Aborted, code);
    assert_eq!(target.load_count(RUNNER) > 0, loads);
    assert_eq!(target.teardown_count(RUNNER), teardowns);
}

#[test]
fn a_signal_is_not_lost_however_early_it_comes() {
    let Some(k6) = K6::V1.program() else { return };
    for _ in 0..20 {
        let (stage, target) = (Stage::new(), Target::start());
        let runner = in_a_namespace(Launch::new(&stage, RUNNER))
            .env("TARGET", target.url())
            .start(k6_run(&k6, &[], "one-iteration"));
        let agent = agent(&runner);
        // Before its first instruction no process can do anything about it.
        wait::until("the agent to mind its signals", SOON, || {
            let status = Process::new(agent.as_raw()).unwrap().status().unwrap();
            let minded = status.sigblk | status.sigcgt;
            (minded >> (Signal::SIGTERM as u32 - 1) & 1 == 1).then_some(())
        });
        kill(agent, Signal::SIGTERM).unwrap();
        let code = runner.process().wait(SOON).code.unwrap();
        // By how far k6 had got.
        assert!([143, 105, 76].contains(&code), "{code}");
        runner.process().assert_nothing_left();
    }
}

#[rstest]
fn orphans_are_collected_and_k6s_code_is_not_lost_with_them(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    // The subshells end at once, and leave the sleepers to whoever takes orphans.
    let wrapped = WrappedK6::new(&stage, &k6)
        .before("for i in 1 2 3 4 5; do (sleep 300 & sleep 0.$i &); done");
    let launch = in_a_namespace(Launch::new(&stage, RUNNER));
    let runner = wrapped
        .environment(launch)
        .env("TARGET", target.url())
        .start(k6_run(&wrapped.path(), &[], "threshold-fails"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let agent = agent(&runner);
    wait::until("the short sleepers' end", SOON, || {
        let sleepers = children(agent).into_iter();
        let sleepers = sleepers.filter(|(name, _)| name == "sleep").count();
        (sleepers == 5).then_some(())
    });
    let mut sleepers = runner.process().descendants();
    sleepers.retain(|it| it.command_line == ["sleep", "300"]);
    assert_eq!(sleepers.len(), 5, "{sleepers:#?}");
    for sleeper in sleepers {
        kill(sleeper.id, Signal::SIGKILL).unwrap();
    }
    wait::until("no zombie", COLLECTED_WITHIN, || {
        let children = children(agent);
        let is_k6 = |(_, has_ended): &(_, bool)| !has_ended;
        (children.len() == 1 && children.iter().all(is_k6)).then_some(())
    });
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 99);
}

#[test]
fn a_hang_up_that_is_ignored_stays_so() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .in_shell(r#"trap '' HUP; exec "$0" "$@""#)
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    // A terminal that is closed tells all.
    runner.process().signal(Signal::SIGHUP);
    runner.signal_k6(Signal::SIGHUP);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}
