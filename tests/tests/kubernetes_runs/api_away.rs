//! An API server that is away when it is needed no more.

use rendezvous::Phase;
use support::{
    cluster::Cluster,
    load_test::{ENDED_WITHIN, LoadTest, MAIN, RunnerProcess, ended},
    wait,
};

use crate::load::{assert_together, count};

#[test]
fn runners_that_are_armed_start_on_time_without_an_api_server() {
    let Some(cluster) = Cluster::start_with_node() else {
        return;
    };
    // The load is under way until the API server is back, however long that takes on a busy machine.
    let load_test = LoadTest::short(&cluster, 3, "30s", &[]).without_warmup();
    load_test.apply();
    let scheduler = load_test.start(&[MAIN]);
    let pods = load_test.pods().wait_for_all(3, MAIN, Phase::Armed);
    cluster.kill_api();
    wait::until("the load of all three", ENDED_WITHIN, || {
        pods.iter()
            .all(|pod| count(&load_test, pod, "/main") > 0)
            .then_some(())
    });
    assert!(scheduler.exited().is_none(), "{}", scheduler.stderr());
    cluster.start_api();

    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    assert_together(&load_test, &pods, "/main", &result);
}

#[test]
fn a_load_that_begins_and_ends_without_an_api_server_is_told_when_it_is_back() {
    let Some(cluster) = Cluster::start_with_node() else {
        return;
    };
    let load_test = LoadTest::short(&cluster, 2, "2s", &[]).without_warmup();
    load_test.apply();
    let scheduler = load_test.start(&[MAIN]);
    let pods = load_test.pods().wait_for_all(2, MAIN, Phase::Armed);
    cluster.kill_api();
    wait::until("the end of both", ENDED_WITHIN, || {
        pods.iter()
            .all(|pod| {
                count(&load_test, pod, "/main") > 0 && RunnerProcess::all_of(&pod.uid).is_empty()
            })
            .then_some(())
    });
    cluster.start_api();

    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    assert_together(&load_test, &pods, "/main", &result);
    for runner in result.0["runners"].as_array().unwrap() {
        assert!(runner["lateness_ns"].is_i64(), "{runner:#}");
    }
}
