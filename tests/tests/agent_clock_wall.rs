//! Machines whose wall clock is wrong, or steps while a runner waits. By NTP the instant is kept all the same; without
//! it, it is seen.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use chrono::TimeDelta;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    moment::Moment,
    ntp::{chronyd::Chronyd, fake_server::off_by},
    programs::{self, K6},
    runner::{Launch, SOON, k6_run},
    scheduler::{Run, SOONEST, ended},
    stage::Stage,
    target::Target,
    wall_clock::WallClock,
    wall_clocks::{self, WALL_CLOCKS},
};

/// How many starts are judged together.
const STARTS: usize = 10;

/// How far apart first requests may be in the median: a clock that is 130 ms off shows, and a machine with more to do
/// than it can passes. `make bench` has the figures.
const APART: Duration = Duration::from_millis(100);

/// How late any of them may be on a machine with more to do than it can.
const LATE: TimeDelta = TimeDelta::seconds(5);

/// How far apart readings of two clocks may seem: they are read at two places.
const READING: TimeDelta = TimeDelta::milliseconds(1);

#[test]
fn runners_that_believe_other_wall_clocks_start_together_at_the_true_instant() {
    let Some(chronyd) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&chronyd);
    let k6 = k6_run(&K6::V1.program().unwrap(), &[], "one-iteration");
    let mut apart = Vec::new();
    for _ in 0..STARTS {
        let Some(start) = wall_clocks::start(server.address(), &k6) else {
            return;
        };
        println!("{start:?}");
        assert!(start.first >= -READING && start.last < LATE, "{start:?}");
        apart.push(start.apart());
    }
    apart.sort_unstable();
    println!("apart: {apart:?}");
    assert!(apart[STARTS / 2] < APART, "{apart:?}");
}

#[test]
fn without_ntp_the_scheduler_names_the_runner_that_is_seven_minutes_off_and_refuses() {
    let run = Run::new();
    let mut runners = Vec::new();
    for (name, ahead) in WALL_CLOCKS {
        let Some(clock) = WallClock::ahead_by(ahead) else {
            return;
        };
        let launch = run.launch(name).env("DURATION", "1s").believing(&clock);
        runners.push(launch.start(run.k6("one-is-different")));
    }
    for runner in &runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    let scheduler = run.start(3, SOONEST.into_iter().chain(["--max-wait", "5s"]));
    let refused = ended(&scheduler);
    let result = refused.assert(75).result();
    let named = "fast: its clock is 4";
    result.assert_ending("quorum_timed_out", named);
    refused
        .assert_told(named)
        .assert_told("s ahead of the others'");
    assert!(run.target.first_requests().is_empty());
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Aborted, 76);
    }
}

#[rstest]
#[case::a_little_ahead(-130)]
#[case::minutes_behind(420_000)]
#[case::right(0)]
#[case::hours_ahead(-10_800_000)]
fn a_machine_that_is_off_its_server_resumes_k6_at_the_servers_time(#[case] behind: i64) {
    let behind = TimeDelta::milliseconds(behind);
    let server = off_by(behind);
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = Launch::new(&stage, "runner-1")
        .fake_k6(&k6)
        .options(["--ntp", &server.address().to_string()])
        .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    let clock = runner.wait_for_phase(Phase::Ready, SOON).clock;
    let error = clock.offset.unwrap() - behind;
    assert!(error.abs() < TimeDelta::milliseconds(100), "{clock:?}");
    let instant = Moment::now().utc + behind + TimeDelta::seconds(1);
    stage.set(instant);
    runner.ended(SOON).assert(Phase::Finished, 0);
    let resumes = k6.requests("PATCH /v1/status");
    assert_eq!(resumes.len(), 1, "{resumes:?}");
    let late = resumes[0].at + behind - instant;
    println!("{late} after the instant");
    assert!(late >= -READING && late < LATE, "{late}");
}

#[rstest]
fn a_step_of_the_machines_wall_clock_while_a_runner_waits_changes_nothing(
    #[values(420.0, -7_200.0)] seconds: f64,
) {
    let (Some(chronyd), Some(wall_clock)) = (programs::chronyd(), WallClock::unsteady()) else {
        return;
    };
    let server = Chronyd::of_the_machine(&chronyd);
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, "runner-1")
        .env("TARGET", target.url())
        .options(["--ntp", &server.address().to_string()])
        .believing(&wall_clock)
        .start(k6_run(&K6::V1.program().unwrap(), &[], "one-iteration"));
    let before = runner.wait_for_phase(Phase::Ready, SOON).clock;
    assert!(before.offset.unwrap().abs() < TimeDelta::seconds(1));
    // The last round before it is held after the step.
    let instant = stage.set_in(Duration::from_secs(12));
    runner.wait_for_phase(Phase::Armed, SOON);
    wall_clock.step_to(seconds);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    // It has seen the step, and started by the server's time.
    let offset = ended.report.clock.offset.unwrap().as_seconds_f64();
    assert!((offset + seconds).abs() < 1.0, "{:?}", ended.report.clock);
    let start = ended.report.start.unwrap();
    assert!(!start.clock_jumped, "{start:?}");
    let first = target.first_requests()["runner-1"].first.utc - instant;
    println!("first request {first} after the instant");
    assert!(first >= -READING && first < LATE, "{first}");
    assert_eq!(target.load_count("runner-1"), 1);
}
