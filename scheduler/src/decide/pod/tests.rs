//! Pods as API server, scheduler and kubelet write them.
#![allow(clippy::unwrap_used)]
use super::*;
use rstest::rstest;
use serde_json::{Value, json};

/// A pod of a Job with a warm-up as its init container, in which so much of the status is known.
fn pod(status: Value) -> Pod {
    with_policy("Never", status)
}

fn with_policy(policy: &str, status: Value) -> Pod {
    let container = |name: &str, stage: &str| {
        let stage = json!({"name": "TMINUS_STAGE", "value": stage});
        json!({"name": name, "image": "k6", "env": [stage]})
    };
    serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "k6-2-x7", "uid": "4f6b8f43-0c9e-4f0e-9d60-2c7f2b1f4f6a"},
        "spec": {
            "restartPolicy": policy,
            "nodeName": "node-1",
            "initContainers": [{"name": "fetch", "image": "busybox"}, container("z-warmup", "warmup")],
            "containers": [container("main", "main"), {"name": "sidecar", "image": "mesh"}],
        },
        "status": status,
    }))
    .unwrap()
}

fn of(name: &str, state: &Value) -> Value {
    json!({"name": name, "state": state, "ready": false, "restartCount": 0, "image": "", "imageID": "",
           "containerID": format!("containerd://{name}")})
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-03-01T12:00:00Z"}})
}

fn terminated(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason}})
}

fn scheduled(value: &str, reason: &str, message: &str) -> Value {
    json!({"type": "PodScheduled", "status": value, "reason": reason, "message": message})
}

fn stage(name: &str) -> StageName {
    StageName::new(name).unwrap()
}

fn in_warmup(pod: &Pod) -> Seen {
    seen(pod, &stage("warmup"), None)
}

fn in_main(pod: &Pod) -> Seen {
    seen(pod, &stage("main"), None)
}

/// The status of a pod in its init stage.
fn initializing(fetch: &Value, warmup: &Value) -> Value {
    let not_ready =
        json!({"type": "Ready", "status": "False", "reason": "ContainersNotInitialized"});
    let idle = json!({"waiting": {"reason": "PodInitializing"}});
    json!({
        "phase": "Pending",
        "conditions": [not_ready, scheduled("True", "", "")],
        "initContainerStatuses": [of("fetch", fetch), of("z-warmup", warmup)],
        "containerStatuses": [of("main", &idle), of("sidecar", &idle)],
    })
}

/// The status of a pod in its main stage.
fn initialized(main: &Value) -> Value {
    json!({
        "phase": "Running",
        "initContainerStatuses": [
            of("fetch", &terminated(0, "Completed")),
            of("z-warmup", &terminated(0, "Completed")),
        ],
        "containerStatuses": [of("main", main), of("sidecar", &running())],
    })
}

fn held(why: &str) -> Seen {
    Seen::Held(why.to_owned())
}

#[test]
fn a_pending_pod_whose_warm_up_runs_has_its_runner_there() {
    let pod = pod(initializing(&terminated(0, "Completed"), &running()));
    let container = Container {
        id: "containerd://z-warmup".to_owned(),
        restarts: 0,
    };
    assert_eq!(in_warmup(&pod), Seen::Up(Some(container)));
    assert_eq!(in_main(&pod), held("running its init container z-warmup"));
}

#[rstest]
#[case::just_made(json!({}), "Pending on node node-1")]
#[case::no_room(
    json!({"phase": "Pending", "conditions": [scheduled("False", "Unschedulable",
        "0/12 nodes are available: 12 Insufficient cpu. preemption: 0/12 nodes are available: 12 No preemption victims found.")]}),
    "Pending: 0/12 nodes are available: 12 Insufficient cpu"
)]
#[case::gated(
    json!({"phase": "Pending", "conditions": [scheduled("False", "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")]}),
    "Pending: SchedulingGated: Scheduling is blocked due to non-empty scheduling gates"
)]
#[case::an_earlier_init_container(
    initializing(&running(), &waiting("PodInitializing", "")),
    "running its init container fetch"
)]
#[case::an_image_of_an_earlier_one(
    initializing(&waiting("ImagePullBackOff", "Back-off pulling image \"busybox\""), &waiting("PodInitializing", "")),
    "its init container fetch: ImagePullBackOff: Back-off pulling image \"busybox\""
)]
#[case::its_own_image(
    initializing(&terminated(0, "Completed"), &waiting("ErrImagePull", "no such image")),
    "ErrImagePull: no such image"
)]
#[case::its_configuration(
    initializing(&terminated(0, "Completed"), &waiting("CreateContainerConfigError", "secret \"k\" not found")),
    "CreateContainerConfigError: secret \"k\" not found"
)]
#[case::a_volume(
    initializing(&waiting("PodInitializing", ""), &waiting("PodInitializing", "")),
    "PodInitializing"
)]
fn why_the_warm_up_does_not_run_is_told(#[case] status: Value, #[case] why: &str) {
    assert_eq!(in_warmup(&pod(status)), held(why));
}

#[test]
fn a_pod_on_no_node_waits_for_one() {
    let mut pod = pod(json!({"phase": "Pending"}));
    pod.spec.as_mut().unwrap().node_name = None;
    assert_eq!(in_main(&pod), held("Pending: not scheduled yet"));
}

