//! k6 v2 may be a launcher with the real k6 as its child. A shell between agent and k6 looks the same from outside.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wrapped_k6::WrappedK6,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_millis(500);

const RUNNER: &str = "runner-1";

/// Stays, as a launcher does when it gets a signal that it leaves to its child, and passes the child's code on.
const LAUNCHER: &str = r#"trap : TERM INT; "$WRAPPED_PROGRAM" "$@"; exit $?"#;

fn start<'a>(stage: &'a Stage, target: &Target, k6: &WrappedK6) -> Runner<'a> {
    k6.environment(Launch::new(stage, RUNNER))
        .env("TARGET", target.url())
        .env("DURATION", "5m")
        .start(k6_run(&k6.path(), &[], "setup"))
}

#[rstest]
#[case::until_it_is_aborted(None, 76)]
#[case::until_a_signal_comes(Some(Signal::SIGTERM), 105)]
fn the_child_of_a_launcher_is_ours(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] signal: Option<Signal>,
    #[case] code: i32,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = WrappedK6::new(&stage, &k6).before(LAUNCHER);
    let runner = start(&stage, &target, &k6);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(Phase::Running, SOON);
    match signal {
        None => stage.abort("enough"),
        Some(signal) => runner.process().signal(signal),
    }
    runner.ended(SOON).assert(Phase::Aborted, code);
    assert!(target.load_count(RUNNER) > 0);
    assert_eq!(target.teardown_count(RUNNER), 1);
}

#[rstest]
fn no_load_is_left_where_a_launcher_is_killed(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = WrappedK6::new(&stage, &k6).before(LAUNCHER);
    let runner = start(&stage, &target, &k6);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(Phase::Running, SOON);
    let mut launchers = runner.process().descendants();
    launchers.retain(|process| process.name == "wrapped-k6.sh");
    assert_eq!(launchers.len(), 1, "{launchers:?}");
    kill(launchers[0].id, Signal::SIGKILL).unwrap();
    runner.ended(SOON).assert(Phase::Finished, 137);
}
