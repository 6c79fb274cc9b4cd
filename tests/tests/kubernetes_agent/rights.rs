//! Rights that are missing: named after a short while in which somebody may still grant them.

use std::time::Duration;

use rendezvous::Phase;
use rstest::rstest;
use support::{cluster, programs::K6, runner::SOON, target::Target};

use crate::pod::{CONFIG_MAP, Run, ended, k6_run};

/// For how long a right that is missing is waited for, 30 s, and what comes before and after on a busy machine.
const WAITED: std::ops::Range<Duration> = Duration::from_secs(28)..Duration::from_secs(50);

/// Longer than a poll takes to come, 12 s at the most, and then to be armed.
const POLLED: Duration = Duration::from_secs(25);

#[rstest]
#[case::the_plan(
    "resources: [configmaps]",
    "resources: [secrets]",
    "configmaps",
    CONFIG_MAP
)]
#[case::the_report("resources: [leases]", "resources: [nothing]", "leases", "tminus-")]
fn a_right_that_is_missing_is_named_and_fatal_after_a_while(
    #[case] granted: &str,
    #[case] instead: &str,
    #[case] resource: &str,
    #[case] name: &str,
) {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let run = Run::without_rights(cluster);
    run.grant(|shipped| {
        assert!(shipped.contains(granted));
        shipped.replace(granted, instead)
    });
    let pod = run.pod("load-test-0-abcde");
    let began = std::time::Instant::now();
    let process = pod.container().start(k6_run(&k6, "one-iteration"));
    ended(&process, 69);
    let took = began.elapsed();
    assert!(WAITED.contains(&took), "{took:?}");

    let message = pod.termination_message();
    let account = format!(
        "system:serviceaccount:{}:tminus-agent",
        run.namespace.name()
    );
    for part in ["get", resource, name, run.namespace.name(), &account] {
        assert!(message.contains(part), "no {part} in {message}");
    }
    assert!(message.starts_with("failed (69): "), "{message}");
}

#[test]
fn a_right_that_is_granted_while_it_is_waited_for_is_enough() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::without_rights(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .env("TARGET", target.url())
        .start(k6_run(&k6, "one-iteration"));
    process.wait_for_line("may not", SOON);
    run.grant(|shipped| shipped);
    pod.wait_for(Phase::Ready);
    run.set_in(POLLED);
    ended(&process, 0);
    assert_eq!(target.load_count(&pod.name), 1);
}

#[test]
fn watching_is_not_needed() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::without_rights(cluster), Target::start());
    run.grant(|shipped| shipped.replace("[get, list, watch]", "[get]"));
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .env("TARGET", target.url())
        .start(k6_run(&k6, "one-iteration"));
    pod.wait_for(Phase::Ready);
    run.set_in(POLLED);
    ended(&process, 0);
    assert_eq!(target.load_count(&pod.name), 1);
}
