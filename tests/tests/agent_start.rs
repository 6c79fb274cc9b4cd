//! The start: readiness before it, the first request after it, with the real k6.
#![allow(clippy::unwrap_used)]

use std::{
    ffi::OsString,
    fs,
    net::TcpStream,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::Phase;
use rstest::rstest;
use serde_json::Value;
use support::{
    client::ask,
    moment::Moment,
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_millis(700);

/// How early a request may seem: the clock is read at two places. No time is given for anything else.
const READING: TimeDelta = TimeDelta::milliseconds(1);

/// How late the first request may be on a machine with more to do than it can. On an idle one, and with 50 ms to
/// be kept, it is some 3 ms.
const LATE: TimeDelta = TimeDelta::seconds(5);

fn assert_on_time(target: &Target, runner: &str, instant: DateTime<Utc>) {
    let load = target.first_requests();
    let first = load.get(runner).expect("there was load").first.utc;
    let lateness = first - instant;
    println!(
        "first request {} µs after the instant",
        lateness.num_microseconds().unwrap()
    );
    assert!(lateness >= -READING && lateness <= LATE, "{lateness}");
}

fn start<'a>(stage: &'a Stage, target: &Target, command: Vec<OsString>) -> Runner<'a> {
    Launch::new(stage, "runner-1")
        .env("TARGET", target.url())
        .start(command)
}

/// Starts a k6 whose script takes so long to be read.
fn start_reading_for<'a>(
    time: Duration,
    stage: &'a Stage,
    target: &Target,
    command: Vec<OsString>,
) -> Runner<'a> {
    let until = (Moment::now().utc + time).timestamp_millis();
    Launch::new(stage, "runner-1")
        .env("TARGET", target.url())
        .env("READ_UNTIL", until.to_string())
        .start(command)
}

#[rstest]
fn the_first_request_comes_at_the_instant_whatever_the_executor(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(
        "constant-arrival-rate",
        "constant-vus",
        "ramping-vus",
        "vus-and-duration"
    )]
    executor: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start(&stage, &target, k6_run(&k6, &[], executor));
    let ready = runner.wait_for_phase(Phase::Ready, SOON);
    assert_eq!((ready.vus, ready.setup_took.is_some()), (Some(5), true));

    // Long enough for the test to see that it is armed.
    let instant = stage.set_in(Duration::from_secs(3));
    let armed = runner.wait_for_phase(Phase::Armed, SOON);
    assert!(armed.armed && armed.start.is_none());

    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    assert_on_time(&target, "runner-1", instant);
    let start = ended.report.start.unwrap();
    assert_eq!(start.lateness, start.fired_at - instant);
    assert!(start.lateness >= TimeDelta::zero(), "{start:?}");
    assert!(start.running_at.unwrap() >= start.fired_at);
    assert!(start.load_at.unwrap() >= start.fired_at);
    assert_eq!(start.clock_error, None, "nobody has measured this clock");
}

