//! The manifests in `docker/kubernetes`, as a real API server takes them: each test copies the folder, as a user
//! does, for a namespace of its own.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde_json::{Value, json};
use support::{
    cluster,
    manifests::{Manifests, shipped},
    programs::repository,
    wait,
};

/// The files that can be applied without kustomize.
const PLAIN: [&str; 5] = [
    "setup/namespace.yaml",
    "setup/agent.yaml",
    "setup/scheduler.yaml",
    "setup/network-policy.yaml",
    "job/job.yaml",
];

/// How long the Job controller may take to make six pods: a second, or far longer on a busy machine.
const PODS_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn the_shipped_script_is_the_one_among_the_examples() {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(
        read(&shipped().join("job/script.js")),
        read(&repository().join("examples/checkout.js"))
    );
}

#[test]
fn kustomize_makes_of_the_plain_files_what_they_are_and_adds_the_script() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let manifests = Manifests::copied(cluster);
    let mut kustomized = manifests.tried();

    let script = kustomized.remove("ConfigMap load-test-script").unwrap();
    let text = fs::read_to_string(manifests.file("job/script.js")).unwrap();
    assert_eq!(script["data"], json!({"script.js": text}));

    let name = manifests.namespace.name();
    manifests.change(
        "setup/namespace.yaml",
        "name: load-test",
        &format!("name: {name}"),
    );
    let mut plain = BTreeMap::new();
    for file in PLAIN {
        if file != "setup/namespace.yaml" {
            manifests.change(file, "namespace: load-test", &format!("namespace: {name}"));
        }
        plain.extend(manifests.tried_plain(file));
    }
    let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&kustomized), names(&plain));
    for (name, object) in &kustomized {
        assert_eq!(object, &plain[name], "{name}");
    }
}

#[test]
fn the_job_makes_its_pods_without_a_warning_under_the_strictest_pod_security() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let manifests = Manifests::copied(cluster);
    let kubectl = manifests.namespace.kubectl();
    manifests.apply();

    let laxer = kubectl.attempt(["run", "laxer", "--image=tminus-k6:1", "--dry-run=server"]);
    let refused = laxer.expect_err("a pod that is not locked down, where `restricted` is enforced");
    assert!(refused.contains("violates PodSecurity"), "{refused}");

    let pods = wait::until("six pods of the Job", PODS_WITHIN, || {
        let pods = kubectl.json(["get", "pods"])["items"].take();
        (pods.as_array()?.len() == 6).then_some(pods)
    });
    for pod in pods.as_array().unwrap() {
        assert_eq!(pod["spec"]["serviceAccountName"], "tminus-agent");
        // What the environment of the agents is made of.
        let labels = pod["metadata"]["labels"].as_object().unwrap();
        assert_eq!(labels["batch.kubernetes.io/job-name"], "load-test");
        assert!(labels.contains_key("batch.kubernetes.io/controller-uid"));
    }
}

#[test]
fn the_example_of_a_target_runs_beside_the_load_tests() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let manifests = Manifests::copied(cluster);
    manifests.apply();
    let target = repository().join("examples/target.yaml");
    let text = fs::read_to_string(target).unwrap();
    let namespace = format!("namespace: {}", manifests.namespace.name());
    let file = manifests.folder.write(
        "target.yaml",
        &text.replace("namespace: load-test", &namespace),
    );
    let objects = manifests.applied(&["--filename".as_ref(), file.as_ref()]);

    let service = &objects["Service target"]["spec"];
    let pods = &objects["Deployment target"]["spec"]["template"];
    assert_eq!(service["selector"], pods["metadata"]["labels"]);
    assert_eq!(
        service["ports"][0]["targetPort"],
        pods["spec"]["containers"][0]["ports"][0]["containerPort"]
    );
}

#[test]
fn a_runner_that_fails_ends_neither_the_job_nor_is_it_run_again() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let objects = Manifests::copied(cluster).tried();
    let spec = &objects["Job load-test"]["spec"];
    assert_eq!(spec["backoffLimitPerIndex"], 0);
    // What the API server makes of a `backoffLimit` that is left out beside it: no limit at all. One of 0 would win.
    assert_eq!(spec["backoffLimit"], i32::MAX);
    assert_eq!(spec["podReplacementPolicy"], "Failed");
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Never");
    assert_eq!(spec["parallelism"], spec["completions"]);
}

#[test]
fn both_stages_are_told_the_same_but_for_what_a_warm_up_is() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let objects = Manifests::copied(cluster).tried();
    let pod = &objects["Job load-test"]["spec"]["template"]["spec"];
    let warmup = environment(&pod["initContainers"][0]);
    let main = environment(&pod["containers"][0]);

    let differences: Vec<&str> = warmup
        .keys()
        .chain(main.keys())
        .filter(|name| warmup.get(*name) != main.get(*name))
        .map(String::as_str)
        .collect();
    let twice = ["LOAD", "TMINUS_CONTAINER", "TMINUS_STAGE"];
    let expected: Vec<&str> = ["LOAD", "TMINUS_CONTAINER", "TMINUS_LATE", "TMINUS_STAGE"]
        .into_iter()
        .chain(twice)
        .collect();
    assert_eq!(differences, expected);
    assert_eq!(warmup["TMINUS_LATE"]["value"], "skip");
    assert_eq!(
        (&warmup["LOAD"]["value"], &main["LOAD"]["value"]),
        (&json!("0.25"), &json!("1"))
    );
    for (container, environment) in [
        (&pod["initContainers"][0], warmup),
        (&pod["containers"][0], main),
    ] {
        assert_eq!(environment["TMINUS_CONTAINER"]["value"], container["name"]);
    }
    let arguments = pod["initContainers"][0]["args"].as_array().unwrap();
    assert!(arguments.contains(&json!("--no-thresholds")));
}

/// The variables of a container, by name.
fn environment(container: &Value) -> BTreeMap<String, Value> {
    let variables = container["env"].as_array().unwrap();
    variables
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone()))
        .collect()
}

#[test]
fn with_the_component_no_two_runners_share_a_node() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let manifests = Manifests::copied(cluster);
    manifests.change(
        "job/kustomization.yaml",
        "# components:\n#   - one-runner-a-node",
        "components:\n  - one-runner-a-node",
    );
    let objects = manifests.tried();
    let affinity = &objects["Job load-test"]["spec"]["template"]["spec"]["affinity"];
    let rules = affinity["podAntiAffinity"].as_object().unwrap();
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    assert_eq!(rules.keys().collect::<Vec<_>>(), [required]);
}
