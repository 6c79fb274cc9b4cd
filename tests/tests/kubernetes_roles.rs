//! What the shipped Roles let agents and the scheduler do, as a real API server judges it.
#![allow(clippy::unwrap_used)]

use serde_json::{Deserializer, Value, json};
use support::{
    cluster::{self, Cluster},
    manifests::Manifests,
};

/// A request: verb, resource (with its group, if any, after a dot), and the object's name, if it is about one.
type Request = (&'static str, &'static str, &'static str);

#[test]
fn an_agent_may_read_its_plan_and_write_its_report_and_nothing_else() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let may = [
        ("get", "configmaps", "tminus-load-test"),
        ("list", "configmaps", "tminus-load-test"),
        ("watch", "configmaps", "tminus-load-test"),
        ("create", "leases.coordination.k8s.io", ""),
        ("get", "leases.coordination.k8s.io", "tminus-uid-main"),
        ("update", "leases.coordination.k8s.io", "tminus-uid-main"),
    ];
    let may_not = [
        ("get", "configmaps", "load-test-script"),
        ("get", "configmaps", "tminus-another-job"),
        ("list", "configmaps", ""),
        ("watch", "configmaps", ""),
        ("create", "configmaps", ""),
        ("update", "configmaps", "tminus-load-test"),
        ("patch", "configmaps", "tminus-load-test"),
        ("delete", "configmaps", "tminus-load-test"),
        ("list", "leases.coordination.k8s.io", ""),
        ("watch", "leases.coordination.k8s.io", ""),
        ("patch", "leases.coordination.k8s.io", "tminus-uid-main"),
        ("delete", "leases.coordination.k8s.io", "tminus-uid-main"),
        ("get", "pods", "load-test-0"),
        ("list", "pods", ""),
        ("create", "pods", ""),
        ("create", "pods/exec", "load-test-0"),
        ("get", "secrets", "any"),
        ("list", "secrets", ""),
        ("create", "serviceaccounts/token", "tminus-agent"),
        ("get", "jobs.batch", "load-test"),
        ("list", "events", ""),
        (
            "create",
            "localsubjectaccessreviews.authorization.k8s.io",
            "",
        ),
    ];
    expect_rights(cluster, "tminus-agent", &may, &may_not);
}

#[test]
fn the_scheduler_may_do_what_it_needs_and_nothing_else() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let may = [
        ("get", "jobs.batch", "load-test"),
        ("list", "jobs.batch", ""),
        ("watch", "jobs.batch", ""),
        ("list", "pods", ""),
        ("watch", "pods", ""),
        ("list", "events", ""),
        ("watch", "events", ""),
        ("get", "configmaps", "tminus-load-test"),
        ("list", "configmaps", ""),
        ("watch", "configmaps", ""),
        ("create", "configmaps", ""),
        ("update", "configmaps", "tminus-load-test"),
        ("delete", "configmaps", "tminus-load-test"),
        ("list", "leases.coordination.k8s.io", ""),
        ("watch", "leases.coordination.k8s.io", ""),
        (
            "create",
            "localsubjectaccessreviews.authorization.k8s.io",
            "",
        ),
    ];
    let may_not = [
        ("create", "jobs.batch", ""),
        ("update", "jobs.batch", "load-test"),
        ("delete", "jobs.batch", "load-test"),
        ("create", "pods", ""),
        ("delete", "pods", "load-test-0"),
        ("create", "pods/exec", "load-test-0"),
        ("create", "pods/eviction", "load-test-0"),
        ("create", "leases.coordination.k8s.io", ""),
        ("update", "leases.coordination.k8s.io", "tminus-uid-main"),
        ("get", "secrets", "any"),
        ("list", "secrets", ""),
        ("update", "roles.rbac.authorization.k8s.io", "tminus-agent"),
    ];
    expect_rights(cluster, "tminus-scheduler", &may, &may_not);
}

/// Checks what an account may do in its namespace, and that it may do none of it in another.
fn expect_rights(cluster: &Cluster, account: &str, may: &[Request], may_not: &[Request]) {
    let manifests = Manifests::copied(cluster);
    manifests.apply();
    let own = manifests.namespace.name();
    let other = cluster.namespace();
    let asked: Vec<(&str, &Request, bool)> = may
        .iter()
        .map(|request| (own, request, true))
        .chain(may_not.iter().map(|request| (own, request, false)))
        .chain(may.iter().map(|request| (other.name(), request, false)))
        .collect();

    let reviews: Vec<Value> = asked
        .iter()
        .map(|(namespace, request, _)| review(own, account, namespace, request))
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": reviews}).to_string();
    let arguments = ["create", "--filename", "-", "--output", "json"];
    let answers = manifests.namespace.kubectl().with_input(arguments, &list);
    let answers: Vec<Value> = Deserializer::from_str(&answers)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();

    assert_eq!(answers.len(), asked.len());
    for ((namespace, request, expected), answer) in asked.iter().zip(answers) {
        let allowed = answer["status"]["allowed"].as_bool().unwrap();
        assert_eq!(allowed, *expected, "{account}: {request:?} in {namespace}");
    }
}

/// Whether an account of the namespace `own` may make a request in a namespace.
fn review(own: &str, account: &str, namespace: &str, request: &Request) -> Value {
    let (verb, resource, name) = request;
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{own}:{account}"),
            // As the API server adds them to each service account.
            "groups": [
                "system:serviceaccounts",
                format!("system:serviceaccounts:{own}"),
                "system:authenticated",
            ],
            "resourceAttributes": {
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
                "name": name,
                "namespace": namespace,
            },
        },
    })
}
