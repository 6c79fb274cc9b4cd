//! `local` with the real k6: all runners start at one instant; or none does, and it is over at once.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use serde_json::Value;
use support::{
    moment::Moment,
    programs::{self, K6},
    runner::{SOON, k6_run},
    scheduler::{self, Ended, Local, Outcome, SOONEST, ended, time},
    target::Target,
};

fn name(number: usize) -> String {
    format!("runner-{number}")
}

fn assert_on_time(target: &Target, runners: usize, instant: DateTime<Utc>) {
    let names: Vec<_> = (1..=runners).map(name).collect();
    scheduler::assert_on_time(target, names.iter().map(String::as_str), instant);
}

/// What a machine that is no terminal gets: no codes that move a cursor or set colours.
fn assert_plain(ended: &Ended) {
    let is_plain = |text: &str| !text.contains(['\u{1b}', '\r']);
    assert!(is_plain(&ended.stdout), "{:?}", ended.stdout);
    assert!(is_plain(&ended.stderr), "{:?}", ended.stderr);
}

/// The interface to machines: a key may be added here, but none may go.
fn assert_complete(result: &Outcome) {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let expected = |names: &str| names.split_whitespace().map(str::to_owned).collect();
    let of_start: BTreeSet<String> = expected(
        "version run stage result message exit_code plan start_at wanted started lost lost_share spread_ns \
         spread_of spread_at_most_ns spread_at_most_of first_request_spread_ns faults warnings runners",
    );
    let of_runner: BTreeSet<String> = expected(
        "runner name state what flaw lost fired_at lateness_ns clock_error_ns clock_jumped clock running_at load_at \
         first_request_at requests exit_code k6_errors",
    );
    assert_eq!(keys(&result.0), of_start);
    assert_eq!(result.0["version"], 1);
    for runner in result.0["runners"].as_array().unwrap() {
        assert_eq!(keys(runner), of_runner);
    }
}

/// Whether a result says what the target saw, and of the rest what can be checked against itself.
fn assert_true(result: &Outcome, target: &Target, runners: usize) {
    let start_at = result.start_at().unwrap();
    let nanos = |delta: TimeDelta| delta.num_nanoseconds().unwrap();
    let spread =
        |times: &[DateTime<Utc>]| nanos(*times.iter().max().unwrap() - times.iter().min().unwrap());
    let (mut fired, mut requested) = (Vec::new(), Vec::new());
    for number in 1..=runners {
        let runner = result.runner(&name(number)).unwrap();
        let seen = target.first_requests()[&name(number)];
        assert_eq!(time(&runner["first_request_at"]), Some(seen.first.utc));
        assert_eq!(runner["requests"], seen.count);
        let fired_at = time(&runner["fired_at"]).unwrap();
        assert_eq!(runner["lateness_ns"], nanos(fired_at - start_at));
        assert!(
            fired_at >= start_at && fired_at <= seen.first.utc,
            "{runner:#}"
        );
        assert_eq!(
            (&runner["state"], &runner["clock_error_ns"]),
            (&"ended".into(), &Value::Null)
        );
        fired.push(fired_at);
        requested.push(seen.first.utc);
    }
    assert_eq!(result.0["spread_ns"], spread(&fired));
    assert_eq!(result.0["first_request_spread_ns"], spread(&requested));
    assert_eq!(result.0["started"], runners);
    println!(
        "spread {} fired, {} as requested (ns)",
        result.0["spread_ns"], result.0["first_request_spread_ns"]
    );
}

#[rstest]
fn four_runners_start_at_one_instant_whatever_the_executor(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values("constant-arrival-rate", "constant-vus", "ramping-vus")] executor: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let ended = ended(
        &local
            .program(4, &SOONEST, k6_run(&k6, &[], executor))
            .env("TARGET", target.url())
            .env("TMINUS_FIRST_REQUESTS", target.url() + "/first-requests")
            .start(),
    );
    let result = ended.assert(0).result();
    result.assert_ending("started", "started");
    assert_on_time(&target, 4, result.start_at().unwrap());
    assert_complete(&result);
    assert_true(&result, &target, 4);
    assert_plain(&ended);
    ended
        .assert_told("start set for ")
        .assert_told("runner-4 finished (0)");
    local.assert_tidy(&[]);
}

