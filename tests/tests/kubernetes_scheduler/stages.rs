//! Two stages in one call.

use std::time::Duration;

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use serde_json::Value;
use support::{cluster, scheduler::Ended};

use crate::{
    agent::Manner,
    load::{Load, SOON, ended, well},
};

fn results(ended: &Ended) -> Vec<Value> {
    let lines = ended.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_second_stage_gathers_when_the_first_has_ended() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 2);
    let pods = load.pods("k6", 2);
    let scheduler = load.start("k6", ["--stage", "warmup", "--stage", "main", "--wait"]);
    let warmups = load.agents("k6", &pods, "warmup", Manner::default());
    for warmup in warmups {
        assert_eq!(warmup.ended().phase, Phase::Finished);
    }
    scheduler.wait_for_line("stage main", SOON);
    let threshold = Manner {
        code: 99,
        ..Manner::default()
    };
    let _mains = [
        load.agent("k6", &pods[0], "main", Manner::default()),
        load.agent("k6", &pods[1], "main", threshold),
    ];
    let ended = ended(&scheduler);
    ended.assert(99);
    let results = results(&ended);
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            (
                result["stage"].as_str().unwrap(),
                result["exit_code"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("warmup", 0), ("main", 99)]);
    let instant = |result: &Value| result["start_at"].as_str().unwrap().to_owned();
    assert!(instant(&results[0]) < instant(&results[1]));
}

#[test]
fn a_first_stage_that_does_not_start_ends_the_call_and_aborts_the_run() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 2);
    let pods = load.pods("k6", 2);
    let early = load.agent("k6", &pods[0], "main", Manner::default());
    let scheduler = load.start("k6", ["--stage", "warmup,main", "--max-wait", "5s"]);
    let ended = ended(&scheduler);
    ended.assert(75);
    assert_eq!(results(&ended).len(), 1);
    assert_eq!(early.ended().phase, Phase::Aborted);
}

#[test]
fn a_scheduler_run_again_after_the_first_stage_goes_on_with_the_second() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    let pods = load.pods("k6", 1);
    let stages = ["--stage", "warmup", "--stage", "main", "--wait"];
    let warmup = load.agents("k6", &pods, "warmup", Manner::default());
    let scheduler = load.start("k6", stages);
    scheduler.wait_for_line("stage main", Duration::from_secs(90));
    scheduler.signal(Signal::SIGKILL);
    scheduler.wait(SOON);
    drop(warmup);

    let again = load.start("k6", stages);
    again.wait_for_line("stage main", Duration::from_secs(90));
    let _main = load.agents("k6", &pods, "main", Manner::default());
    let ended = well(&again);
    let results = results(&ended);
    assert_eq!(results.len(), 2);
    assert!(
        results[0]["warnings"]
            .to_string()
            .contains("its result is shown again"),
        "{}",
        results[0]
    );
}

#[rstest]
#[case::by_default(&[], &[("warmup", 99), ("main", 0)])]
#[case::where_a_failure_is_to_end_it(&["--on-failure", "abort"], &[("warmup", 99)])]
fn a_warm_up_that_fails_keeps_main_from_starting_only_if_it_is_to(
    #[case] options: &[&str],
    #[case] expected: &[(&str, i64)],
) {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 2);
    let pods = load.pods("k6", 2);
    let stages = ["--stage", "warmup", "--stage", "main", "--wait"];
    let scheduler = load.start("k6", stages.iter().chain(options));
    let warmup = |pod, seconds, code| {
        let manner = Manner {
            load: Duration::from_secs(seconds),
            code,
            deaf: false,
        };
        load.agent("k6", pod, "warmup", manner)
    };
    let (failed, other) = (warmup(&pods[0], 1, 99), warmup(&pods[1], 8, 0));
    assert_eq!(failed.ended().exit_code, Some(99));
    let goes_on = options.is_empty();
    let phase = match goes_on {
        true => Phase::Finished,
        false => Phase::Aborted,
    };
    assert_eq!(other.ended().phase, phase);
    let main = load.agents("k6", &pods, "main", Manner::default());
    let ended = ended(&scheduler);
    ended.assert(99);
    let results = results(&ended);
    let told = results.iter().map(|result| {
        let code = result["exit_code"].as_i64().unwrap();
        (result["stage"].as_str().unwrap(), code)
    });
    assert!(told.eq(expected.iter().copied()), "{results:#?}");
    for main in main {
        assert_eq!(main.ended().phase, phase);
    }
}