#[rstest]
fn a_run_of_one_iteration_is_over_before_it_can_be_asked_and_ends_well(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start(&stage, &target, k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let instant = stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    assert_on_time(&target, "runner-1", instant);
    assert_eq!(target.load_count("runner-1"), 1);
    assert!(ended.report.start.is_some());
}

#[rstest]
fn a_runner_whose_segment_has_no_vus_takes_part_and_ends_well(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let halves = [
        "--execution-segment=0:1/2",
        "--execution-segment-sequence=0,1/2,1",
    ];
    let others = [
        "--execution-segment=1/2:1",
        "--execution-segment-sequence=0,1/2,1",
    ];
    // Of one VU, one half of the test has none.
    let runners = [("first", halves), ("second", others)].map(|(name, segment)| {
        Launch::new(&stage, name)
            .env("TARGET", target.url())
            .start(k6_run(&k6, &segment, "one-iteration"))
    });
    let vus = runners
        .each_ref()
        .map(|runner| runner.wait_for_phase(Phase::Ready, SOON).vus.unwrap());
    assert_eq!(vus.iter().min(), Some(&0), "{vus:?}");
    assert_eq!(vus.iter().sum::<u64>(), 1);

    stage.set_in(LEAD);
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
    let load: u64 = ["first", "second"]
        .iter()
        .map(|name| target.load_count(name))
        .sum();
    assert_eq!(load, 1);
}

#[rstest]
fn a_k6_that_still_builds_its_vus_is_not_ready_though_its_api_answers(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start(&stage, &target, k6_run(&k6, &[], "slow-vus"));
    let api = runner.api();
    // It answers, and would take a resume: only the status tells.
    wait::until("an answer of k6's API while VUs are built", SOON, || {
        let (code, status) = TcpStream::connect(api)
            .ok()
            .and_then(|_| ask(api, "GET", "/v1/status", "", ""))?;
        assert!(
            !status.contains(r#""status":4"#),
            "it is too fast: {status}"
        );
        (code == 200).then_some(())
    });
    assert_eq!(runner.report().unwrap().phase, Phase::Starting);

    let ready = runner.wait_for_phase(Phase::Ready, SOON);
    assert_eq!(ready.vus, Some(10));
    let (_, status) = ask(api, "GET", "/v1/status", "", "").unwrap();
    assert!(status.contains(r#""status":4"#), "{status}");
    let instant = stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_on_time(&target, "runner-1", instant);
    assert_eq!(target.load_count("runner-1"), 10);
}

#[rstest]
fn an_instant_that_comes_while_k6_still_reads_its_script_is_missed_and_not_fired_at(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start_reading_for(
        Duration::from_secs(60),
        &stage,
        &target,
        k6_run(&k6, &[], "slow-init"),
    );
    runner.k6();
    stage.set_in(Duration::from_millis(500));
    let ended = runner.ended(SOON);
    ended.assert(Phase::Refused, 74);
    assert!(target.first_requests().is_empty());
}

#[rstest]
fn a_script_that_takes_five_seconds_to_be_read_is_waited_for(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let began = Instant::now();
    let runner = start_reading_for(
        Duration::from_secs(5),
        &stage,
        &target,
        k6_run(&k6, &[], "slow-init"),
    );
    let api = runner.api();
    runner.wait_for_phase(Phase::Starting, SOON);
    assert!(TcpStream::connect(api).is_err(), "the API is up already");
    runner.wait_for_phase(Phase::Ready, SOON);
    assert!(began.elapsed() >= Duration::from_secs(5));
    let instant = stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_on_time(&target, "runner-1", instant);
}

#[test]
fn a_connection_to_k6_serves_though_it_was_opened_twenty_seconds_before() {
    let (stage, target) = (Stage::new(), Target::start());
    let versions = [K6::V1, K6::V2].into_iter().filter_map(K6::program);
    // Both in one stage: one wait is enough.
    let runners: Vec<Runner> = (1..)
        .zip(versions)
        .map(|(number, k6)| {
            Launch::new(&stage, &format!("runner-{number}"))
                .env("TARGET", target.url())
                .start(k6_run(&k6, &[], "constant-vus"))
        })
        .collect();
    for runner in &runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    let instant = stage.set_in(Duration::from_secs(20));
    for runner in &runners {
        runner.wait_for_phase(Phase::Armed, SOON);
    }
    let opened: Vec<_> = runners.iter().map(Runner::wait_until_connected).collect();
    let last_second = instant - TimeDelta::seconds(1);
    wait::until("the last second", SOON, || {
        (Moment::now().utc > last_second).then_some(())
    });
    for (runner, opened) in runners.iter().zip(opened) {
        let left = runner.connections();
        assert!(left.is_superset(&opened), "k6 has closed a connection");
    }

    for (number, runner) in (1..).zip(&runners) {
        runner.ended(SOON).assert(Phase::Finished, 0);
        assert_on_time(&target, &format!("runner-{number}"), instant);
    }
}

/// k6 emits `vus` and `vus_max` from its very start.
#[rstest]
fn samples_of_a_paused_k6_are_no_start(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let path = stage.scratch().path().join("samples");
    let out = format!("--out=json={}", path.display());
    let runner = start(&stage, &target, k6_run(&k6, &[&out], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let samples = || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|it| it["type"] == "Point" && it["metric"] == "vus")
            .map(|it| it["data"]["time"].as_str().unwrap().parse().unwrap())
            .collect::<Vec<DateTime<Utc>>>()
    };
    wait::until("samples", SOON, || (samples().len() >= 3).then_some(()));
    let instant = stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    assert!(samples()[0] < instant);
    let start = ended.report.start.unwrap();
    assert!(start.fired_at >= instant, "{start:?}");
    assert!(start.running_at.is_none_or(|at| at >= start.fired_at));
    assert_on_time(&target, "runner-1", instant);
}
