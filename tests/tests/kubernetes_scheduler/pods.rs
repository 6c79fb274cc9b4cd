//! Runners that are pods, but no Job's.

use support::cluster;

use crate::{
    agent::Manner,
    load::{Load, SOON, codes, ended, well},
};

const RUN: &str = "soak-1";

fn make_pods(load: &Load, names: &[&str]) {
    for name in names {
        load.kubectl
            .run(["run", name, "--image=k6", "--labels=app=soak"]);
    }
}

fn arguments(namespace: &str, runners: &str) -> Vec<String> {
    let store = format!("kubernetes:{namespace}/soak");
    let arguments = ["--store", &store, "--run", RUN, "--runners", runners];
    arguments.map(str::to_owned).into()
}

#[test]
fn runners_of_any_workload_start_together_by_a_run_id() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    make_pods(&load, &["one", "other"]);
    let pods = load.labelled("app=soak", 2);
    let arguments = arguments(load.namespace.name(), "2");
    let scheduler = load.command("start", &arguments).args(["--wait"]).start();
    let _agents = [0, 1].map(|n| load.agent_of(RUN, "soak", &pods[n], "main", Manner::default()));
    let result = well(&scheduler).result();
    assert_eq!(result.0["run"], RUN);
    assert_eq!(codes(&result), [("one", 0), ("other", 0)].into());
}

#[test]
fn why_such_a_runner_is_missing_is_told_where_its_labels_are_known() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    make_pods(&load, &["one"]);
    let arguments = arguments(load.namespace.name(), "1");
    let scheduler = load
        .command("start", &arguments)
        .args(["--selector", "app=soak", "--max-wait", "5s"])
        .start();
    scheduler.wait_for_line("one: Pending: not scheduled yet", SOON);
    ended(&scheduler).assert(75);
}
