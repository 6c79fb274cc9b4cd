//! The test cluster without a node: it does what a test relies on, and nothing of it is left when the test has ended.
#![allow(clippy::unwrap_used)]

use std::{env, path::Path, thread, time::Duration};

use nix::sys::signal::Signal;
use support::{
    cluster::{self, Cluster},
    process::Program,
    wait,
};

/// How long something may take that controllers do at once, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn an_account_may_do_what_its_role_says_and_no_more() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let namespace = cluster.namespace();
    let admin = namespace.kubectl();
    admin.run([
        "create",
        "role",
        "reader",
        "--verb=list",
        "--resource=secrets",
    ]);
    let account = format!("--serviceaccount={}:agent", namespace.name());
    admin.run(["create", "rolebinding", "reader", "--role=reader", &account]);

    let agent = namespace.account("agent").kubectl;
    agent.run(["get", "secrets"]);
    let refused = agent.attempt(["get", "configmaps"]).unwrap_err();
    assert!(refused.contains("Forbidden"), "{refused}");
}

#[test]
fn requests_are_told_by_namespace_and_user() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let namespace = cluster.namespace();
    let agent = namespace.account("agent").kubectl;
    let _ = agent.attempt(["get", "configmap", "plan"]);

    let mut requests = cluster.requests();
    let name = format!("system:serviceaccount:{}:agent", namespace.name());
    requests.retain(|request| request.user.username == name && !request.object_ref.name.is_empty());
    let told: Vec<_> = requests
        .iter()
        .map(|request| {
            let about = &request.object_ref;
            (
                &*request.verb,
                &*about.resource,
                &*about.name,
                request.code(),
            )
        })
        .collect();
    assert_eq!(told, [("get", "configmaps", "plan", Some(403))]);
}

#[test]
fn a_job_makes_its_pods_and_takes_what_it_owns_with_it() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl();
    kubectl.run(["create", "job", "load", "--image=none"]);
    wait::until("a pod of the Job", SOON, || {
        let pods = kubectl.json(["get", "pods", "--selector=job-name=load"]);
        (!pods["items"].as_array().unwrap().is_empty()).then_some(())
    });
    kubectl.run(["delete", "job", "load"]);
    wait::until("the end of the pod", SOON, || {
        let pods = kubectl.run(["get", "pods", "--output=name"]);
        pods.is_empty().then_some(())
    });
}

#[test]
fn an_api_server_that_was_killed_comes_back_where_it_was_with_what_it_knew() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let kubectl = cluster.kubectl();
    kubectl.run(["create", "configmap", "plan"]);
    cluster.kill_api();
    assert!(kubectl.attempt(["get", "configmap", "plan"]).is_err());
    cluster.start_api();
    kubectl.run(["get", "configmap", "plan"]);
}

#[test]
fn a_frozen_api_server_answers_nobody_until_it_is_thawed() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let kubectl = cluster.kubectl();
    cluster.freeze_api();
    let impatient = ["get", "namespaces", "--request-timeout=1s"];
    assert!(kubectl.attempt(impatient).is_err());
    cluster.thaw_api();
    kubectl.run(["get", "namespaces"]);
}

#[test]
fn a_way_through_a_proxy_is_seen_there() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let namespace = cluster.namespace();
    let proxy = cluster.proxy();
    let token = namespace.account("agent").token;
    let kubeconfig = cluster.kubeconfig_through(&proxy, &token, namespace.name());
    let kubectl = cluster.kubectl_with(&kubeconfig);
    kubectl.run(["auth", "whoami"]);
    let seen = proxy.connections();
    assert!(seen > 0);

    proxy.swallow_all();
    let impatient = ["auth", "whoami", "--request-timeout=1s"];
    assert!(kubectl.attempt(impatient).is_err());
    assert!(proxy.connections() > seen);
    proxy.serve_again();
    kubectl.run(["auth", "whoami"]);
}

#[test]
fn nothing_is_left_of_a_cluster_that_was_dropped() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let folder = cluster.folder().to_owned();
    assert!(!processes_of(&folder).is_empty());
    drop(cluster);
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), Vec::<String>::new());
}

#[test]
fn nothing_is_left_of_a_cluster_when_its_test_was_killed() {
    if cluster::api().is_none() {
        return;
    }
    let test = Program::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "holds_a_cluster_until_it_is_killed",
            "--nocapture",
        ])
        .env(HOLD, "yes")
        .start();
    let line = test.wait_for_line("holds ", SOON);
    let folder = Path::new(line.split("holds ").nth(1).unwrap());
    assert!(!processes_of(folder).is_empty());

    test.signal(Signal::SIGKILL);
    wait::until("the end of all that it held", SOON, || {
        (!folder.exists() && processes_of(folder).is_empty()).then_some(())
    });
    test.assert_nothing_left();
}

/// Set where the next test is not to end.
const HOLD: &str = "HOLD_A_CLUSTER";

/// The test that the one before it kills. By itself it does nothing.
#[test]
fn holds_a_cluster_until_it_is_killed() {
    if env::var_os(HOLD).is_none() {
        return;
    }
    let cluster = Cluster::start().unwrap();
    println!("holds {}", cluster.folder().display());
    loop {
        thread::park();
    }
}

fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let commands = procfs::process::all_processes().unwrap().flatten();
    let commands = commands.filter_map(|process| Some(process.cmdline().ok()?.join(" ")));
    commands
        .filter(|command| command.contains(&*folder))
        .collect()
}
