//! A container that is started again, as with `restartPolicy: OnFailure`: no second load, whatever the API server
//! has lost of the first.

use std::time::Duration;

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    cluster::{self, Cluster},
    moment::Moment,
    process::Running,
    programs::K6,
    runner::SOON,
    target::Target,
    wait,
};

use crate::pod::{Container, Pod, Run, ended, k6_run};

/// Long enough for a runner to see the plan and to be armed, on a busy machine.
const LEAD: Duration = Duration::from_secs(6);

/// How soon a used-up stage is to be told where the API server is not asked.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Kills it as a machine does that has no memory left.
fn kill(process: &Running) {
    process.signal(Signal::SIGKILL);
    process.wait(SOON);
    process.assert_nothing_left();
}

fn container<'a>(pod: &'a Pod, target: &Target) -> Container<'a> {
    pod.container()
        .env("TARGET", target.url())
        .env("DURATION", "5m")
}

/// A pod whose container has fired and was killed; gives how much load that was.
fn that_has_fired(run: &Run, pod: &Pod, target: &Target, k6: &std::path::Path) -> u64 {
    let process = container(pod, target).start(k6_run(k6, "setup"));
    pod.wait_for(Phase::Ready);
    run.set_in(LEAD);
    wait::until("the load", SOON, || {
        (target.load_count(&pod.name) > 0).then_some(())
    });
    kill(&process);
    target.load_count(&pod.name)
}

/// What the API server has lost of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    Nothing,
    /// And there is no shared memory either.
    NothingWithoutMark,
    Report,
    ReportAndPlan,
}

#[rstest]
fn a_container_that_has_fired_does_not_fire_again(
    #[values(
        Lost::Nothing,
        Lost::NothingWithoutMark,
        Lost::Report,
        Lost::ReportAndPlan
    )]
    lost: Lost,
) {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let mut pod = run.pod("load-test-0-abcde");
    if lost == Lost::NothingWithoutMark {
        pod = pod.without_shared_memory();
    }
    let load = that_has_fired(&run, &pod, &target, &k6);
    match lost {
        Lost::Nothing | Lost::NothingWithoutMark => {}
        Lost::Report => pod.delete_report(),
        Lost::ReportAndPlan => {
            pod.delete_report();
            run.delete_plan();
        }
    }
    for _ in 0..2 {
        let again = container(&pod, &target).env("TMINUS_LATE", "join");
        let again = again.start(k6_run(&k6, "setup"));
        ended(&again, 77);
        let report = pod.report().unwrap();
        assert_eq!((report.phase, report.exit_code), (Phase::Refused, Some(77)));
        assert!(report.armed, "the next one is to know it, too");
        let message = pod.termination_message();
        assert!(message.starts_with("refused (77): an earlier process"));
    }
    assert_eq!(target.load_count(&pod.name), load);
    assert_eq!(target.setup_count(&pod.name), 1);
}

#[test]
fn a_plan_made_anew_for_the_same_stage_is_no_reason_to_fire_again() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let load = that_has_fired(&run, &pod, &target, &k6);
    pod.delete_report();
    run.delete_plan();
    run.set_anew_in(Duration::from_secs(60));
    let again = container(&pod, &target).start(k6_run(&k6, "setup"));
    ended(&again, 77);
    assert_eq!(target.load_count(&pod.name), load);
}

#[test]
fn the_mark_is_enough_where_there_is_no_api_server_any_more() {
    let (Some(cluster), Some(k6)) = (Cluster::start(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(&cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let load = that_has_fired(&run, &pod, &target, &k6);
    cluster.kill_api();
    let began = Moment::now();
    let again = container(&pod, &target).start(k6_run(&k6, "setup"));
    let exit = ended(&again, 77);
    assert!(exit.at.monotonic - began.monotonic < AT_ONCE);
    assert_eq!(target.load_count(&pod.name), load);
}

#[test]
fn with_the_policy_to_skip_a_used_up_stage_ends_well() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let process = container(&pod, &target)
        .env("TMINUS_LATE", "skip")
        .start(k6_run(&k6, "setup"));
    pod.wait_for(Phase::Ready);
    run.set_in(LEAD);
    wait::until("the load", SOON, || {
        (target.load_count(&pod.name) > 0).then_some(())
    });
    kill(&process);
    pod.delete_report();
    let load = target.load_count(&pod.name);

    let again = container(&pod, &target)
        .env("TMINUS_LATE", "skip")
        .start(k6_run(&k6, "setup"));
    ended(&again, 0);
    assert_eq!(pod.report().unwrap().phase, Phase::Skipped);
    assert!(pod.termination_message().starts_with("skipped (0): "));
    assert_eq!(target.load_count(&pod.name), load);
}

#[test]
fn a_container_that_comes_back_before_the_instant_takes_part_once() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let process = container(&pod, &target).start(k6_run(&k6, "one-iteration"));
    pod.wait_for(Phase::Ready);
    assert_eq!(pod.shared_memory(), Vec::<String>::new());
    // Long enough for a k6 to come up meanwhile, on a busy machine.
    run.set_in(Duration::from_secs(20));
    pod.wait_for(Phase::Armed);
    assert_eq!(pod.shared_memory().len(), 1);
    kill(&process);
    let again = container(&pod, &target).start(k6_run(&k6, "one-iteration"));
    ended(&again, 0);
    assert_eq!(target.load_count(&pod.name), 1);
    assert_eq!(pod.shared_memory().len(), 1);
}

#[test]
fn of_two_containers_of_a_pod_with_one_stage_one_fires() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let start = || container(&pod, &target).start(k6_run(&k6, "one-iteration"));
    let both = [start(), start()];
    for process in &both {
        process.wait_for_line("phase=ready", SOON);
    }
    run.set_in(LEAD);
    let mut codes = both
        .each_ref()
        .map(|process| process.wait(SOON).code.unwrap());
    codes.sort_unstable();
    assert_eq!(codes, [0, 73]);
    assert_eq!(target.load_count(&pod.name), 1);
}
