//! What a pod says of a runner: whether the stage's container runs in it, and why not.
//!
//! The pod's phase and readiness do not matter (in its init stage a pod is Pending, and init
//! containers are never ready), but what its end means does: a terminated container outranks
//! whatever its agent reported.

use k8s_openapi::api::core::v1::{
    Container as Spec, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition,
};
use rendezvous::{RunnerId, StageName};

use super::absence;
use super::witness::{Container, Seen};

/// By which the manifests tell an agent its stage.
const STAGE_VARIABLE: &str = "TMINUS_STAGE";

/// The runner that a pod is: its UID. `None` if that cannot be a runner's id.
#[must_use]
pub fn runner(pod: &Pod) -> Option<RunnerId> {
    RunnerId::new(pod.metadata.uid.as_deref()?).ok()
}

/// What is to be seen of a pod in a stage. `reported`: the container that the runner's report
/// names, else the one that is told its stage by [`STAGE_VARIABLE`].
#[must_use]
pub fn seen(pod: &Pod, stage: &StageName, reported: Option<&str>) -> Seen {
    let name = container_of(pod, stage, reported);
    let status = name.and_then(|name| status_of(pod, name));
    if let Some(state) = ended(pod, name, status) {
        return state;
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Seen::Leaving(leaving(pod, "terminating"));
    }
    if condition(pod, DISRUPTED, "True").is_some() {
        return Seen::Leaving(leaving(pod, "about to be evicted"));
    }
    match (name, status) {
        (Some(name), Some(status)) if state(status).running.is_none() => {
            let why = absence::why(pod, Some(name));
            if has_run(status) {
                Seen::Down(why)
            } else {
                Seen::Held(why)
            }
        }
        (Some(_), Some(status)) => Seen::Up(id(status)),
        (Some(name), None) => Seen::Held(absence::why(pod, Some(name))),
        // Which of its containers is the stage's, is known when it reports.
        (None, _) if phase(pod) == "Running" => Seen::Up(None),
        (None, _) => Seen::Held(absence::why(pod, None)),
    }
}

/// What is to be seen of a runner whose pod was deleted, by what the pod was last.
#[must_use]
pub fn deleted(pod: &Pod, stage: &StageName, reported: Option<&str>) -> Seen {
    let name = container_of(pod, stage, reported);
    let status = name.and_then(|name| status_of(pod, name));
    ended(pod, name, status).unwrap_or_else(|| Seen::Gone("its pod was deleted".to_owned()))
}

/// What the stage's container left in the pod's status when it ended.
#[must_use]
pub fn termination_message(pod: &Pod, stage: &StageName, reported: Option<&str>) -> Option<String> {
    let status = status_of(pod, container_of(pod, stage, reported)?)?;
    state(status).terminated?.message
}

/// The condition of a pod that is being evicted, preempted or lost with its node.
const DISRUPTED: &str = "DisruptionTarget";

/// How the stage's container ended for good, if it has.
fn ended(pod: &Pod, name: Option<&str>, status: Option<&ContainerStatus>) -> Option<Seen> {
    let terminated = status.and_then(|status| state(status).terminated);
    let is_over = matches!(phase(pod), "Failed" | "Succeeded");
    let may_run_again = !is_over
        && pod.metadata.deletion_timestamp.is_none()
        && name
            .zip(terminated.as_ref())
            .is_some_and(|(name, end)| is_restarted(pod, name, end.exit_code));
    match terminated {
        Some(_) if may_run_again => None,
        Some(end) => {
            // Exit codes are 0 to 255; whatever else somebody writes there is no good end.
            let code = u8::try_from(end.exit_code).unwrap_or(u8::MAX);
            Some(Seen::Ended(code, detail(pod, &end)))
        }
        None if is_over => Some(Seen::Gone(absence::why_over(pod))),
        None => None,
    }
}

/// What is known of an end besides its code, where that is more than "Error" or "Completed".
fn detail(pod: &Pod, end: &ContainerStateTerminated) -> Option<String> {
    let of_container = end
        .reason
        .clone()
        .filter(|reason| !matches!(reason.as_str(), "Error" | "Completed"));
    let says = || {
        let message = end.message.as_deref().map(absence::short);
        let message = message.filter(|message| !message.is_empty());
        message.map(|message| format!("its container says: {message}"))
    };
    of_container
        .or_else(|| absence::disruption(pod))
        .or_else(says)
}

fn leaving(pod: &Pod, what: &str) -> String {
    match absence::disruption(pod) {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}

/// Whether the kubelet runs a container again that ended with this code: the pod's
/// `restartPolicy`, where an init container that ended well is not run again.
fn is_restarted(pod: &Pod, name: &str, code: i32) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let init = init_containers(pod).iter().find(|one| one.name == name);
    if let Some(policy) = init.and_then(|one| one.restart_policy.as_deref()) {
        return policy == "Always";
    }
    // Kubernetes' own default is Always.
    match spec.restart_policy.as_deref().unwrap_or("Always") {
        "Never" => false,
        "OnFailure" => code != 0,
        _ => init.is_none() || code != 0,
    }
}

/// The container that is a stage's runner.
fn container_of<'a>(pod: &'a Pod, stage: &StageName, reported: Option<&str>) -> Option<&'a str> {
    let by_report = || containers(pod).find(|one| Some(one.name.as_str()) == reported);
    let by_variable = || containers(pod).find(|one| is_told(one, stage));
    by_report()
        .or_else(by_variable)
        .map(|one| one.name.as_str())
}

fn is_told(container: &Spec, stage: &StageName) -> bool {
    let variables = container.env.as_deref().unwrap_or_default();
    variables
        .iter()
        .any(|one| one.name == STAGE_VARIABLE && one.value.as_deref() == Some(stage.as_str()))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Spec> {
    let main = pod.spec.iter().flat_map(|spec| &spec.containers);
    init_containers(pod).iter().chain(main)
}

/// The init containers, in the order in which they are run.
pub fn init_containers(pod: &Pod) -> &[Spec] {
    let spec = pod.spec.as_ref();
    spec.and_then(|spec| spec.init_containers.as_deref())
        .unwrap_or_default()
}

/// The status of a container, of either kind.
pub fn status_of<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let main = status.container_statuses.iter().flatten();
    init.chain(main).find(|one| one.name == name)
}

/// The state of a container; none of the three if nobody says.
pub fn state(status: &ContainerStatus) -> ContainerState {
    status.state.clone().unwrap_or_default()
}

fn has_run(status: &ContainerStatus) -> bool {
    let last = status.last_state.as_ref();
    state(status).terminated.is_some() || last.is_some_and(|last| last.terminated.is_some())
}

fn id(status: &ContainerStatus) -> Option<Container> {
    Some(Container {
        id: status.container_id.clone()?,
        restarts: u32::try_from(status.restart_count).unwrap_or(0),
    })
}

/// A pod's phase; empty if nobody has said any.
pub fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// A condition of a pod, if it has this value.
pub fn condition<'a>(pod: &'a Pod, kind: &str, value: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|one| one.type_ == kind && one.status == value)
}

/// Whether a reason for a container's absence is one that the pod's events may explain.
#[must_use]
pub fn says_little(why: &str) -> bool {
    absence::SAYS_LITTLE.iter().any(|text| why.ends_with(text))
}

#[cfg(test)]
mod tests;
