//! The scheduler as a Job of the cluster whose runners it starts.

use serde_json::Value;
use support::{
    cluster,
    load_test::{ENDED_WITHIN, LoadTest, MAIN, WARMUP},
    scheduler::Outcome,
    wait,
};

use crate::load::assert_together;

/// With the account that is shipped for it and nothing else: no kubeconfig, no namespace.
const SCHEDULER: &str = "
apiVersion: batch/v1
kind: Job
metadata: {name: scheduler}
spec:
  backoffLimit: 0
  template:
    spec:
      serviceAccountName: tminus-scheduler
      restartPolicy: Never
      terminationGracePeriodSeconds: 30
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: scheduler
        image: tminus-scheduler:1
        args: [start, --job, load-test, --stage, warmup, --stage, main, --wait, --output, json]
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
";

#[test]
fn a_scheduler_in_a_pod_starts_a_run_with_the_rights_of_its_role() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "2s", &[]);
    let kubectl = load_test.kubectl();
    load_test.apply();
    kubectl.apply(SCHEDULER);
    let log = || kubectl.run(["logs", "job/scheduler"]);
    wait::until("the end of the scheduler", ENDED_WITHIN, || {
        let job = kubectl.json(["get", "job", "scheduler"]);
        let count = |what: &str| job["status"][what].as_u64().unwrap_or(0);
        assert_eq!(count("failed"), 0, "{}", log());
        (count("succeeded") == 1).then_some(())
    });

    let log = log();
    let results = log.lines().filter_map(|line| {
        let result: Option<Value> = serde_json::from_str(line).ok();
        result.map(Outcome)
    });
    let results: Vec<Outcome> = results.collect();
    assert_eq!(results.len(), 2, "{log}");
    let pods = load_test.pods().all();
    assert_eq!(pods.len(), 2);
    for (stage, result) in [WARMUP, MAIN].into_iter().zip(&results) {
        assert_together(&load_test, &pods, &format!("/{stage}"), result);
    }
}