#[test]
fn the_example_runs_through_and_people_get_a_table() {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let example = programs::repository().join("examples/checkout.js");
    let ended = ended(
        &local
            .program(4, &[], [k6.as_os_str(), "run".as_ref(), example.as_ref()])
            .env("TARGET", target.url())
            .env("LOAD", "0.1")
            .env("TMINUS_FIRST_REQUESTS", target.url() + "/first-requests")
            .env("TMINUS_OUTPUT", "table")
            .start(),
    );
    ended.assert(0);
    assert_plain(&ended);
    let lines: Vec<_> = ended.stdout.lines().collect();
    let with = |part: &str| {
        let line = lines.iter().find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("no {part:?} in\n{}", ended.stdout))
    };
    with("stage main: start set for 20");
    let header = with("| runner ");
    for column in [
        "late",
        "clock error",
        "ran by",
        "first request",
        "exit",
        "what happened",
    ] {
        assert!(header.contains(column), "no {column:?} in {header}");
    }
    for number in 1..=4 {
        let row = with(&format!("| runner-{number} "));
        assert!(
            row.contains("unmeasured") && row.contains("|    0 | finished "),
            "{row}"
        );
        assert_eq!(row.len(), header.len(), "{row}");
        assert!(
            local.log(number).contains("products are shown"),
            "k6's summary is not in its log"
        );
        // 0.1 of 20 iterations a second, for 10 s, with 3 requests each.
        let load = target.load_count(&name(number));
        assert!(
            (54..=63).contains(&load),
            "{load} requests of runner {number}"
        );
    }
    with("4 of 4 runners started; spread measured ");
    with(" ms, truly unknown, as no clock's error is measured");
    with("first requests of 4 runners as the target saw them: spread ");
    with("exit code 0: all is well");
    local.assert_tidy(&[]);
}

#[test]
fn nobody_starts_before_all_are_ready() {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let began = Moment::now().utc;
    let scheduler = local
        .program(4, &SOONEST, k6_run(&k6, &[], "one-is-different"))
        .env("TARGET", target.url())
        .env("ONE", "runner-2")
        .env("WHAT", "slow init")
        .start();
    for quick in [1, 3, 4] {
        scheduler.wait_for_line(&format!("runner-{quick} is ready"), SOON);
    }
    scheduler.wait_for_line("3/4 ready, ", SOON);
    assert!(target.first_requests().is_empty());
    assert!(!scheduler.stderr().contains("start set for"));

    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    let instant = result.start_at().unwrap();
    assert!(instant >= began + TimeDelta::seconds(5 + 1), "{instant}");
    assert_on_time(&target, 4, instant);
    local.assert_tidy(&[]);
}

#[test]
fn a_slow_setup_of_one_delays_nobodys_load() {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let ended = ended(
        &local
            .program(3, &SOONEST, k6_run(&k6, &[], "one-is-different"))
            .env("TARGET", target.url())
            .env("ONE", "runner-2")
            .env("WHAT", "slow setup")
            .start(),
    );
    let result = ended.assert(0).result();
    ended.assert_told("runner-2 is ready (2 VUs, setup() took 3.");
    let instant = result.start_at().unwrap();
    assert_on_time(&target, 3, instant);
    for number in 1..=3 {
        let runner = name(number);
        assert_eq!(target.setup_count(&runner), 1);
        assert_eq!(
            target.load_count(&runner),
            target
                .hits(&runner, &format!("/load?of={runner}"))
                .unwrap()
                .count
        );
        assert_eq!(target.teardown_count(&runner), 1);
        assert!(
            target
                .hits(&runner, &format!("/teardown?of={runner}"))
                .is_some()
        );
    }
    let setup = target.hits("runner-2", "/setup/delay/3s").unwrap();
    assert!(instant >= setup.first.utc + TimeDelta::seconds(3));
}

