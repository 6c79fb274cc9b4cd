//! What the agent exits with, and what its last report says, when the real k6 ends by itself.
#![allow(clippy::unwrap_used)]

use std::{
    ffi::OsString,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    programs::K6,
    runner::{Ended, Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::{Target, UNNAMED},
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_millis(500);

/// How long the code of an ended k6 may take to come out, the agent's last report included. On an idle machine it
/// takes some 10 ms.
const CODE_TAKES: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

fn start<'a>(stage: &'a Stage, target: &Target, command: Vec<OsString>) -> Runner<'a> {
    Launch::new(stage, RUNNER)
        .env("TARGET", target.url())
        .start(command)
}

/// Waits for the end, and checks that the agent did not hold up k6's code.
fn ended_at_once(runner: &Runner) -> Ended {
    let mut k6_seen = Instant::now();
    let deadline = Instant::now() + SOON;
    while runner.process().exited().is_none() && Instant::now() < deadline {
        let looked = Instant::now();
        let mut found = runner.process().descendants().into_iter();
        if found.any(|process| process.name != "tminus-guard") {
            k6_seen = looked;
        }
        sleep(Duration::from_millis(5));
    }
    let ended = runner.ended(Duration::ZERO);
    let took = ended.exit.at.monotonic.saturating_duration_since(k6_seen);
    println!("the code came out {took:?} after k6 was last seen");
    assert!(took < CODE_TAKES, "{took:?}");
    ended
}

#[rstest]
#[case::syntax_error("syntax-error", "Unexpected token")]
#[case::exception_in_init("init-throws", "no luck")]
#[case::exception_in_the_init_of_some_vus("init-throws-for-some-vus", "no luck for VU")]
fn a_script_that_cannot_start_gives_k6s_own_code_and_its_last_words(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
    #[case] words: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start(&stage, &target, k6_run(&k6, &[], script));
    let ended = ended_at_once(&runner);
    ended.assert(Phase::Failed, 107);
    let errors = ended.report.k6_errors.join("\n");
    assert!(errors.contains(words), "no {words:?} in {errors}");
    assert!(runner.process().stderr().contains(words));
    assert!(target.first_requests().is_empty());
}

#[rstest]
#[case::that_is_not_there("nowhere.js")]
#[case::that_is_a_directory("/")]
fn a_script_gives_k6s_own_code(#[values(K6::V1, K6::V2)] k6: K6, #[case] script: &str) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let command = [k6.as_os_str(), "run".as_ref(), script.as_ref()];
    let runner = start(&stage, &target, command.map(OsString::from).to_vec());
    let ended = ended_at_once(&runner);
    ended.assert(Phase::Failed, 255);
    assert!(!ended.report.k6_errors.is_empty(), "{:#?}", ended.report);
}

#[rstest]
#[case::threshold("threshold-fails", 99)]
#[case::abort("aborts-the-test", 108)]
#[case::marked_as_failed("fails-the-test", 110)]
#[case::exception_in_default("default-throws", 0)]
#[case::exception_in_teardown("teardown-throws", 107)]
#[case::slow_teardown("teardown-times-out", 101)]
fn a_run_gives_k6s_own_code(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
    #[case] code: i32,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start(&stage, &target, k6_run(&k6, &[], script));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    let ended = ended_at_once(&runner);
    ended.assert(Phase::Finished, code);
    assert_eq!(target.load_count(RUNNER), 1);
    if code != 0 {
        assert!(!ended.report.k6_errors.is_empty(), "{:#?}", ended.report);
    }
}

#[rstest]
fn a_setup_left_to_k6_that_throws_gives_k6s_own_code(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--setup", "k6"])
        .start(k6_run(&k6, &[], "setup-throws"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    ended_at_once(&runner).assert(Phase::Finished, 107);
    assert_eq!(target.load_count(RUNNER), 0);
}

#[rstest]
fn a_k6_that_is_killed_gives_the_code_of_a_shell(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(Phase::Ready, Phase::Armed, Phase::Running)] phase: Phase,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env("DURATION", "1m")
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    match phase {
        Phase::Armed => drop(stage.set_in(Duration::from_secs(600))),
        Phase::Running => drop(stage.set_in(LEAD)),
        _ => {}
    }
    runner.wait_for_phase(phase, SOON);
    runner.signal_k6(Signal::SIGKILL);
    let ended = ended_at_once(&runner);
    let expected = match phase {
        Phase::Running => Phase::Finished,
        _ => Phase::Failed,
    };
    ended.assert(expected, 137).assert_reason("signal 9");
}

#[rstest]
fn a_k6_whose_outputs_take_their_time_is_waited_for(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    const FLUSH: &str = "/delay/4s";
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env(
            "K6_PROMETHEUS_RW_SERVER_URL",
            format!("{}{FLUSH}", target.url()),
        )
        .env("K6_PROMETHEUS_RW_PUSH_INTERVAL", "10m")
        .start(k6_run(
            &k6,
            &["--out", "experimental-prometheus-rw"],
            "threshold-fails",
        ));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 99);
    let flush = target.hits(UNNAMED, FLUSH).unwrap();
    let took = ended.exit.at.monotonic - flush.first.monotonic;
    assert!(took >= Duration::from_secs(4), "{took:?}");
}
