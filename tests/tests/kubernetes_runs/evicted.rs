//! Pods that are evicted while they wait, as when a node is drained, and those that come in their place.

use rendezvous::Phase;
use support::{
    cluster,
    load_test::{ENDED_WITHIN, JOB, LoadTest, MAIN, WARMUP, ended},
};

use crate::load::{assert_together, count};

#[test]
fn a_pod_that_is_evicted_while_it_waits_is_replaced_in_either_stage() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "2s", &["warmup-1", "main-1"]);
    let pods = load_test.pods();
    load_test.apply();
    let scheduler = load_test.start(&[WARMUP, MAIN]);

    let first = pods.wait_for_phase(0, WARMUP, Phase::Ready);
    pods.evict(&first);
    let second = pods.wait_for_phase(0, WARMUP, Phase::Ready);
    assert_ne!(first.uid, second.uid);
    load_test.release("warmup-1");
    let mut warmed_up = pods.wait_for_all(2, WARMUP, Phase::Armed);
    assert_eq!(warmed_up[0].uid, second.uid);

    scheduler.wait_for_line("stage main", ENDED_WITHIN);
    let second = pods.wait_for_phase(0, MAIN, Phase::Ready);
    pods.evict(&second);
    let third = pods.wait_for_phase(0, MAIN, Phase::Ready);
    assert_ne!(second.uid, third.uid);
    load_test.release("main-1");

    let ended = ended(&scheduler);
    ended.assert(0);
    let results = ended.results();
    assert_together(&load_test, &warmed_up, "/warmup", &results[0]);
    // Too late for the warm-up, which it does without.
    assert_eq!(pods.wait_for_end(&third, "z-warmup").0, 0);
    assert_eq!(count(&load_test, &third, "/warmup"), 0);
    warmed_up[0] = third;
    assert_together(&load_test, &warmed_up, "/main", &results[1]);
    load_test.kubectl().run([
        "wait",
        "job",
        JOB,
        "--for=condition=Complete",
        "--timeout=60s",
    ]);
}
