//! A pod for which there is no room yet.

use std::{thread::sleep, time::Duration};

use rendezvous::Phase;
use serde_json::json;
use support::{
    cluster::{self, Cluster, NODE_NAME},
    load_test::{LoadTest, MAIN, PODS_WITHIN, ended},
};

use crate::load::assert_together;

/// How long the pod is held back.
const HELD_FOR: Duration = Duration::from_secs(30);

#[test]
fn nobody_starts_before_the_last_pod_has_found_room_and_the_scheduler_says_what_it_waits_for() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "2s", &[]).without_warmup();
    // What only these pods want, and the node has but one of.
    let seat = format!("example.com/{}", load_test.namespace().name());
    load_test
        .change("memory: 256Mi}", &format!("memory: 256Mi, {seat}: 1}}"))
        .change("{memory: 512Mi}", &format!("{{memory: 512Mi, {seat}: 1}}"));
    offer(cluster, &seat, 1);
    load_test.apply();
    let scheduler = load_test.start(&[MAIN]);
    let why = scheduler.wait_for_line(&format!("Insufficient {seat}"), PODS_WITHIN);
    assert!(
        why.contains("1/2 ready") || why.contains("0/2 ready"),
        "{why}"
    );
    sleep(HELD_FOR);
    assert!(
        !scheduler.stderr().contains("start set"),
        "{}",
        scheduler.stderr()
    );
    assert!(load_test.target().first_requests().is_empty());

    offer(cluster, &seat, 2);
    let pods = load_test.pods().wait_for_all(2, MAIN, Phase::Armed);
    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    assert_together(&load_test, &pods, "/main", &result);
}

/// Lets the node have so many of a thing that the kubelet does not count by itself.
fn offer(cluster: &Cluster, resource: &str, number: usize) {
    let number = json!({ resource: number.to_string() });
    let status = json!({"status": {"capacity": number, "allocatable": number}});
    let patch = status.to_string();
    cluster.kubectl().run([
        "patch",
        "node",
        NODE_NAME,
        "--subresource=status",
        "--type=merge",
        "--patch",
        &patch,
    ]);
}
