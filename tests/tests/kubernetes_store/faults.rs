//! Connections that swallow everything, and an API server that is away.

use std::time::Duration;

use futures_util::future::join_all;
use rendezvous::{Store, kubernetes::LONGEST_CALL};
use support::cluster::{self, Cluster};
use tokio::time::{Instant, sleep};

use crate::run::{Boards, Run, SOON, put};

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

#[tokio::test(flavor = "multi_thread")]
async fn twenty_runners_come_back_without_a_storm_when_the_api_server_does() {
    const RUNNERS: usize = 20;
    const AWAY: Duration = Duration::from_secs(60);
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (run, proxy) = (Run::new(&cluster), cluster.proxy());
    let agent = run.agent();
    let uids: Vec<String> = (0..RUNNERS).map(|number| format!("uid-{number}")).collect();
    let stores = uids
        .iter()
        .map(|uid| run.of_runner_through(&cluster, &proxy, &agent, uid));
    let stores = join_all(stores).await;
    let mut boards: Vec<Boards> = stores.iter().map(Boards::of).collect();
    for boards in &mut boards {
        assert_eq!(boards.plan(SOON).await, None);
    }

    cluster.kill_api();
    let before = proxy.connections();
    // They go on by themselves while they are waited on.
    let followed = boards
        .iter_mut()
        .map(|boards| boards.until("one", AWAY * 3));
    let followed = join_all(followed);
    let outage = async {
        sleep(AWAY).await;
        // Each attempt is a connection, as none of them leads anywhere.
        let attempts = proxy.connections() - before;
        tokio::task::block_in_place(|| cluster.start_api());
        put(&run.of_scheduler().await, &run.plan("main", "one")).await;
        (attempts, Instant::now())
    };
    let ((attempts, published), _) = tokio::join!(outage, followed);
    let took = published.elapsed();
    let most = RUNNERS * AWAY.as_secs() as usize;
    assert!(
        (RUNNERS..=most).contains(&attempts),
        "{attempts} attempts in {AWAY:?}"
    );
    // The longest pause is 5 s.
    assert!(
        took < Duration::from_secs(10),
        "the last runner knew after {took:?}"
    );

    let user = format!(
        "system:serviceaccount:{}:tminus-agent",
        run.namespace.name()
    );
    let since = chrono::TimeDelta::seconds(10);
    let requests = cluster.requests();
    let last = requests.iter().map(|request| request.at).max().unwrap();
    let of_agents = requests
        .iter()
        .filter(|request| request.user.username == user);
    let back = of_agents
        .filter(|request| last - request.at < since)
        .count();
    // A list, a watch and a poll each, and what a second try of some takes.
    assert!(back <= RUNNERS * 8, "{back} requests when it was back");
}
