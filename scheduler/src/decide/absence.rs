//! Why the container of a pod is not there.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::pod::{condition, init_containers, phase, state, status_of};

/// What the kubelet says while it prepares a container: the pod's events may say what it waits for.
pub const SAYS_LITTLE: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// A line of progress holds several of them.
const LONGEST: usize = 200;

/// Why a container of a pod that is not over does not run. `name`: which; `None`: it is not known.
#[must_use]
pub fn why(pod: &Pod, name: Option<&str>) -> String {
    unscheduled(pod)
        .or_else(|| name.and_then(|name| of_container(pod, name)))
        .or_else(|| before(pod, name))
        .or_else(|| name.and_then(|name| being_made(pod, name)))
        .unwrap_or_else(|| placed(pod))
}

/// Why a pod is over without its stage's container having ended.
#[must_use]
pub fn why_over(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let own =
        status.and_then(|status| sentence(status.reason.as_deref(), status.message.as_deref()));
    own.or_else(|| disruption(pod))
        .or_else(|| failed_init(pod))
        .unwrap_or_else(|| format!("its pod is over ({})", phase(pod)))
}

/// Who disrupts a pod, and why: an eviction, a preemption, a node that is lost.
#[must_use]
pub fn disruption(pod: &Pod) -> Option<String> {
    let condition = condition(pod, "DisruptionTarget", "True")?;
    sentence(condition.reason.as_deref(), condition.message.as_deref())
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let condition = condition(pod, "PodScheduled", "False")?;
    let why = match (condition.reason.as_deref(), condition.message.as_deref()) {
        // The message says it all.
        (Some("Unschedulable"), Some(message)) => short(message),
        (reason, message) => sentence(reason, message)?,
    };
    Some(format!("Pending: {why}"))
}

/// What keeps this very container from running, if that is more than that it waits its turn.
fn of_container(pod: &Pod, name: &str) -> Option<String> {
    let status = status_of(pod, name)?;
    let state = state(status);
    if let Some(end) = &state.terminated {
        let reason = short(end.reason.as_deref().unwrap_or("Error"));
        return Some(format!("{reason} ({}), to be run again", end.exit_code));
    }
    let waiting = state.waiting?;
    let reason = waiting.reason.as_deref()?;
    if SAYS_LITTLE.contains(&reason) {
        return None;
    }
    // What a container in CrashLoopBackOff died of says more than for how long it is left alone.
    let message = last_end(status).or_else(|| waiting.message.clone());
    sentence(Some(reason), message.as_deref())
}

fn last_end(status: &ContainerStatus) -> Option<String> {
    let end = status.last_state.as_ref()?.terminated.as_ref()?;
    let reason = short(end.reason.as_deref().unwrap_or("Error"));
    Some(format!("{reason} ({}) the last time", end.exit_code))
}

/// The init container that has to end before this one begins.
fn before(pod: &Pod, name: Option<&str>) -> Option<String> {
    let earlier = init_containers(pod)
        .iter()
        .take_while(|one| Some(one.name.as_str()) != name);
    for container in earlier {
        let Some(status) = status_of(pod, &container.name) else {
            return None; // The pod has not come to it.
        };
        let state = state(status);
        if state.running.is_some() && container.restart_policy.as_deref() != Some("Always") {
            return Some(format!("running its init container {}", container.name));
        }
        if let Some(why) = of_container(pod, &container.name).filter(|_| !has_ended_well(status)) {
            return Some(format!("its init container {}: {why}", container.name));
        }
    }
    None
}

fn has_ended_well(status: &ContainerStatus) -> bool {
    state(status)
        .terminated
        .is_some_and(|end| end.exit_code == 0)
}

fn failed_init(pod: &Pod) -> Option<String> {
    init_containers(pod).iter().find_map(|container| {
        let end = state(status_of(pod, &container.name)?).terminated?;
        let reason = short(end.reason.as_deref().unwrap_or("Error"));
        (end.exit_code != 0).then(|| {
            format!(
                "its init container {} ended with {} ({reason})",
                container.name, end.exit_code
            )
        })
    })
}

fn being_made(pod: &Pod, name: &str) -> Option<String> {
    let reason = state(status_of(pod, name)?).waiting?.reason?;
    Some(short(&reason))
}

/// Nothing more is known than where it is.
fn placed(pod: &Pod) -> String {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    match node {
        Some(node) => format!("Pending on node {node}"),
        None => "Pending: not scheduled yet".to_owned(),
    }
}

/// A reason and its message as one text.
fn sentence(reason: Option<&str>, message: Option<&str>) -> Option<String> {
    let given = |text: &&str| !text.trim().is_empty();
    match (reason.filter(given), message.filter(given)) {
        (Some(reason), Some(message)) => Some(format!("{}: {}", short(reason), short(message))),
        (one, other) => one.or(other).map(short),
    }
}

/// A message of Kubernetes fit for a line among others.
#[must_use]
pub fn short(message: &str) -> String {
    // The scheduler says again for preemption what it said before.
    let text = message.split(" preemption:").next().unwrap_or(message);
    let text = text.trim().trim_end_matches('.');
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST - 1).collect();
    cut + "…"
}
