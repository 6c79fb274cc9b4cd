//! What the shipped Roles allow is enough, and what is missing is named.

use std::time::Duration;

use futures_util::StreamExt;
use rendezvous::{Store, StoreError};
use support::cluster;

use support::store_run::{Boards, CONFIG_MAP, Run, SOON, main_stage, put, within};

/// The longest until the next poll, and some more on a busy machine.
const POLLED: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_roles_are_enough_for_both_sides() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    run.apply("scheduler.yaml", |shipped| shipped);
    let scheduler = run.namespace.account("tminus-scheduler");
    let scheduler = run.of_scheduler_at(&scheduler.kubeconfig).await;
    let runner = run.of_runner(&run.agent(), "uid-1").await;

    assert_eq!(scheduler.knows(&run.id).await, Ok(false));
    let mut boards = Boards::of(&runner);
    assert_eq!(boards.plan(SOON).await, None);
    put(&scheduler, &run.plan("main", "one")).await;
    assert_eq!(boards.plan(SOON).await.as_deref(), Some("one"));
    let report = run.report("uid-1", 1);
    assert_eq!(
        runner.read_report(&main_stage(), &report.runner).await,
        Ok(Ok(None))
    );
    runner.publish(&report).await.unwrap();
    runner.publish(&run.report("uid-1", 2)).await.unwrap();
    let mut events = scheduler.watch_reports(&run.id, &main_stage());
    within(SOON, events.next()).await.unwrap().unwrap();
    scheduler.write_abort(&run.abort("why")).await.unwrap();
    assert!(boards.next(SOON).await.unwrap().abort.unwrap().is_some());

    // An earlier Job's is deleted, for which it takes a right more.
    let again = Run {
        id: rendezvous::RunId::random(),
        ..run
    };
    let account = again.namespace.account("tminus-scheduler");
    put(
        &again.of_scheduler_at(&account.kubeconfig).await,
        &again.plan("main", "two"),
    )
    .await;
    boards.until("two", SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_list_and_watch_leaves_polling() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    for verbs in ["[get]", "[get, list]"] {
        let run = Run::new(cluster);
        run.apply("agent.yaml", |shipped| {
            assert!(shipped.contains("verbs: [get, list, watch]"));
            shipped.replace("verbs: [get, list, watch]", &format!("verbs: {verbs}"))
        });
        let account = run.namespace.account("tminus-agent");
        let mut boards = Boards::of(&run.of_runner(&account, "uid-1").await);
        assert_eq!(boards.plan(SOON).await, None);
        put(&run.of_scheduler().await, &run.plan("main", "one")).await;
        assert_eq!(boards.plan(POLLED).await.as_deref(), Some("one"), "{verbs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_at_once_and_forgotten_when_it_is_granted() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let account = run.namespace.account("tminus-agent");
    let runner = run.of_runner(&account, "uid-1").await;
    let mut boards = Boards::of(&runner);
    let namespace = run.namespace.name();
    let who = format!("service account tminus-agent of namespace {namespace}");

    let error = boards.next(SOON).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    let rule = format!(
        "Bind {who} to a Role in namespace {namespace} with the rule {{apiGroups: [\"\"], \
         resources: [\"configmaps\"], resourceNames: [\"{CONFIG_MAP}\"], verbs: [\"get\"]}}"
    );
    assert!(error.to_string().ends_with(&rule), "{error}");
    let error = runner.publish(&run.report("uid-1", 1)).await.unwrap_err();
    let text = error.to_string();
    let tried =
        format!("may not create leases tminus-uid-1-main in namespace {namespace} as {who}");
    assert!(text.starts_with(&tried), "{text}");
    let rule =
        "{apiGroups: [\"coordination.k8s.io\"], resources: [\"leases\"], verbs: [\"create\"]}";
    assert!(text.ends_with(rule), "{text}");

    run.agent();
    assert_eq!(boards.plan(POLLED).await, None);
    runner.publish(&run.report("uid-1", 1)).await.unwrap();
}
