//! setup() and teardown() with the real k6: who runs them, when, how often, and with which data.
#![allow(clippy::unwrap_used)]

use std::{
    ffi::OsString,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    programs::K6,
    runner::{Launch, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

fn launch<'a>(stage: &'a Stage, target: &Target) -> Launch<'a> {
    Launch::new(stage, RUNNER).env("TARGET", target.url())
}

/// How often each data of setup() came to default() and to teardown(), over the turns of setup().
fn turns(target: &Target, path: &str) -> Vec<(u32, u64)> {
    (1..=5)
        .filter_map(|turn| {
            let hits = target.hits(RUNNER, &format!("{path}?turn={turn}"))?;
            Some((turn, hits.count))
        })
        .collect()
}

#[rstest]
fn an_early_setup_runs_once_before_the_runner_is_ready_and_its_data_reaches_all(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let began = Instant::now();
    let runner = launch(&stage, &target)
        .env("SETUP", "/delay/3s")
        .start(k6_run(&k6, &[], "setup"));
    let ready = runner.wait_for_phase(Phase::Ready, SOON);
    assert!(began.elapsed() >= Duration::from_secs(3));
    assert!(
        ready.setup_took.unwrap() >= Duration::from_secs(3),
        "{ready:#?}"
    );
    assert_eq!(target.setup_count(RUNNER), 1);

    let instant = stage.set_in(Duration::from_millis(1500));
    runner.ended(SOON).assert(Phase::Finished, 0);
    let first = target.first_requests()[RUNNER].first.utc;
    assert!(
        first - instant < chrono::TimeDelta::seconds(1),
        "{first} {instant}"
    );
    assert_eq!(target.setup_count(RUNNER), 1);
    assert_eq!(turns(&target, "/load").len(), 1);
    assert_eq!(turns(&target, "/load")[0].0, 1);
    assert_eq!(turns(&target, "/teardown"), [(1, 1)]);
}

#[rstest]
#[case::early(&[], &[], 3)]
#[case::left_to_k6(&["--setup", "k6"], &[], 3)]
#[case::not_wanted(&[], &["--no-setup"], 0)]
fn each_of_three_runners_runs_setup_for_itself(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] options: &[&str],
    #[case] arguments: &[&str],
    #[case] setups: u64,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let names = ["a", "b", "c"];
    let runners = names.map(|name| {
        Launch::new(&stage, name)
            .env("TARGET", target.url())
            .env("DURATION", "1s")
            .options(options)
            .start(k6_run(&k6, arguments, "phases"))
    });
    for runner in &runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    stage.set_in(LEAD);
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
        let told = runner.process().stderr();
        let is_told = options.is_empty() && arguments.is_empty();
        assert_eq!(told.contains("setup() has run took="), is_told, "{told}");
    }
    let counts = names.map(|name| target.setup_count(name));
    assert_eq!(counts.iter().sum::<u64>(), setups, "{counts:?}");
    let counts = names.map(|name| target.teardown_count(name));
    assert_eq!(counts, [1; 3]);
}

#[rstest]
fn a_setup_left_to_k6_runs_once_and_after_the_instant(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target)
        .options(["--setup", "k6"])
        .env("SETUP", "/delay/2s")
        .start(k6_run(&k6, &[], "setup"));
    let ready = runner.wait_for_phase(Phase::Ready, SOON);
    assert_eq!(ready.setup_took, None);
    assert_eq!(target.setup_count(RUNNER), 0);

    let instant = stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    let setup = target.hits(RUNNER, "/setup/delay/2s").unwrap();
    assert_eq!(setup.count, 1);
    assert!(setup.first.utc >= instant - chrono::TimeDelta::milliseconds(1));
    assert_eq!(turns(&target, "/teardown"), [(1, 1)]);
    // The report tells both times apart: setup() delayed the load.
    let start = ended.report.start.unwrap();
    let delay = start.load_at.unwrap() - start.running_at.unwrap();
    assert!(delay >= chrono::TimeDelta::milliseconds(1900), "{start:?}");
    // By more than is tolerated, which is told, and where the cure is.
    let told = runner.process().stderr();
    assert!(
        told.contains("k6's load was first seen 2s") && told.contains("--setup early"),
        "{told}"
    );
}

#[rstest]
#[case::throws("setup-throws", 107, "no luck")]
#[case::times_out("setup-times-out", 100, "timed out")]
#[case::aborts("setup-aborts-the-test", 108, "enough")]
#[case::no_json("setup-returns-no-json", 255, "unsupported value")]
#[case::rejects("setup-rejects", 255, "no luck")]
#[case::never_settles("setup-never-settles", 109, "no answer")]
fn a_setup_that_fails_makes_no_load_and_ends_with_the_code_of_plain_k6(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
    #[case] code: i32,
    #[case] reason: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    // The plan is there already: nothing but the failure keeps k6 from being resumed.
    stage.set_in(Duration::from_secs(20));
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], script));
    runner
        .ended(SOON)
        .assert(Phase::Failed, code)
        .assert_reason(reason);
    assert!(target.first_requests().is_empty());
    assert_eq!(plain(&k6, script, &target), code);
    assert!(target.first_requests().is_empty());
}

