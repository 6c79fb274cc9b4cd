//! A runner that sees the ConfigMap come, change, go and come again, in any order.

use std::time::Duration;

use futures_util::StreamExt;
use rendezvous::{ReportEvent, Store};
use support::cluster;

use support::store_run::{Boards, CONFIG_MAP, Run, SOON, main_stage, put, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_there_first_sees_it_come_go_and_come_again() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let (scheduler, kubectl) = (run.of_scheduler().await, run.namespace.kubectl());
    let runner = run.of_runner(&run.agent(), "uid-1").await;

    let mut boards = Boards::of(&runner);
    assert_eq!(boards.plan(SOON).await, None);
    put(&scheduler, &run.plan("main", "one")).await;
    assert_eq!(boards.plan(SOON).await.as_deref(), Some("one"));
    put(&scheduler, &run.plan("main", "two")).await;
    assert_eq!(boards.plan(SOON).await.as_deref(), Some("two"));
    kubectl.run(["delete", "configmap", CONFIG_MAP]);
    assert_eq!(boards.plan(SOON).await, None);
    put(&scheduler, &run.plan("main", "three")).await;
    assert_eq!(boards.plan(SOON).await.as_deref(), Some("three"));
    scheduler.write_abort(&run.abort("why")).await.unwrap();
    let board = boards.next(SOON).await.unwrap();
    assert_eq!(board.abort, Ok(Some(run.abort("why"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_comes_later_sees_what_is_there_and_nothing_of_others_changes() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let (scheduler, kubectl) = (run.of_scheduler().await, run.namespace.kubectl());
    put(&scheduler, &run.plan("main", "one")).await;

    let runner = run.of_runner(&run.agent(), "uid-1").await;
    let mut boards = Boards::of(&runner);
    assert_eq!(boards.plan(SOON).await.as_deref(), Some("one"));
    kubectl.run(["label", "configmap", CONFIG_MAP, "team=blue"]);
    put(&scheduler, &run.plan("warmup", "other")).await;
    // Longer than a watch lasts, and than two polls take.
    boards.are_silent_for(Duration::from_secs(26)).await;
    put(&scheduler, &run.plan("main", "two")).await;
    assert_eq!(boards.plan(SOON).await.as_deref(), Some("two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_seen_come_change_and_go() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let (scheduler, kubectl) = (run.of_scheduler().await, run.namespace.kubectl());
    let runner = run.of_runner(&run.agent(), "uid-1").await;
    let (first, second) = (run.report("uid-1", 1), run.report("uid-1", 2));
    runner.publish(&first).await.unwrap();

    let mut events = scheduler.watch_reports(&run.id, &main_stage());
    let seen = |report, live| ReportEvent::Seen {
        report: Box::new(report),
        live,
    };
    let next = async |events: &mut futures_util::stream::BoxStream<'static, _>| {
        within(SOON, events.next()).await.unwrap()
    };
    assert_eq!(next(&mut events).await, Ok(seen(first, false)));
    runner.publish(&second).await.unwrap();
    assert_eq!(next(&mut events).await, Ok(seen(second.clone(), true)));
    assert_eq!(
        runner.read_report(&main_stage(), &second.runner).await,
        Ok(Ok(Some(second.clone())))
    );
    assert_eq!(scheduler.knows(&run.id).await, Ok(true));

    let lease = kubectl.json(["get", "lease", "tminus-uid-1-main"]);
    assert_eq!(lease["spec"]["holderIdentity"], "k6-uid-1");
    assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], "uid-1");
    assert!(lease["metadata"]["ownerReferences"][0]["blockOwnerDeletion"].is_null());

    kubectl.run(["delete", "lease", "tminus-uid-1-main"]);
    assert_eq!(
        next(&mut events).await,
        Ok(ReportEvent::Gone(second.runner.clone()))
    );
    assert_eq!(scheduler.knows(&run.id).await, Ok(false));
    // The runner does not know that it is gone, and writes on.
    let third = run.report("uid-1", 3);
    runner.publish(&third).await.unwrap();
    assert_eq!(next(&mut events).await, Ok(seen(third, true)));
}
