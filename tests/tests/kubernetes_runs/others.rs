//! Runs that are not alone: yesterday's, and another Job's; and pods that are more than the quorum.

use std::fs;

use chrono::TimeDelta;
use rendezvous::Phase;
use support::{
    cluster,
    load_test::{ENDED_WITHIN, JOB, LoadTest, MAIN, ended},
    moment::Moment,
    wait,
};

use crate::load::{assert_together, count};

#[test]
fn the_plan_of_a_deleted_job_starts_nothing_in_one_of_the_same_name() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 1, "2s", &[]).without_warmup();
    let kubectl = load_test.kubectl();
    load_test.apply();
    let yesterday = load_test.start(&[MAIN]);
    let old = load_test.pods().wait_for_phase(0, MAIN, Phase::Armed);
    drop(yesterday);
    // With an instant that is still to come, and without an owner to go with.
    kubectl.run(["delete", "job", JOB, "--cascade=orphan"]);
    kubectl.run(["delete", "pod", &old.name, "--wait=false"]);
    let plan = kubectl.json(["get", "configmap", "tminus-load-test"]);
    assert!(
        plan["data"]["plan-main.json"]
            .as_str()
            .unwrap()
            .contains("start_at"),
        "{plan:#}"
    );

    load_test.apply_job();
    let pod = load_test.pods().wait_for_phase(0, MAIN, Phase::Ready);
    assert_ne!(pod.uid, old.uid);
    let scheduler = load_test.start(&[MAIN]);
    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    assert_together(&load_test, &[pod], "/main", &result);
    let new = kubectl.json(["get", "configmap", "tminus-load-test"]);
    let job = kubectl.json(["get", "job", JOB]);
    assert_eq!(
        new["metadata"]["ownerReferences"][0]["uid"],
        job["metadata"]["uid"]
    );
    assert_eq!(count(&load_test, &old, "/main"), 0);
}

#[test]
fn two_jobs_at_once_in_one_namespace_do_not_disturb_each_other() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "2s", &["main-1"]).without_warmup();
    let manifests = load_test.manifests();
    manifests.change(
        "setup/agent.yaml",
        "[tminus-load-test]",
        "[tminus-load-test, tminus-another]",
    );
    load_test.apply();
    let job = fs::read_to_string(manifests.file("job/job.yaml")).unwrap();
    let another = job
        .replace("name: load-test\n  namespace: load-test", "name: another")
        // It holds back nobody.
        .replace("'main-1'", "''");
    load_test.kubectl().apply(&another);

    let first = load_test.start(&[MAIN]);
    let second = load_test.start_of("another", &[MAIN]).start();
    let ended_second = ended(&second);
    let result_of_second = ended_second.assert(0).result();
    let (of_first, of_second): (Vec<_>, Vec<_>) = load_test
        .pods()
        .all()
        .into_iter()
        .partition(|pod| pod.name.starts_with(JOB));
    assert_eq!((of_first.len(), of_second.len()), (2, 2));
    assert_together(&load_test, &of_second, "/main", &result_of_second);
    assert!(
        of_first
            .iter()
            .all(|pod| count(&load_test, pod, "/main") == 0)
    );

    load_test.release("main-1");
    let ended_first = ended(&first);
    let result_of_first = ended_first.assert(0).result();
    assert_together(&load_test, &of_first, "/main", &result_of_first);
    assert!(result_of_first.start_at() > result_of_second.start_at());
}

#[test]
fn pods_that_are_more_than_the_quorum_start_with_it() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 3, "2s", &[]).without_warmup();
    load_test.apply();
    let pods = load_test.pods().wait_for_all(3, MAIN, Phase::Ready);
    let scheduler = load_test
        .start_of(JOB, &[MAIN])
        .args(["--runners", "2"])
        .start();
    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    assert_together(&load_test, &pods, "/main", &result);
    assert_eq!(
        result.0["runners"].as_array().unwrap().len(),
        3,
        "{:#}",
        result.0
    );
}

#[test]
fn a_pod_that_comes_after_the_instant_of_a_smaller_quorum_is_late() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 3, "10s", &["main-2"]).without_warmup();
    load_test.apply();
    let quorum = [
        "--min-runners",
        "2",
        "--grace-period",
        "1s",
        "--late-tolerance",
        "1s",
    ];
    let scheduler = load_test.start_of(JOB, &[MAIN]).args(quorum).start();
    let pods = load_test.pods().wait_for_all(2, MAIN, Phase::Armed);
    let late = load_test.pods().wait_for_phase(2, MAIN, Phase::Starting);
    wait::until("the tolerance to be over", ENDED_WITHIN, || {
        let began = load_test.target().hits(&pods[0].name, "/main")?.first;
        (Moment::now().utc - began.utc > TimeDelta::seconds(2)).then_some(())
    });
    load_test.release("main-2");

    let ended = ended(&scheduler);
    let result = ended.assert(78).result();
    assert_together(&load_test, &pods, "/main", &result);
    let (code, message) = load_test.pods().wait_for_end(&late, MAIN);
    assert_eq!(code, 74, "{message}");
    assert_eq!(count(&load_test, &late, "/main"), 0);
}