#[test]
fn a_setup_that_is_left_to_k6_runs_after_the_instant() {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let scheduler = local
        .program(2, &SOONEST, k6_run(&k6, &[], "one-is-different"))
        .env("TARGET", target.url())
        .env("TMINUS_SETUP", "k6")
        .start();
    let instant = ended(&scheduler).assert(0).result().start_at().unwrap();
    for runner in ["runner-1", "runner-2"] {
        let setup = target.hits(runner, "/setup").unwrap();
        assert!(setup.count == 1 && setup.first.utc >= instant, "{setup:?}");
    }
}

#[rstest]
#[case::syntax_error("syntax-error", 107, "Unexpected token")]
#[case::exception_in_init("init-throws", 107, "no luck")]
#[case::exception_in_setup("setup-throws", 107, "no luck")]
#[case::setup_that_takes_too_long("setup-times-out", 100, "timed out")]
fn a_script_that_cannot_start_ends_the_wait_with_k6s_own_code(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
    #[case] code: i32,
    #[case] words: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let ended = ended(
        &local
            .program(3, &["--max-wait", "15m"], k6_run(&k6, &[], script))
            .env("TARGET", target.url())
            .start(),
    );
    let result = ended.assert(code).assert_told(words).result();
    result.assert_ending("quorum_impossible", " ended");
    // Who has not failed by then is told to end.
    let codes = result.exit_codes();
    let codes = codes.into_iter().map(|(_, code)| code.unwrap());
    assert!(
        codes.clone().all(|it| it == i64::from(code) || it == 76),
        "{:#}",
        result.0
    );
    assert!(codes.count() == 3 && result.start_at().is_none());
    assert!(target.first_requests().is_empty());
    local.assert_tidy(&[]);
}

#[rstest]
fn one_that_cannot_start_ends_the_wait_of_all(#[values("init throws", "setup throws")] what: &str) {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let ended = ended(
        &local
            .program(
                3,
                &["--max-wait", "15m"],
                k6_run(&k6, &[], "one-is-different"),
            )
            .env("TARGET", target.url())
            .env("ONE", "runner-2")
            .env("WHAT", what)
            .start(),
    );
    let result = ended.assert(107).assert_told("no luck").result();
    result
        .assert_ending("quorum_impossible", "runner-2 ended")
        .assert_exit_codes(&[("runner-1", 76), ("runner-2", 107), ("runner-3", 76)]);
    let failed = result.runner("runner-2").unwrap();
    let (what, errors) = (failed["what"].to_string(), failed["k6_errors"].to_string());
    assert!(
        what.contains("no luck") || errors.contains("no luck"),
        "{failed:#}"
    );
    assert!(target.first_requests().is_empty());
    local.assert_tidy(&[]);
}

#[rstest]
#[case::threshold("threshold-fails", 99)]
#[case::abort("aborts-the-test", 108)]
#[case::marked_as_failed("fails-the-test", 110)]
#[case::slow_teardown("teardown-times-out", 101)]
fn a_run_that_fails_gives_k6s_own_code(#[case] script: &str, #[case] code: i32) {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let ended = ended(
        &local
            .program(2, &SOONEST, k6_run(&k6, &[], script))
            .env("TARGET", target.url())
            .start(),
    );
    let result = ended.assert(code).result();
    result
        .assert_ending("started", "started")
        .assert_exit_codes(&[("runner-1", code.into()), ("runner-2", code.into())]);
    assert_on_time(&target, 2, result.start_at().unwrap());
}

#[test]
fn the_code_is_the_worst_of_the_runners() {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let ended = ended(
        &local
            .program(3, &SOONEST, k6_run(&k6, &[], "one-is-different"))
            .env("TARGET", target.url())
            .env("ONE", "runner-3")
            .env("WHAT", "threshold")
            .start(),
    );
    let result = ended.assert(99).result();
    result.assert_exit_codes(&[("runner-1", 0), ("runner-2", 0), ("runner-3", 99)]);
    assert_eq!(
        result.0["faults"],
        Value::Array(Vec::new()),
        "the start was well"
    );
}

#[test]
fn a_k6_that_is_not_there_ends_it_with_the_code_of_a_shell() {
    let local = Local::new();
    let ended = ended(&local.program(2, &[], ["no-such-k6", "run", "x.js"]).start());
    ended.assert(127).assert_told("no-such-k6 cannot be run");
    local.assert_tidy(&[]);
}
