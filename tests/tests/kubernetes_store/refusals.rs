//! What an API server refuses for other reasons than missing rights.

use rendezvous::{Store, StoreError};
use support::{cluster, wait};

use support::store_run::{Run, SOON, main_stage};

fn unavailable(error: StoreError, says: &str) {
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains(says), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exceeded_quota_is_told_as_that() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let kubectl = run.namespace.kubectl();
    kubectl.run([
        "create",
        "quota",
        "q",
        "--hard=count/leases.coordination.k8s.io=0,count/configmaps=0",
    ]);
    // What a controller would do.
    let status = r#"{"status": {
        "hard": {"count/leases.coordination.k8s.io": "0", "count/configmaps": "0"},
        "used": {"count/leases.coordination.k8s.io": "0", "count/configmaps": "0"}
    }}"#;
    kubectl.run([
        "patch",
        "quota",
        "q",
        "--subresource=status",
        "--type=merge",
        "--patch",
        status,
    ]);
    let runner = run.of_runner(&run.agent(), "uid-1").await;
    // The API server notices a quota a moment later.
    wait::until("the quota to count", SOON, || {
        kubectl
            .attempt(["create", "configmap", "probe"])
            .err()
            .or_else(|| {
                kubectl.run(["delete", "configmap", "probe"]);
                None
            })
    });
    let error = runner.publish(&run.report("uid-1", 1)).await.unwrap_err();
    unavailable(error, "exceeded quota: q");
    let error = run
        .of_scheduler()
        .await
        .write_abort(&run.abort("why"))
        .await
        .unwrap_err();
    unavailable(error, "exceeded quota: q");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_goes_away_is_told_as_that() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let (agent, scheduler) = (run.agent(), run.of_scheduler().await);
    let runner = run.of_runner(&agent, "uid-1").await;
    // Without a controller it stays as it is then.
    let kubectl = run.namespace.kubectl();
    kubectl.run(["delete", "namespace", run.namespace.name(), "--wait=false"]);
    let error = runner.publish(&run.report("uid-1", 1)).await.unwrap_err();
    unavailable(error, "because it is being terminated");
    let error = scheduler.write_abort(&run.abort("why")).await.unwrap_err();
    unavailable(error, "because it is being terminated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_none_is_told_as_that_and_no_missing_right() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let proxy = cluster.proxy();
    let kubeconfig = cluster.kubeconfig_through(&proxy, "nonsense", run.namespace.name());
    let runner = run.of_runner_at(&kubeconfig, "uid-1").await;
    let error = runner.read(&main_stage()).await.unwrap_err();
    unavailable(error, "401");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_that_cannot_be_changed_is_told_as_that() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let scheduler = run.of_scheduler().await;
    scheduler.write_abort(&run.abort("why")).await.unwrap();
    let kubectl = run.namespace.kubectl();
    let immutable = r#"{"immutable": true}"#;
    kubectl.run([
        "patch",
        "configmap",
        support::store_run::CONFIG_MAP,
        "--type=merge",
        "--patch",
        immutable,
    ]);
    let read = scheduler.read(&main_stage()).await.unwrap();
    let plan = run.plan("main", "one");
    let error = scheduler
        .write_plan(&plan, &read.revision)
        .await
        .unwrap_err();
    unavailable(error, "field is immutable");
}
