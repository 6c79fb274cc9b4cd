//! Whose the ConfigMap is: a Job's of today, of yesterday, or somebody else's.

use std::time::Duration;

use rendezvous::{RunId, Store};
use serde_json::{Value, json};
use support::{
    cluster::{self, Cluster, Kubectl},
    wait,
};

use support::store_run::{CONFIG_MAP, JOB, Run, main_stage, put};

/// For what a garbage collector does on a busy machine.
const COLLECTED: Duration = Duration::from_secs(60);

fn make_job(kubectl: &Kubectl) -> RunId {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": JOB},
        "spec": {"suspend": true, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]
        }}}
    });
    kubectl.with_input(["create", "--filename", "-"], &job.to_string());
    let made = kubectl.json(["get", "job", JOB]);
    made["metadata"]["uid"].as_str().unwrap().parse().unwrap()
}

fn config_map(kubectl: &Kubectl) -> Option<Value> {
    let found = kubectl.attempt(["get", "configmap", CONFIG_MAP, "--output", "json"]);
    found.ok().map(|text| serde_json::from_str(&text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_yesterdays_job_left_is_replaced_and_the_new_one_is_not_collected_with_it() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    // Without a garbage collector, what the first Job left stays until the second one is there.
    let mut run = Run::new(&cluster);
    let kubectl = run.namespace.kubectl();
    run.id = make_job(&kubectl);
    put(&run.of_scheduler().await, &run.plan("main", "old")).await;
    kubectl.run(["delete", "job", JOB, "--cascade=orphan", "--wait=false"]);
    let no_finalizers = r#"{"metadata": {"finalizers": null}}"#;
    let _ = kubectl.attempt([
        "patch",
        "job",
        JOB,
        "--type=merge",
        "--patch",
        no_finalizers,
    ]);
    run.id = make_job(&kubectl);

    let scheduler = run.of_scheduler().await;
    assert_eq!(scheduler.knows(&run.id).await, Ok(false));
    let read = scheduler.read(&main_stage()).await.unwrap();
    assert_eq!(read.plan.unwrap().unwrap().id.as_str(), "old");
    put(&scheduler, &run.plan("main", "new")).await;
    let object = config_map(&kubectl).unwrap();
    assert_eq!(
        object["metadata"]["ownerReferences"],
        json!([
            {"apiVersion": "batch/v1", "kind": "Job", "name": JOB, "uid": run.id}
        ])
    );

    // A probe of the old owner's shows when the collector has been through.
    let mut probe = object.clone();
    probe["metadata"] = json!({"name": "probe", "ownerReferences": [
        {"apiVersion": "batch/v1", "kind": "Job", "name": JOB, "uid": RunId::random()}
    ]});
    kubectl.with_input(["create", "--filename", "-"], &probe.to_string());
    cluster.start_controllers();
    wait::until("the probe to be collected", COLLECTED, || {
        kubectl.attempt(["get", "configmap", "probe"]).err()
    });
    assert_eq!(config_map(&kubectl), Some(object));

    // It goes with its own Job.
    kubectl.run(["delete", "job", JOB]);
    wait::until("the plan to be collected", COLLECTED, || {
        config_map(&kubectl).is_none().then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_config_map_is_left_alone() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let kubectl = run.namespace.kubectl();
    kubectl.run([
        "create",
        "configmap",
        CONFIG_MAP,
        "--from-literal=their=data",
    ]);
    let before = config_map(&kubectl);
    let error = run
        .of_scheduler()
        .await
        .write_abort(&run.abort("why"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is not tminus' own"), "{error}");
    assert_eq!(config_map(&kubectl), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_job_has_a_config_map_without_an_owner() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let client = cluster::client(run.namespace.kubeconfig()).await;
    let store = rendezvous::KubernetesStore::with_client(client, run.namespace.name(), JOB, None);
    put(&store, &run.plan("main", "one")).await;
    put(&store, &run.plan("main", "two")).await;
    let object = config_map(&run.namespace.kubectl()).unwrap();
    assert!(object["metadata"]["ownerReferences"].is_null(), "{object}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_abort_of_yesterdays_run_costs_todays_nothing() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let mut run = Run::new(cluster);
    let kubectl = run.namespace.kubectl();
    let (yesterday, late) = (run.of_scheduler().await, run.abort("late"));
    run.id = RunId::random();
    put(&run.of_scheduler().await, &run.plan("main", "today")).await;
    let before = config_map(&kubectl);

    let error = yesterday.write_abort(&late).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("belongs to another Job of the name"),
        "{told}"
    );
    assert_eq!(config_map(&kubectl), before);
}
