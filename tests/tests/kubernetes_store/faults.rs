//! Connections that swallow everything, and a server that answers nobody.

use std::time::Duration;

use rendezvous::{Store, kubernetes::LONGEST_CALL};
use support::cluster;
use tokio::time::Instant;

use support::store_run::{Boards, Run, SOON, put};

/// The longest until a runner polls, and the time that one poll is given.
const POLLED: Duration = Duration::from_secs(12 + 5);

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_comes_through_although_all_connections_swallow_everything() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let (run, proxy) = (Run::new(cluster), cluster.proxy());
    let (agent, scheduler) = (run.agent(), run.of_scheduler().await);
    let runner = run
        .of_runner_through(cluster, &proxy, &agent, "uid-1")
        .await;
    let mut boards = Boards::of(&runner);
    assert_eq!(boards.plan(SOON).await, None);
    runner.publish(&run.report("uid-1", 1)).await.unwrap();

    proxy.swallow_present();
    put(&scheduler, &run.plan("main", "one")).await;
    boards.until("one", POLLED + SOON).await;

    // And a report, at the second try if the first went over a connection that is lost.
    proxy.swallow_present();
    let began = Instant::now();
    let report = run.report("uid-1", 2);
    if runner.publish(&report).await.is_err() {
        runner.publish(&report).await.unwrap();
    }
    let took = began.elapsed();
    assert!(took < LONGEST_CALL + SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_nobody_for_a_while_is_found_again() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let (run, proxy) = (Run::new(cluster), cluster.proxy());
    let (agent, scheduler) = (run.agent(), run.of_scheduler().await);
    let runner = run
        .of_runner_through(cluster, &proxy, &agent, "uid-1")
        .await;
    let mut boards = Boards::of(&runner);
    assert_eq!(boards.plan(SOON).await, None);

    proxy.swallow_all();
    let error = boards.next(POLLED + SOON).await.unwrap_err();
    assert!(
        error.to_string().contains("not answered in time"),
        "{error}"
    );
    proxy.serve_again();
    put(&scheduler, &run.plan("main", "one")).await;
    boards.until("one", LONGEST_CALL + SOON).await;
}