#[rstest]
#[case("Never", 137, "OOMKilled", Seen::Ended(137, Some("OOMKilled".to_owned())))]
#[case("Never", 107, "Error", Seen::Ended(107, None))]
#[case("OnFailure", 0, "Completed", Seen::Ended(0, None))]
#[case("OnFailure", 137, "OOMKilled", Seen::Down("OOMKilled (137), to be run again".to_owned()))]
#[case("Always", 0, "Completed", Seen::Down("Completed (0), to be run again".to_owned()))]
fn a_terminated_container_has_ended_unless_it_is_run_again(
    #[case] policy: &str,
    #[case] code: i32,
    #[case] reason: &str,
    #[case] expected: Seen,
) {
    let pod = with_policy(policy, initialized(&terminated(code, reason)));
    assert_eq!(in_main(&pod), expected);
}

#[test]
fn an_init_container_that_ended_well_is_not_run_again() {
    let pod = with_policy("Always", initialized(&running()));
    assert_eq!(in_warmup(&pod), Seen::Ended(0, None));
}

#[test]
fn a_crash_loop_says_what_it_died_of() {
    let mut status = initialized(&waiting(
        "CrashLoopBackOff",
        "back-off 20s restarting failed container",
    ));
    status["containerStatuses"][0]["lastState"] = terminated(137, "OOMKilled");
    let expected = "CrashLoopBackOff: OOMKilled (137) the last time";
    let pod = with_policy("OnFailure", status);
    assert_eq!(in_main(&pod), Seen::Down(expected.to_owned()));
}

#[test]
fn readiness_does_not_matter() {
    let mut status = initialized(&running());
    status["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    assert!(matches!(in_main(&pod(status)), Seen::Up(Some(_))));
}

/// A pod with a finalizer keeps its Ready condition while it is deleted.
#[test]
fn a_pod_that_is_being_deleted_does_not_count_even_if_it_is_ready() {
    let mut status = initialized(&running());
    status["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    let mut pod = pod(status);
    pod.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-03-01T12:00:00Z")).unwrap());
    assert_eq!(in_main(&pod), Seen::Leaving("terminating".to_owned()));
}

#[test]
fn a_pod_about_to_be_evicted_does_not_count_even_if_it_is_ready() {
    let mut status = initialized(&running());
    status["conditions"] = json!([
        {"type": "Ready", "status": "True"},
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
         "message": "Eviction API: evicting"},
    ]);
    let expected = "about to be evicted: EvictionByEvictionAPI: Eviction API: evicting";
    assert_eq!(in_main(&pod(status)), Seen::Leaving(expected.to_owned()));
}

/// The kubelet leaves the conditions as they were when it evicts a pod.
#[test]
fn a_pod_evicted_by_the_kubelet_is_gone_even_if_it_is_ready() {
    let status = json!({
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory. ",
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    let expected = "Evicted: The node was low on resource: memory";
    assert_eq!(in_main(&pod(status)), Seen::Gone(expected.to_owned()));
}

#[test]
fn a_pod_whose_warm_up_failed_never_comes_to_main() {
    let mut status = initializing(&terminated(0, "Completed"), &terminated(99, "Error"));
    status["phase"] = json!("Failed");
    let pod = pod(status);
    assert_eq!(in_warmup(&pod), Seen::Ended(99, None));
    let expected = "its init container z-warmup ended with 99 (Error)";
    assert_eq!(in_main(&pod), Seen::Gone(expected.to_owned()));
}

#[test]
fn a_pod_that_was_deleted_says_how_its_container_ended_if_it_had() {
    let main = stage("main");
    let gone = Seen::Gone("its pod was deleted".to_owned());
    let alive = pod(initialized(&running()));
    assert_eq!(deleted(&alive, &main, None), gone);
    let ended = pod(initialized(&terminated(105, "Error")));
    assert_eq!(deleted(&ended, &main, None), Seen::Ended(105, None));
    assert_eq!(
        deleted(&pod(json!({"phase": "Pending"})), &main, None),
        gone
    );
}

/// Nobody could run it again in a pod that is on its way out.
#[test]
fn a_container_that_ended_in_a_pod_being_deleted_is_not_run_again() {
    let mut pod = with_policy("OnFailure", initialized(&terminated(105, "Error")));
    pod.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-03-01T12:00:00Z")).unwrap());
    assert_eq!(in_main(&pod), Seen::Ended(105, None));
}

#[test]
fn the_container_that_the_report_names_comes_before_the_variable() {
    let mut status = initialized(&terminated(1, "Error"));
    status["phase"] = json!("Running");
    let pod = pod(status);
    let by_report = seen(&pod, &stage("main"), Some("sidecar"));
    assert!(matches!(by_report, Seen::Up(Some(_))), "{by_report:?}");
    let unknown = seen(&pod, &stage("main"), Some("no-such-container"));
    assert_eq!(unknown, Seen::Ended(1, None));
}

#[test]
fn where_nothing_tells_the_container_a_running_pod_may_hold_the_runner() {
    let mut plain = pod(initialized(&running()));
    for container in &mut plain.spec.as_mut().unwrap().containers {
        container.env = None;
    }
    assert_eq!(in_main(&plain), Seen::Up(None));
    plain.status =
        serde_json::from_value(initializing(&running(), &waiting("PodInitializing", ""))).unwrap();
    assert_eq!(in_main(&plain), held("running its init container fetch"));
}

#[test]
fn a_pod_without_a_uid_is_no_runner() {
    let mut pod = pod(json!({}));
    assert_eq!(
        runner(&pod).unwrap().as_str(),
        "4f6b8f43-0c9e-4f0e-9d60-2c7f2b1f4f6a"
    );
    pod.metadata.uid = None;
    assert_eq!(runner(&pod), None);
}
