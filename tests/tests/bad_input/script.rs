//! Scripts that k6 cannot run: the code is its own, and nothing starts.

use std::fs;

use rendezvous::Phase;
use rstest::rstest;
use support::{
    programs::K6,
    runner::{Launch, SOON},
    scheduler::{Local, SOONEST, ended},
    stage::Stage,
};

/// What k6 ends with when there is no script, or nothing in it that could be run.
const NO_SCRIPT: i32 = 255;
/// What it ends with when a script cannot be read as one.
const BAD_SCRIPT: i32 = 107;

#[rstest]
#[case::nowhere("no/such/script.js", NO_SCRIPT)]
#[case::a_directory("folder", NO_SCRIPT)]
#[case::nothing("empty.js", NO_SCRIPT)]
#[case::no_script("words.js", BAD_SCRIPT)]
fn a_script_that_cannot_be_run_ends_before_the_start_with_k6s_own_code(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
    #[case] code: i32,
) {
    let Some(k6) = k6.program() else { return };
    let stage = Stage::new();
    fs::create_dir(stage.scratch().path().join("folder")).unwrap();
    stage.scratch().write("empty.js", "");
    stage.scratch().write("words.js", "this is no script");
    let runner = Launch::new(&stage, "a").start([k6.to_str().unwrap(), "run", script]);
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Failed, code)
        .assert_reason(&format!("k6 ended before the start (exit code {code})"));
    assert_eq!(ended.report.start, None);
    assert!(!ended.report.k6_errors.is_empty(), "{:?}", ended.report);
}

#[test]
fn local_tells_that_the_script_is_missing() {
    let Some(k6) = K6::V1.program() else { return };
    let local = Local::new();
    let command = [k6.to_str().unwrap(), "run", "no-such-script.js"];
    let ended = ended(&local.program(2, &SOONEST, command).start());
    assert_ne!(ended.code, 0);
    ended
        .assert_told("no-such-script.js")
        .assert_told("/runner-N with its output in k6.log");
}