/// What k6 itself ends with.
fn plain(k6: &Path, script: &str, target: &Target) -> i32 {
    let mut command = k6_run(k6, &[], script).into_iter();
    let run = Command::new(command.next().unwrap())
        .args(command)
        .env("K6_NO_USAGE_REPORT", "true")
        .env("TARGET", target.url())
        .env("TMINUS_RUNNER", RUNNER)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    run.status.code().unwrap()
}

#[rstest]
fn a_setup_that_needs_a_running_test_is_told_the_cure(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let script = "setup-asks-for-the-instance";
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], script));
    runner
        .ended(SOON)
        .assert(Phase::Failed, 107)
        .assert_reason("--setup k6");
    assert!(target.first_requests().is_empty());
    assert!(runner.process().stderr().contains("--setup k6"));

    // And the cure helps.
    let stage = Stage::new();
    let runner = launch(&stage, &target)
        .options(["--setup", "k6"])
        .start(k6_run(&k6, &[], script));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
#[case::flag(&["--no-setup"], None)]
#[case::variable(&[], Some("true"))]
fn a_setup_that_the_user_does_not_want_is_never_asked_for(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] arguments: &[&str],
    #[case] variable: Option<&str>,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let mut launch = launch(&stage, &target);
    if let Some(value) = variable {
        launch = launch.env("K6_NO_SETUP", value);
    }
    let mut command = k6_run(&k6, arguments, "setup");
    command.insert(2, OsString::from("--no-teardown"));
    let runner = launch.start(command);
    let ready = runner.wait_for_phase(Phase::Ready, SOON);
    assert_eq!(ready.setup_took, None);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    // Nor did k6 run it. What default() says of the data that is not there, k6 takes for no failure.
    assert_eq!(target.setup_count(RUNNER), 0);
}

#[rstest]
fn a_setup_whose_data_has_grown_too_old_runs_again(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target)
        .options(["--setup-max-age", "1s"])
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let grown_old = Instant::now() + Duration::from_millis(1200);
    wait::until("the data's old age", SOON, || {
        (Instant::now() > grown_old).then_some(())
    });
    assert_eq!(target.setup_count(RUNNER), 1);
    stage.set_in(Duration::from_secs(3));
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.setup_count(RUNNER), 2);
    let of_load: Vec<u32> = turns(&target, "/load").iter().map(|it| it.0).collect();
    assert_eq!(of_load, [2]);
    assert_eq!(turns(&target, "/teardown"), [(2, 1)]);
}

#[rstest]
fn megabytes_of_data_reach_the_load(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], "setup-huge-data"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert!(target.hits(RUNNER, "/load?length=5000000").is_some());
}

/// How a waiting runner is ended.
#[derive(Debug)]
enum By {
    Abort,
    Signal,
    Deadline,
}

#[rstest]
#[case::abort(By::Abort, Phase::Aborted, 76)]
#[case::signal(By::Signal, Phase::Aborted, 105)]
#[case::deadline(By::Deadline, Phase::Refused, 75)]
fn an_early_setup_that_no_run_follows_is_torn_down_once_with_its_data(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] by: By,
    #[case] phase: Phase,
    #[case] code: i32,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let deadline = if matches!(by, By::Deadline) {
        "5s"
    } else {
        "1h"
    };
    let runner = launch(&stage, &target)
        .options(["--deadline", deadline])
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    match by {
        By::Abort => stage.abort("enough"),
        By::Signal => runner.process().signal(Signal::SIGTERM),
        By::Deadline => {}
    }
    runner.ended(SOON).assert(phase, code);
    assert_eq!(target.setup_count(RUNNER), 1);
    assert_eq!(turns(&target, "/teardown"), [(1, 1)]);
    assert_eq!(target.teardown_count(RUNNER), 1);
    assert_eq!(target.load_count(RUNNER), 0);
}

#[rstest]
fn an_early_setup_is_torn_down_also_when_the_runner_is_armed(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(Duration::from_secs(600));
    runner.wait_for_phase(Phase::Armed, SOON);
    stage.abort("enough");
    runner.ended(SOON).assert(Phase::Aborted, 76);
    assert_eq!(turns(&target, "/teardown"), [(1, 1)]);
    assert_eq!(target.load_count(RUNNER), 0);
}

#[rstest]
fn a_setup_that_runs_is_ended_by_closing_its_connection(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(By::Abort, By::Signal)] by: By,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], "setup-hangs"));
    wait::until("setup() to run", SOON, || {
        (target.setup_count(RUNNER) == 1).then_some(())
    });
    let asked = Instant::now();
    let expected = match by {
        By::Abort => {
            stage.abort("enough");
            76
        }
        By::Signal => {
            runner.process().signal(Signal::SIGTERM);
            105
        }
        By::Deadline => unreachable!("it is not tried here"),
    };
    let ended = runner.ended(SOON);
    let took = ended.exit.at.monotonic - asked;
    println!("{by:?}: k6 gone after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    ended.assert(Phase::Aborted, expected);
    assert_eq!(
        (target.load_count(RUNNER), target.teardown_count(RUNNER)),
        (0, 0)
    );
}

#[rstest]
#[case::on_vus("threshold-on-vus-aborts")]
#[case::on_setup("threshold-on-setup-aborts")]
fn a_k6_that_a_threshold_ends_while_it_waits_is_a_failed_runner(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target).start(k6_run(&k6, &[], script));
    runner
        .ended(SOON)
        .assert(Phase::Failed, 99)
        .assert_reason("threshold");
    assert_eq!(target.load_count(RUNNER), 0);
}
