//! Values of the command line, and why one cannot be used. In a pod most of them come from the pod itself (the
//! downward API), which gives an empty text for what is not there: an empty value says where it should have come from.

use std::time::Duration;

use rendezvous::{Plan, RunId, RunnerId, StageName, StoreLocation, Terms, duration_within};

/// How a Kubernetes store begins.
pub const KUBERNETES: &str = "kubernetes:";

/// Where plan and reports stand.
pub fn store(text: &str) -> Result<StoreLocation, String> {
    let name = text.strip_prefix(KUBERNETES);
    if name.is_some_and(|name| name.is_empty() || name.ends_with('/')) {
        return Err(format!(
            "no name stands at its end; usually it is that of the Job, from the pod's label \
             batch.kubernetes.io/job-name: is the pod made by a Job? Else give --store {KUBERNETES}NAME"
        ));
    }
    text.parse()
}

/// A year, as humantime counts: far beyond any load test, and far from where a sum of times would overflow.
const LONGEST_RUN: Duration = Duration::from_secs(31_557_600);

/// The run's id.
pub fn run(text: &str) -> Result<RunId, String> {
    if text.is_empty() {
        return Err(
            "it is empty: the pod has no label batch.kubernetes.io/controller-uid: is it made by a Job? \
             Else give --run"
                .to_owned(),
        );
    }
    text.parse().map_err(|error| format!("{error}"))
}

/// The stage's name.
pub fn stage(text: &str) -> Result<StageName, String> {
    if text.is_empty() {
        return Err("it is empty: name the stage, such as main, or leave it out".to_owned());
    }
    text.parse().map_err(|error| format!("{error}"))
}

/// The runner's id.
pub fn runner(text: &str) -> Result<RunnerId, String> {
    if text.is_empty() {
        return Err("it is empty: in a pod it is the pod's UID (fieldRef metadata.uid)".to_owned());
    }
    text.parse().map_err(|error| format!("{error}"))
}

/// A name for people, of a runner.
pub fn name(text: &str) -> Result<String, String> {
    not_empty(
        text,
        "in a pod it is the pod's name (fieldRef metadata.name)",
    )
}

/// The name of a container.
pub fn container(text: &str) -> Result<String, String> {
    not_empty(
        text,
        "the downward API does not know it: write the container's name into the manifest, or leave it out",
    )
}

/// The name of a node.
pub fn node(text: &str) -> Result<String, String> {
    not_empty(
        text,
        "in a pod it is the node's name (fieldRef spec.nodeName)",
    )
}

fn not_empty(text: &str, cure: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("it is empty: {cure}"));
    }
    Ok(text.to_owned())
}

/// A duration above zero and up to a day.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(1)..=Plan::LONGEST_WAIT)
}

/// How long k6 may run.
pub fn max_run(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(1)..=LONGEST_RUN)
}

/// How late is still on time.
pub fn tolerance(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=Terms::LONGEST_TOLERANCE)
}

/// The last stretch, which is spun through.
pub fn spin(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=clock::wait::MAX_SPIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::run(run("").unwrap_err(), "batch.kubernetes.io/controller-uid")]
    #[case::job(store("kubernetes:").unwrap_err(), "batch.kubernetes.io/job-name")]
    #[case::job_in_a_namespace(store("kubernetes:load/").unwrap_err(), "batch.kubernetes.io/job-name")]
    #[case::stage(stage("").unwrap_err(), "leave it out")]
    #[case::runner(runner("").unwrap_err(), "metadata.uid")]
    #[case::name(name("").unwrap_err(), "metadata.name")]
    #[case::container(container("").unwrap_err(), "manifest")]
    #[case::node(node("").unwrap_err(), "spec.nodeName")]
    fn an_empty_value_says_where_it_should_have_come_from(
        #[case] error: String,
        #[case] source: &str,
    ) {
        assert!(error.contains(source), "{error}");
    }

    #[test]
    fn other_values_are_taken_as_they_are() {
        assert_eq!(run("r1").unwrap().as_str(), "r1");
        assert_eq!(stage("main").unwrap().as_str(), "main");
        assert_eq!(runner("a").unwrap().as_str(), "a");
        assert_eq!(name("pod-1").unwrap(), "pod-1");
        assert_eq!(store("dir:x").unwrap().to_string(), "dir:x");
    }
}
