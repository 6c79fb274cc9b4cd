//! The Job: which one, from when on, and until when.

use serde_json::json;
use support::cluster;

use crate::{
    agent::Manner,
    load::{Load, SOON, codes, ended, well},
};

#[test]
fn a_job_that_is_made_later_is_waited_for_and_takes_its_quorum_from_the_job() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    let scheduler = load.start("k6", ["--wait"]);
    scheduler.wait_for_line("does not exist; waiting, 15m at most", SOON);
    // Kubernetes makes two pods of it.
    let run = load.make_job_with("k6", 3, &json!({"completions": 2}));
    let pods = load.pods("k6", 2);
    let agents = load.agents("k6", &pods, "main", Manner::default());
    let ended = well(&scheduler);
    let result = ended.result();
    assert_eq!(result.0["run"], run);
    assert_eq!(result.0["wanted"], 2);
    assert_eq!(
        codes(&result),
        pods.iter().map(|pod| (&*pod.name, 0)).collect()
    );
    drop(agents);
}

#[test]
fn a_job_that_is_over_does_not_count_and_the_next_one_of_its_name_is_waited_for() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    let yesterday = load.make_job("k6", 1);
    let pod = load.pods("k6", 1).remove(0);
    load.set_status(&pod, &json!({"phase": "Succeeded"}));
    load.kubectl.run([
        "wait",
        "job/k6",
        "--for=condition=Complete",
        "--timeout=60s",
    ]);

    let scheduler = load.start("k6", ["--wait"]);
    scheduler.wait_for_line(
        "is complete already; waiting for another one of that name",
        SOON,
    );
    load.kubectl.run(["delete", "job", "k6"]);
    let today = load.make_job("k6", 1);
    assert_ne!(today, yesterday);
    let pods = load.pods("k6", 1);
    let _agents = load.agents("k6", &pods, "main", Manner::default());
    assert_eq!(well(&scheduler).result().0["run"], today);
}

#[test]
fn what_yesterdays_run_left_neither_starts_nor_stops_anything() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    ended(&load.start("k6", ["--max-wait", "2s"])).assert(75);
    // Its ConfigMap, with a plan and an abort, is left behind.
    load.kubectl
        .run(["delete", "job", "k6", "--cascade=orphan"]);
    load.kubectl.run(["get", "configmap", "tminus-k6"]);

    let today = load.make_job("k6", 1);
    let pods = load.pods("k6", 1);
    let _agents = load.agents("k6", &pods, "main", Manner::default());
    let scheduler = load.start("k6", ["--wait"]);
    assert_eq!(well(&scheduler).result().0["run"], today);
}

#[test]
fn a_job_that_is_replaced_while_its_runners_are_awaited_ends_the_wait_and_costs_the_other_nothing()
{
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    let old = load.start("k6", ["--wait"]);
    old.wait_for_line("0/1 ready", SOON);
    load.kubectl.run(["delete", "job", "k6"]);
    let today = load.make_job("k6", 1);
    let new = load.start("k6", ["--wait"]);
    let ended = ended(&old);
    ended.assert(75);
    let message = ended.result().0["message"].to_string();
    assert!(
        message.contains("the quorum cannot come any more: the Job "),
        "{message}"
    );
    let _agents = load.agents("k6", &load.pods("k6", 1), "main", Manner::default());
    assert_eq!(well(&new).result().0["run"], today);
}

#[test]
fn a_suspended_job_is_told_and_waited_for() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job_with("k6", 1, &json!({"suspend": true}));
    let scheduler = load.start("k6", ["--max-wait", "3s"]);
    scheduler.wait_for_line("is suspended; waiting", SOON);
    ended(&scheduler)
        .assert(75)
        .assert_told("has not come within 3s: it is suspended");
}

#[test]
fn pods_that_a_quota_refuses_are_told_as_what_they_are() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.kubectl
        .run(["create", "quota", "small", "--hard=pods=1"]);
    load.make_job("k6", 2);
    let scheduler = load.start("k6", ["--max-wait", "20s"]);
    scheduler.wait_for_line("exceeded quota: small", SOON);
    let ended = ended(&scheduler);
    ended.assert(75);
    let message = ended.result().0["message"].as_str().unwrap().to_owned();
    assert!(message.contains("0/2 ready"), "{message}");
    assert!(message.contains("Pending: not scheduled yet"), "{message}");
    assert!(
        message.contains("1 not heard of yet (Job k6: FailedCreate: "),
        "{message}"
    );
    assert!(message.contains("exceeded quota: small"), "{message}");
    let told = ended
        .stderr
        .matches("warning: Job k6: FailedCreate")
        .count();
    assert_eq!(told, 1, "{}", ended.stderr);
}

#[test]
fn why_a_pod_does_not_start_is_told() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 2);
    let pods = load.pods("k6", 2);
    let scheduler = load.start("k6", ["--max-wait", "15s"]);
    load.set_status(
        &pods[0],
        &json!({"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/12 nodes are available: 12 Insufficient cpu.",
        }]}),
    );
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"k6\""}});
    load.set_status(
        &pods[1],
        &json!({"initContainerStatuses": [{
            "name": "z-warmup", "ready": false, "restartCount": 0, "image": "k6", "imageID": "", "state": waiting,
        }]}),
    );
    scheduler.wait_for_line(
        &format!(
            "{}: Pending: 0/12 nodes are available: 12 Insufficient cpu",
            pods[0].name
        ),
        SOON,
    );
    let pulling = "its init container z-warmup: ImagePullBackOff: Back-off pulling image \"k6\"";
    scheduler.wait_for_line(&format!("{}: {pulling}", pods[1].name), SOON);
    let ended = ended(&scheduler);
    ended.assert(75);
    let message = &ended.result().0["message"];
    assert!(
        message.as_str().unwrap().contains("12 Insufficient cpu"),
        "{message}"
    );
    assert!(
        message.as_str().unwrap().contains("ImagePullBackOff"),
        "{message}"
    );
}

#[test]
fn two_jobs_of_a_namespace_start_each_for_itself() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    let runs = ["one", "other"].map(|job| {
        let run = load.make_job(job, 1);
        let scheduler = load.start(job, ["--wait"]);
        let agents = load.agents(job, &load.pods(job, 1), "main", Manner::default());
        (run, scheduler, agents)
    });
    for (run, scheduler, _agents) in &runs {
        assert_eq!(well(scheduler).result().0["run"], *run);
    }
}
