//! Documents and objects to test with.

use std::future::Future;
use std::time::Duration;

use rendezvous::{Abort, Plan, Report, RunId, StageName};
use serde_json::{Value, json};

pub fn run() -> RunId {
    RunId::new("run-1").unwrap()
}

pub fn stage() -> StageName {
    StageName::new("main").unwrap()
}

/// A plan with this id, that is gathering for so many runners.
pub fn plan_for(id: &str, runners: u32) -> Plan {
    let text = json!({
        "version": 1, "run": "run-1", "stage": "main", "plan": id, "state": "gathering",
        "seconds_left": 30, "runners_wanted": runners
    });
    Plan::from_json(&text.to_string()).unwrap()
}

pub fn plan(id: &str) -> Plan {
    plan_for(id, 4)
}

pub fn abort(why: &str) -> Abort {
    Abort::new(run(), "a test", why)
}

pub fn report(runner: &str, sequence: u64) -> Report {
    let text = json!({
        "version": 1, "run": "run-1", "stage": "main", "runner": runner, "name": "k6-0",
        "incarnation": "first", "sequence": sequence, "phase": "starting",
        "clock": {"utc": "2026-11-25T10:00:00Z", "source": "system"}
    });
    Report::from_json(&text.to_string()).unwrap()
}

/// The run's own ConfigMap at a version, with these documents.
pub fn config_map(version: u64, data: &[(&str, String)]) -> Value {
    let data: serde_json::Map<String, Value> = data
        .iter()
        .map(|(key, text)| ((*key).to_owned(), text.clone().into()))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "tminus-k6", "namespace": "load", "uid": "cm-1",
            "resourceVersion": version.to_string(),
            "labels": {"app.kubernetes.io/managed-by": "tminus", "tminus/run": "run-1"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "k6", "uid": "run-1"}]
        },
        "data": data
    })
}

/// The same with the plan of this id.
pub fn with_plan(version: u64, id: &str) -> Value {
    config_map(version, &[("plan-main.json", plan(id).to_json())])
}

/// A runner's Lease at a version.
pub fn lease(version: u64, runner: &str, sequence: u64) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": format!("tminus-{runner}-main"), "namespace": "load",
            "resourceVersion": version.to_string(),
            "annotations": {"tminus/report": report(runner, sequence).to_json()}
        },
        "spec": {}
    })
}

/// What comes of it within so many seconds.
pub async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(seconds);
    tokio::time::timeout(limit, future)
        .await
        .unwrap_or_else(|_| panic!("it has not happened for {seconds} s"))
}
