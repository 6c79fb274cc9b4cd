//! The agent reads clocks and sets none, as the kernel sees it.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Duration};

use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    network::alone_with,
    ntp::chronyd::Chronyd,
    process::Program,
    programs,
    runner::{Launch, SOON},
    scratch::Scratch,
    stage::Stage,
};

/// Every system call that can set a clock, and what shows that anything was traced at all. Some machines have not all
/// of them.
const TRACED: &str = "trace=execve,?adjtimex,?clock_adjtime,?clock_adjtime64,?clock_settime,?clock_settime64,\
                      ?settimeofday,?stime";

/// The calls of those kinds that a trace has, one to a line, each without what stands before its name.
fn calls(trace: &Path) -> Vec<String> {
    let text = fs::read_to_string(trace).unwrap();
    let call = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        // Signals and exits are told of as well.
        call.contains('(').then(|| call.trim_start().to_owned())
    };
    text.lines().filter_map(call).collect()
}

/// Whether a call asks for nothing but what the kernel knows of its clock.
fn only_asks(call: &str) -> bool {
    let is_adjust = call.starts_with("adjtimex(") || call.starts_with("clock_adjtime");
    // The second half of a call that another thread's interrupted tells what the first one did not.
    is_adjust && call.contains("modes=0,") || call.starts_with("<... ")
}

fn assert_sets_no_clock(trace: &Path) -> Vec<String> {
    let calls = calls(trace);
    let (programs, clocks): (Vec<_>, Vec<_>) = calls
        .into_iter()
        .partition(|call| call.starts_with("execve("));
    assert!(
        programs.iter().any(|call| call.contains("tminus-agent")),
        "{programs:?}"
    );
    for call in &clocks {
        assert!(only_asks(call), "{call}");
    }
    clocks
}

#[rstest]
#[case("adjtimex({modes=0, offset=0, freq=0}) = 5 (TIME_ERROR)", true)]
#[case(
    "clock_adjtime(CLOCK_REALTIME, {modes=0, offset=0}) = 0 (TIME_OK)",
    true
)]
#[case("adjtimex({modes=ADJ_OFFSET, offset=1}) = 0 (TIME_OK)", false)]
#[case(
    "clock_adjtime(CLOCK_REALTIME, {modes=ADJ_SETOFFSET, offset=1}) = 0",
    false
)]
#[case("clock_settime(CLOCK_REALTIME, {tv_sec=1, tv_nsec=0}) = 0", false)]
#[case("settimeofday({tv_sec=1, tv_usec=0}, NULL) = 0", false)]
fn a_call_that_sets_a_clock_is_told_from_one_that_asks(#[case] call: &str, #[case] asks: bool) {
    assert_eq!(only_asks(call), asks);
}

#[test]
fn measuring_sets_no_clock_not_even_where_the_kernel_is_asked() {
    let Some(strace) = programs::strace() else {
        return;
    };
    // Nobody answers there, so that the kernel's word is the last resort.
    alone_with(&[], move || {
        let folder = Scratch::new();
        let trace = folder.path().join("calls");
        let check = Program::new(&strace)
            .args(["-f", "-e", TRACED, "-o"])
            .args([&trace])
            .args([programs::agent()])
            .args(["clock", "--ntp", "auto"])
            .start();
        let code = check.wait(SOON).code;
        assert!(matches!(code, Some(0 | 71)), "{code:?} {}", check.stderr());
        let clocks = assert_sets_no_clock(&trace);
        assert!(!clocks.is_empty(), "the kernel was asked");
    });
}

#[test]
fn a_run_by_ntp_sets_no_clock() {
    let (Some(strace), Some(chronyd)) = (programs::strace(), programs::chronyd()) else {
        return;
    };
    let server = Chronyd::of_the_machine(&chronyd);
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let trace = stage.scratch().path().join("calls");
    let runner = Launch::new(&stage, "runner-1")
        .fake_k6(&k6)
        .env("STRACE", &strace)
        .env("TRACED", TRACED)
        .env("TRACE", &trace)
        .in_shell(r#"exec "$STRACE" -f -e "$TRACED" -o "$TRACE" "$0" "$@""#)
        .options(["--ntp", &server.address().to_string()])
        .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    runner.wait_for_phase(Phase::Ready, SOON);
    // Long enough for all of its rounds: the first, the final and, after the start, the closing one.
    stage.set_in(Duration::from_secs(4));
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    assert!(ended.report.start.as_ref().unwrap().clock_error.is_some());
    assert_sets_no_clock(&trace);
}
