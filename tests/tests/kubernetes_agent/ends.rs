//! Containers that end before anything began, or when their load has: `kubectl describe pod` says why.

use std::time::{Duration, Instant};

use rendezvous::Phase;
use rstest::rstest;
use support::{cluster, programs::K6, runner::SOON, target::Target, wait};

use crate::pod::{Run, ended, k6_run};

#[rstest]
#[case::no_job(&["TMINUS_RUN", "TMINUS_STORE"], &["controller-uid", "job-name"])]
#[case::no_downward_api(
    &["TMINUS_RUNNER", "TMINUS_NAME", "TMINUS_NODE", "TMINUS_CONTAINER"],
    &["metadata.uid", "metadata.name", "spec.nodeName", "container's name"]
)]
fn every_variable_that_is_empty_is_named_at_once_and_why(
    #[case] empty: &[&str],
    #[case] named: &[&str],
) {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let run = Run::new(cluster);
    let pod = run.pod("load-test-0-abcde");
    let mut container = pod.container();
    for name in empty {
        // What the manifest makes of a Job's name that is empty.
        let rest = match *name {
            "TMINUS_STORE" => "kubernetes:",
            _ => "",
        };
        container = container.env(name, rest);
    }
    let process = container.start(k6_run(&k6, "one-iteration"));
    ended(&process, 64);
    let (stderr, message) = (process.stderr(), pod.termination_message());
    assert!(message.starts_with("failed (64): "), "{message}");
    for named in named {
        assert!(stderr.contains(named), "no {named} in {stderr}");
        assert!(message.contains(named), "no {named} in {message}");
    }
}

#[test]
fn a_pod_without_its_name_is_told_to_give_it() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let run = Run::new(cluster);
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .without("TMINUS_NAME")
        .start(k6_run(&k6, "one-iteration"));
    ended(&process, 64);
    let message = pod.termination_message();
    assert!(message.contains("TMINUS_NAME"), "{message}");
}

#[test]
fn a_command_line_of_k6_that_contradicts_the_start_is_told_in_the_pods_status() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let run = Run::new(cluster);
    let pod = run.pod("load-test-0-abcde");
    let mut command = k6_run(&k6, "one-iteration");
    command.push("--linger".into());
    let process = pod.container().start(command);
    ended(&process, 64);
    let message = pod.termination_message();
    assert!(
        message.starts_with("failed (64): ") && message.contains("linger"),
        "{message}"
    );
}

#[test]
fn a_pod_without_the_files_of_its_service_account_says_so() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let run = Run::new(cluster);
    let pod = run.pod("load-test-0-abcde").without_service_account();
    let process = pod.container().start(k6_run(&k6, "one-iteration"));
    ended(&process, 69);
    let message = pod.termination_message();
    assert!(
        message.starts_with("failed (69): ") && message.contains("automountServiceAccountToken"),
        "{message}"
    );
}

#[test]
fn outside_a_pod_nothing_is_written_but_where_it_is_asked_for() {
    use support::{process::Program, programs, scratch::Scratch};
    let scratch = Scratch::new();
    let file = scratch.path().join("last-words");
    let process = Program::new(programs::agent())
        .args(["--store", "dir:x", "--run", "", "--runner", "a"])
        .args(["--termination-log".as_ref(), file.as_os_str()])
        .args(["--", "k6", "run", "x.js"])
        .current_dir(scratch.path())
        .start();
    ended(&process, 64);
    let message = std::fs::read_to_string(file).unwrap();
    assert!(message.starts_with("failed (64): "), "{message}");
    assert_eq!(scratch.files().len(), 1);
}

/// What becomes of the API server while k6 ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    Nothing,
    /// It refuses connections.
    Away,
    /// It takes them, and answers nobody.
    Silent,
}

/// The last report gets three seconds, the termination message one; the rest is a busy machine.
const TOLD_WITHIN: Duration = Duration::from_secs(4 + 10);

#[rstest]
fn a_crossed_threshold_comes_out_in_time_whatever_becomes_of_the_api_server(
    #[values(Becomes::Nothing, Becomes::Away, Becomes::Silent)] becomes: Becomes,
) {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target, proxy) = (Run::new(cluster), Target::start(), cluster.proxy());
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .through(proxy.address())
        .env("TARGET", target.url())
        .env("DURATION", "5m")
        .env("ONE", &pod.name)
        .env("WHAT", "abort on fail")
        .start(k6_run(&k6, "one-is-different"));
    pod.wait_for(Phase::Ready);
    run.set_in(Duration::from_secs(4));
    pod.wait_for(Phase::Running);
    // A proxy that is dropped refuses whoever comes.
    let _proxy = match becomes {
        Becomes::Nothing => Some(proxy),
        Becomes::Away => {
            drop(proxy);
            None
        }
        Becomes::Silent => {
            proxy.swallow_all();
            Some(proxy)
        }
    };
    wait::until("teardown()", SOON, || {
        (target.teardown_count(&pod.name) > 0).then_some(())
    });
    let torn_down = Instant::now();
    let exit = ended(&process, 99);
    let took = exit.at.monotonic.saturating_duration_since(torn_down);
    println!("{becomes:?}: the code came out {took:?} after teardown()");
    assert!(took < TOLD_WITHIN, "{took:?}");
    let message = pod.termination_message();
    assert!(message.starts_with("finished (99)"), "{message}");
    let report = pod.report().unwrap();
    assert_eq!(
        report.exit_code,
        (becomes == Becomes::Nothing).then_some(99)
    );
}
