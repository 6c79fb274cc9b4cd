//! Starts that end early, and what becomes of the runners then.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use serde_json::json;
use support::{cluster, wait};

use crate::{
    agent::Manner,
    load::{Load, SOON, codes, ended, well},
    signals::assert_ends_at_once,
};

/// A load that outlasts the test that is to end it.
const LONG: Manner = Manner {
    load: Duration::from_secs(600),
    code: 0,
    deaf: false,
};

#[test]
fn a_pod_that_was_deleted_ends_the_wait_and_the_other_runners_are_told() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 2);
    let pods = load.pods("k6", 2);
    let scheduler = load.start("k6", ["--wait"]);
    let waiting = load.agent("k6", &pods[0], "main", Manner::default());
    scheduler.wait_for_line(&format!("{} is ready", pods[0].name), SOON);
    let began = Instant::now();
    load.kubectl.run(["delete", "pod", &pods[1].name]);
    let ended = ended(&scheduler);
    assert!(began.elapsed() < Duration::from_secs(60));
    ended.assert(75).assert_told(&pods[1].name);
    let message = ended.result().0["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("the quorum cannot come any more: the Job brings no more than 1 runner, as it gave up index 1"),
        "{message}"
    );
    assert_eq!(waiting.ended().phase, Phase::Aborted);
}

#[rstest]
#[case::deleted(&["delete", "job", "k6", "--cascade=foreground", "--wait=false"], "deleted")]
#[case::failed(
    &["patch", "job", "k6", "--type=merge", "--patch", r#"{"spec":{"activeDeadlineSeconds":1}}"#],
    "the Job has failed (DeadlineExceeded"
)]
fn a_job_that_ends_ends_the_wait(#[case] command: &[&str], #[case] told: &str) {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    load.pods("k6", 1);
    let scheduler = load.start("k6", ["--wait"]);
    scheduler.wait_for_line("0/1 ready", SOON);
    load.kubectl.run(command);
    let ended = ended(&scheduler);
    ended.assert(75);
    let message = &ended.result().0["message"];
    assert!(message.as_str().unwrap().contains(told), "{message}");
}

#[test]
fn an_evicted_pod_is_replaced_and_its_end_is_none_of_the_start() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    let ignored = json!({"podFailurePolicy": {"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    ]}});
    load.make_job_with("k6", 1, &ignored);
    let evicted = load.pods("k6", 1).remove(0);
    let scheduler = load.start("k6", ["--wait"]);
    scheduler.wait_for_line("0/1 ready", SOON);
    load.set_status(
        &evicted,
        &json!({
            "phase": "Failed",
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                            "message": "Eviction API: evicting"}],
            "containerStatuses": [{"name": "main", "ready": false, "restartCount": 0, "image": "k6", "imageID": "",
                                   "state": {"terminated": {"exitCode": 143, "reason": "Error"}}}],
        }),
    );
    scheduler.wait_for_line(
        &format!(
            "{} ended without a word (143): EvictionByEvictionAPI",
            evicted.name
        ),
        SOON,
    );
    let mut pods = load.pods("k6", 2);
    pods.retain(|pod| *pod != evicted);
    let _agents = load.agents("k6", &pods, "main", Manner::default());
    let result = well(&scheduler).result();
    let expected = [(&*evicted.name, 143), (&*pods[0].name, 0)];
    assert_eq!(codes(&result), expected.into());
}

#[rstest]
#[case::while_gathering(Manner { deaf: true, ..LONG }, 2, "1/2 ready")]
#[case::while_counting_down(LONG, 1, "1/1 armed")]
#[case::while_the_load_runs(LONG, 1, "1 running, 0/1 ended")]
fn a_cancelled_pipeline_leaves_no_load(
    #[case] manner: Manner,
    #[case] pods: u32,
    #[case] when: &str,
    #[values(Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP)] signal: Signal,
) {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", pods);
    let scheduler = load.start("k6", ["--wait"]);
    let pod = load.pods("k6", pods as usize).remove(0);
    let agent = load.agent(
        "k6",
        &pod,
        "main",
        Manner {
            deaf: false,
            ..manner
        },
    );
    scheduler.wait_for_line(when, SOON);
    assert_ends_at_once(&scheduler, &[signal]);
    let report = agent.ended();
    assert_eq!((report.phase, report.exit_code), (Phase::Aborted, Some(76)));
}

#[test]
fn a_scheduler_that_was_killed_goes_on_when_it_is_run_again() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    let pods = load.pods("k6", 1);
    let manner = Manner {
        load: Duration::from_secs(8),
        ..Manner::default()
    };
    let scheduler = load.start("k6", ["--wait"]);
    let _agents = load.agents("k6", &pods, "main", manner);
    scheduler.wait_for_line("1/1 armed", SOON);
    scheduler.signal(Signal::SIGKILL);
    scheduler.wait(SOON);
    let again = load.start("k6", ["--wait"]);
    again.wait_for_line(
        "another scheduler of this run has set the instant; following it",
        SOON,
    );
    let result = well(&again).result();
    assert_eq!(result.0["started"], 1);
}

#[test]
fn an_abort_by_hand_reaches_runners_before_any_scheduler_came() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    let pods = load.pods("k6", 1);
    let agent = load.agent("k6", &pods[0], "main", Manner::default());
    let abort = load
        .command("abort", ["--job", "k6", "--why", "enough"])
        .start();
    well(&abort);
    assert_eq!(agent.ended().phase, Phase::Aborted);
    let status = load.command("status", ["--job", "k6"]).start();
    let status: serde_json::Value = serde_json::from_str(&well(&status).stdout).unwrap();
    assert_eq!(status["abort"]["why"], "enough");
    assert_eq!(status["runners"][0]["name"], pods[0].name);
    ended(&load.start("k6", ["--max-wait", "9s"])).assert(76);
}

#[test]
fn a_runner_that_does_not_arm_keeps_all_from_starting_if_so_wanted() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 2);
    let pods = load.pods("k6", 2);
    let good = load.agent("k6", &pods[0], "main", Manner::default());
    let deaf = Manner {
        deaf: true,
        ..Manner::default()
    };
    let _deaf = load.agent("k6", &pods[1], "main", deaf);
    let scheduler = load.start("k6", ["--wait", "--unarmed", "abort"]);
    let ended = ended(&scheduler);
    ended.assert(76);
    let result = ended.result();
    assert_eq!(result.0["result"], "unarmed");
    assert!(
        result.0["message"]
            .as_str()
            .unwrap()
            .contains(&pods[1].name),
        "{result:?}"
    );
    let report = good.ended();
    assert_eq!((report.phase, report.start), (Phase::Aborted, None));
}

#[test]
fn a_lease_that_goes_with_its_pod_after_the_end_changes_nothing() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 2);
    let pods = load.pods("k6", 2);
    let scheduler = load.start("k6", ["--wait"]);
    let manner = |seconds| Manner {
        load: Duration::from_secs(seconds),
        ..Manner::default()
    };
    let first = load.agent("k6", &pods[0], "main", manner(2));
    let _second = load.agent("k6", &pods[1], "main", manner(12));
    assert_eq!(first.ended().phase, Phase::Finished);
    load.kubectl.run(["delete", "pod", &pods[0].name]);
    wait::until("the end of its Lease", SOON, || {
        let leases = load.kubectl.run(["get", "leases", "--output=name"]);
        (!leases.contains(&pods[0].uid)).then_some(())
    });
    let result = well(&scheduler).result();
    let expected = [(&*pods[0].name, 0), (&*pods[1].name, 0)];
    assert_eq!(codes(&result), expected.into());
}
