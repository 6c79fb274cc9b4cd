//! What the scheduler and the agents may do, and how it is told what they may not.

use std::time::{Duration, Instant};

use support::cluster;

use crate::load::{Load, SOON, ended};

/// Lets a service account do this.
fn grant(load: &Load, account: &str, rules: &[&[&str]]) {
    for (n, rule) in rules.iter().enumerate() {
        let role = format!("{account}-{n}");
        let mut create = vec!["create", "role", &role];
        create.extend_from_slice(rule);
        load.kubectl.run(&create);
        let to = format!("--serviceaccount={}:{account}", load.namespace.name());
        let role = format!("--role={role}");
        load.kubectl.run([
            "create",
            "rolebinding",
            &format!("{account}-{n}"),
            &role,
            &to,
        ]);
    }
}

#[test]
fn a_scheduler_that_lacks_rights_says_which_at_once() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    let account = load.namespace.account("pipeline");
    grant(
        &load,
        "pipeline",
        &[
            &["--verb=get,list,watch", "--resource=jobs.batch,pods"],
            &[
                "--verb=get,list,watch,create,update",
                "--resource=configmaps",
            ],
        ],
    );
    let began = Instant::now();
    let scheduler = load
        .command("start", ["--job", "k6"])
        .env("KUBECONFIG", &account.kubeconfig)
        .start();
    let ended = ended(&scheduler);
    assert!(began.elapsed() < Duration::from_secs(20));
    ended
        .assert(69)
        .assert_told(&format!("this scheduler may not do in namespace {}", load.namespace.name()))
        .assert_told("\n  - {apiGroups: [\"\"], resources: [configmaps], resourceNames: [\"tminus-k6\"], verbs: [delete]}\n")
        .assert_told("\n  - {apiGroups: [\"coordination.k8s.io\"], resources: [leases], verbs: [get, list, watch]}\n")
        .assert_told("why pods are not made or do not start cannot be told: the Role of this scheduler");
    assert!(
        !ended.stderr.contains("resources: [jobs]"),
        "{}",
        ended.stderr
    );
}

#[test]
fn agents_that_lack_rights_are_told_of_before_the_wait() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.namespace.account("tminus-agent");
    grant(
        &load,
        "tminus-agent",
        &[&[
            "--verb=get",
            "--resource=configmaps",
            "--resource-name=tminus-k6",
        ]],
    );
    load.make_job("k6", 1);
    let scheduler = load.start("k6", ["--max-wait", "2s"]);
    scheduler.wait_for_line(
        "service account tminus-agent of the runners may not do",
        SOON,
    );
    ended(&scheduler)
        .assert(75)
        .assert_told("\n  - {apiGroups: [\"coordination.k8s.io\"], resources: [leases], verbs: [create, get, update]}\n")
        .assert_told(" what an agent has to, so none will become ready. Its Role needs as well:\n")
        .assert_told(" is there, with ")
        .assert_told("agents learn of the instant by polling alone");
}

#[test]
fn agents_whose_role_is_bound_to_a_group_of_theirs_lack_nothing() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.kubectl.run([
        "create",
        "role",
        "agents",
        "--verb=get,list,watch,create,update",
        "--resource=configmaps,leases.coordination.k8s.io",
    ]);
    let group = format!("--group=system:serviceaccounts:{}", load.namespace.name());
    load.kubectl
        .run(["create", "rolebinding", "agents", "--role=agents", &group]);
    load.make_job("k6", 1);
    let scheduler = load.start("k6", ["--max-wait", "2s"]);
    let ended = ended(&scheduler);
    ended.assert(75);
    assert!(
        !ended.stderr.contains("service account"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_kubeconfig_that_names_no_cluster_is_told() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    let nowhere = load
        .command("start", ["--job", "k6", "--context", "no-such-context"])
        .start();
    ended(&nowhere).assert(69).assert_told("no-such-context");
    let selector = [
        "--store",
        "kubernetes:k6",
        "--run",
        "r1",
        "--runners",
        "1",
        "--selector",
        "a=b=c",
    ];
    ended(&load.command("start", selector).start())
        .assert(64)
        .assert_told("--selector a=b=c selects no labels: ");
}
