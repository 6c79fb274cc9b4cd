//! A system that refuses the agent what it asks for: files, threads, ports, signals. It says what it was refused, and
//! goes on where it can.
#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use rstest::rstest;
use support::{
    programs,
    runner::{Launch, SOON},
    stage::Stage,
};

/// A k6 that ends at once, after this.
fn k6(stage: &Stage, script: &str) -> PathBuf {
    let program = stage.scratch().path().join("k6");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// The code of an agent that is started from a shell by this line, and what it says.
fn end(line: &'static str, variables: &[(&str, &str)], script: &str) -> (Option<i32>, String) {
    let stage = Stage::new();
    let k6 = k6(&stage, script);
    let launch = variables
        .iter()
        .fold(Launch::new(&stage, "runner-1"), |launch, (name, value)| {
            launch.env(name, value)
        });
    let runner = launch.in_shell(line).options(["--deadline", "5s"]).start([
        k6.as_os_str(),
        "run".as_ref(),
        "x.js".as_ref(),
    ]);
    let code = runner.process().wait(SOON).code;
    (code, runner.process().stderr())
}

#[rstest]
#[case::for_itself(
    4..8,
    Some(126),
    "cannot start: Too many open files"
)]
#[case::for_the_guard(
    8..24,
    Some(73),
    "nobody will end what k6 starts in turn if this agent is killed: Too many open files"
)]
fn an_agent_that_may_open_too_few_files(
    #[case] limits: std::ops::Range<u8>,
    #[case] code: Option<i32>,
    #[case] words: &str,
) {
    let line = r#"ulimit -n "$FILES"; exec "$0" "$@""#;
    // How many that are depends on what else the build opens.
    let told: Vec<_> = limits
        .map(|files| end(line, &[("FILES", &files.to_string())], "exit 0"))
        .collect();
    for (ended, told) in &told {
        assert!(!told.contains("panicked"), "{ended:?}: {told}");
    }
    let is_told = told
        .iter()
        .any(|(ended, told)| *ended == code && told.contains(words));
    assert!(is_told, "{told:#?}");
}

/// An agent whose system calls of a kind fail, from one of them on.
fn refused(fault: &str, options: &str, script: &str) -> Option<(Option<i32>, String)> {
    let strace = programs::strace()?;
    let call = fault.split(':').next().unwrap();
    let variables = [
        ("STRACE", strace.to_str().unwrap()),
        ("CALL", call),
        ("FAULT", fault),
        ("TMINUS_NTP", options),
    ];
    let line =
        r#"exec "$STRACE" -f -qq -o /dev/null -e "trace=$CALL" -e "inject=$FAULT" "$0" "$@""#;
    Some(end(line, &variables, script))
}

#[rstest]
#[case::to_take_in_orphans(
    "prctl:error=EPERM",
    "exit 0",
    126,
    "cannot listen for signals: Operation not permitted"
)]
#[case::a_port(
    "bind:error=EADDRINUSE",
    "exit 0",
    126,
    "no free port: Address already in use"
)]
#[case::to_wait_for_k6(
    "wait4:error=ECHILD",
    "exit 0",
    126,
    "k6 cannot be waited for: No child processes"
)]
#[case::to_kill_what_k6_left(
    "kill:error=EPERM",
    "setsid sleep 3 </dev/null >/dev/null 2>&1 &",
    73,
    "k6 left processes that cannot be killed: ["
)]
fn an_agent_that_is_refused(
    #[case] fault: &str,
    #[case] script: &str,
    #[case] code: i32,
    #[case] words: &str,
) {
    let Some((ended, told)) = refused(fault, "none", script) else {
        return;
    };
    assert!(told.contains(words), "{told}");
    assert_eq!(ended, Some(code), "{told}");
}

#[test]
fn an_agent_that_is_refused_the_thread_which_measures_its_clock() {
    let words = "cannot start to measure the clock: Resource temporarily unavailable";
    let mut all = Vec::new();
    // It is not the first: others write the log, and open the store.
    for number in 2..8 {
        let fault = format!("clone3:error=EAGAIN:when={number}");
        let Some((code, told)) = refused(&fault, "127.0.0.1:1", "exit 0") else {
            return;
        };
        if told.contains(words) {
            assert_eq!(code, Some(126), "{told}");
            return;
        }
        all.push(told);
    }
    panic!("it was not told: {all:#?}");
}
