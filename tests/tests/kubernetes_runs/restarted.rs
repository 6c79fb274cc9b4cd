//! Containers that are run again in the same pod, by a Job that lets them.

use std::time::Duration;

use rendezvous::Phase;
use support::{
    cluster,
    load_test::{ENDED_WITHIN, LoadTest, MAIN, WARMUP, ended},
    moment::Moment,
};

use crate::load::{assert_together, count};

/// How long a request may be under way while its sender is being killed.
const UNDER_WAY: Duration = Duration::from_secs(2);

#[test]
fn a_container_restarted_after_the_start_makes_no_second_load() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "10s", &[])
        .without_warmup()
        .restarting(3);
    load_test.apply();
    let scheduler = load_test.start(&[MAIN]);
    let pods = load_test.pods().wait_for_all(2, MAIN, Phase::Running);
    LoadTest::kill_agent(&pods[0]);
    let killed = Moment::now();

    // It is run again, and ends at once.
    let message = load_test
        .pods()
        .wait_for("the end of the second process", |all| {
            let pod = all.iter().find(|pod| pod.uid == pods[0].uid)?;
            let status = pod.container(MAIN)?;
            // Until it is run once more, and from then on.
            let states = [&status.state, &status.last_state];
            let mut ends = states.into_iter().flatten();
            let end = ends.find_map(|state| state.terminated.as_ref())?;
            (end.exit_code == 77).then(|| end.message.clone())
        });
    let message = message.unwrap();
    assert!(message.contains("used the stage up"), "{message}");
    let ended = ended(&scheduler);
    let result = ended.assert(78).result();
    assert_together(&load_test, &pods, "/main", &result);
    assert!(
        result.0["faults"].to_string().contains(&pods[0].name),
        "{:#}",
        result.0
    );
    let last = load_test
        .target()
        .hits(&pods[0].name, "/main")
        .unwrap()
        .last;
    assert!(last.monotonic < killed.monotonic + UNDER_WAY);
    assert_eq!(load_test.pods().wait_for_end(&pods[1], MAIN).0, 0);
}

#[test]
fn a_pod_that_loses_its_sandbox_while_it_waits_for_main_is_not_warmed_up_twice() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "2s", &["main-1"]).restarting(3);
    load_test.apply();
    let scheduler = load_test.start(&[WARMUP, MAIN]);
    scheduler.wait_for_line("stage main", ENDED_WITHIN);
    let pod = load_test.pods().wait_for_phase(0, MAIN, Phase::Ready);
    let warmed_up = count(&load_test, &pod, "/warmup");
    assert!(warmed_up > 0);
    load_test.lose_sandbox(&pod);
    load_test
        .pods()
        .wait_for("its init container to have been run again", |all| {
            let pod = all.iter().find(|it| it.uid == pod.uid)?;
            (pod.container("z-warmup")?.restart_count > 0).then_some(())
        });
    load_test.release("main-1");

    let ended = ended(&scheduler);
    ended.assert(0);
    let pods = load_test.pods().all();
    assert_eq!(pods[0].uid, pod.uid);
    assert_together(&load_test, &pods, "/main", &ended.results()[1]);
    assert_eq!(count(&load_test, &pod, "/warmup"), warmed_up);
}
