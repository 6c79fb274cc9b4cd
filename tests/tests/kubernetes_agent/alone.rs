//! The load runs, and then scheduler and plan are gone for good.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    cluster, process::Program, programs, programs::K6, runner::SOON, target::Target, wait,
};

use crate::pod::{CONFIG_MAP, JOB, Run, ended, k6_run};

/// Long enough for the plan to be deleted, and for the runner to see that.
const MAX_RUN: Duration = Duration::from_secs(15);

/// How long after that k6 may live, teardown() included, on a busy machine.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

#[rstest]
fn a_load_without_end_is_stopped_although_the_scheduler_was_killed_and_the_plan_deleted(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let (Some(cluster), Some(k6)) = (cluster::api(), k6.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let scheduler = Program::new(programs::scheduler())
        .args(["start", "--store", &format!("kubernetes:{JOB}")])
        .args(["--run", run.id().as_str(), "--runners", "1", "--wait"])
        .env("KUBECONFIG", run.namespace.kubeconfig())
        .start();
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .env("TARGET", target.url())
        .env("DURATION", "10h")
        .env("TMINUS_MAX_RUN", format!("{}s", MAX_RUN.as_secs()))
        .start(k6_run(&k6, "setup"));
    // Its lead alone is twenty seconds.
    wait::until("load", SOON * 2, || {
        (target.load_count(&pod.name) > 0).then_some(())
    });
    let began = Instant::now();
    scheduler.signal(Signal::SIGKILL);
    scheduler.wait(SOON);
    pod.wait_for(Phase::Running);
    run.delete_plan();

    // It goes on: that the plan is gone is no reason to end.
    let before = target.load_count(&pod.name);
    sleep(Duration::from_secs(3));
    assert!(target.load_count(&pod.name) > before);
    assert!(process.exited().is_none(), "{}", process.stderr());

    let exit = ended(&process, 124);
    let took = exit.at.monotonic - began;
    println!("all was over {took:?} after the load began");
    assert!(took < MAX_RUN + STOPPED_WITHIN, "{took:?}");
    assert_eq!(target.teardown_count(&pod.name), 1);
    let words = "failed (124): k6 had not ended 15s after the start, so it was stopped";
    let message = pod.termination_message();
    assert!(message.starts_with(words), "{message}");
    let report = pod.report().unwrap();
    assert_eq!(
        (report.phase, report.exit_code),
        (Phase::Failed, Some(124)),
        "{report:#?}"
    );
    let gone = run.namespace.kubectl();
    let left = gone.run(["get", "configmap", CONFIG_MAP, "--ignore-not-found"]);
    assert!(left.is_empty(), "{left}");
}
