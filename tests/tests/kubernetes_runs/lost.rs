//! Pods that are deleted, or lose their sandbox.

use rendezvous::Phase;
use support::{
    cluster,
    load_test::{ENDED_WITHIN, LoadTest, MAIN, ended},
    wait,
};

use crate::load::{assert_together, count};

#[test]
fn a_pod_deleted_while_it_waits_ends_the_wait_at_once_since_its_index_has_failed() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "2s", &["main-1"]).without_warmup();
    load_test.apply();
    let scheduler = load_test.start(&[MAIN]);
    let deleted = load_test.pods().wait_for_phase(0, MAIN, Phase::Ready);
    let other = load_test.pods().wait_for_phase(1, MAIN, Phase::Starting);
    load_test
        .kubectl()
        .run(["delete", "pod", &deleted.name, "--wait=false"]);

    let ended = ended(&scheduler);
    ended
        .assert(75)
        .result()
        .assert_ending("quorum_impossible", "it gave up index 0");
    // The other is not left waiting.
    let (code, message) = load_test.pods().wait_for_end(&other, MAIN);
    assert_eq!(code, 76, "{message}");
    assert!(load_test.target().first_requests().is_empty());
}

#[test]
fn pods_lost_after_the_start_are_named_and_the_others_run_on() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 3, "15s", &[]).without_warmup();
    load_test.apply();
    let scheduler = load_test.start(&[MAIN]);
    let pods = load_test.pods().wait_for_all(3, MAIN, Phase::Armed);
    wait::until("the load of all three", ENDED_WITHIN, || {
        pods.iter()
            .all(|pod| count(&load_test, pod, "/main") > 0)
            .then_some(())
    });
    load_test
        .kubectl()
        .run(["delete", "pod", &pods[0].name, "--wait=false"]);
    load_test.lose_sandbox(&pods[1]);

    let ended = ended(&scheduler);
    let result = ended.assert(78).result();
    assert_together(&load_test, &pods, "/main", &result);
    let faults = result.0["faults"].to_string();
    assert!(
        faults.contains(&pods[0].name) && faults.contains(&pods[1].name),
        "{faults}"
    );
    assert!(!faults.contains(&pods[2].name), "{faults}");
    let (code, message) = load_test.pods().wait_for_end(&pods[2], MAIN);
    assert_eq!(code, 0, "{message}");
    // Some ten requests a second, in 15 s.
    assert!(count(&load_test, &pods[2], "/main") > 50);
}
