//! Runners that are lost in the middle of their load, and the scheduler that sees it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rendezvous::Phase;
use support::{
    cluster,
    process::{Program, Running},
    programs::{self, K6},
    runner::SOON,
    scheduler::{self, Ended},
    target::Target,
    wait,
};

use crate::pod::{JOB, Pod, Run, k6_run};

/// A start on Kubernetes has a lead of 20 s, and a report that lay there before counts when it is renewed.
const WHOLE_START: Duration = Duration::from_secs(90);

/// Two renewals of a report, which are 12 s apart at the most, a look every second, and a busy machine.
const NOTICED: Duration = Duration::from_secs(25 + 10);

/// The scheduler of a run, told by which labels its pods are known.
fn start(run: &Run, runners: usize, options: &[&str]) -> Running {
    let store = format!("kubernetes:{}/{JOB}", run.namespace.name());
    Program::new(programs::scheduler())
        .args(["start", "--store", &store, "--run", run.id().as_str()])
        .args(["--runners", &runners.to_string(), "--selector", "app=k6"])
        .args(["--wait", "--output", "json"])
        .args(options)
        .env("KUBECONFIG", run.namespace.kubeconfig())
        .start()
}

/// Starts the containers of these pods, and waits for the load of all.
fn load(
    run: &Run,
    target: &Target,
    pods: &[Pod<'_>],
    options: &[&str],
    duration: &str,
) -> (Running, Vec<Running>) {
    let k6 = K6::V1.program().unwrap();
    let scheduler = start(run, pods.len(), options);
    let containers = pods.iter().map(|pod| {
        pod.container()
            .env("TARGET", target.url())
            .env("DURATION", duration)
            .start(k6_run(&k6, "one-is-different"))
    });
    let containers = containers.collect();
    for pod in pods {
        wait::until("load", WHOLE_START, || {
            (target.load_count(&pod.name) > 0).then_some(())
        });
        pod.wait_for(Phase::Running);
    }
    (scheduler, containers)
}

fn ended(scheduler: &Running, code: i32) -> Ended {
    let ended = scheduler::ended_within(scheduler, WHOLE_START);
    ended.assert(code);
    ended
}

fn loss(ended: &Ended, pod: &Pod<'_>) -> String {
    let result = ended.result();
    let runners = result.0["runners"].as_array().unwrap();
    let runner = runners
        .iter()
        .find(|runner| runner["name"] == pod.name.as_str());
    runner.unwrap()["lost"]["by"].as_str().unwrap().to_owned()
}

#[test]
fn a_pod_that_is_gone_after_the_start_is_named_and_the_others_are_untouched() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let names = ["k6-0", "k6-1", "k6-2", "k6-3"];
    let pods = names.map(|name| run.pod(name));
    let (scheduler, containers) = load(&run, &target, &pods, &[], "20s");
    let [lost, others @ ..] = containers.as_slice() else {
        panic!()
    };
    lost.signal(Signal::SIGKILL);
    let kubectl = run.namespace.kubectl();
    kubectl.run(["delete", "pod", "k6-0", "--force", "--grace-period=0"]);

    let ended = ended(&scheduler, 78);
    assert_eq!(loss(&ended, &pods[0]), "pod_gone");
    let result = ended.result();
    let share = result.0["faults"][0].as_str().unwrap();
    assert!(share.starts_with("1 of 4 runners lost "), "{share}");
    assert!(
        share.ends_with(" s after the start: 25 % of the load from then on"),
        "{share}"
    );
    let who = result.0["faults"][1].as_str().unwrap();
    assert!(
        who.starts_with("k6-0: ended without a word: its pod was deleted ("),
        "{who}"
    );
    for other in others {
        crate::pod::ended(other, 0);
    }
}

#[test]
fn a_node_that_vanishes_with_its_pod_still_there_ends_the_others_if_it_is_to() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pods = ["k6-0", "k6-1", "k6-2"].map(|name| run.pod(name));
    let options = ["--on-lost", "abort"];
    let (scheduler, containers) = load(&run, &target, &pods, &options, "5m");
    let [lost, others @ ..] = containers.as_slice() else {
        panic!()
    };
    // All that anybody sees of it in the cluster is that its Lease is not renewed any more.
    lost.signal(Signal::SIGKILL);
    let since = Instant::now();
    scheduler.wait_for_line("k6-0 has been silent for ", NOTICED);
    println!("noticed after {:?}", since.elapsed());

    let ended = ended(&scheduler, 78);
    assert_eq!(loss(&ended, &pods[0]), "report_not_renewed");
    ended.result().assert_ending("stopped", "k6-0 was lost");
    for (other, pod) in others.iter().zip(&pods[1..]) {
        crate::pod::ended(other, 76);
        assert_eq!(pod.wait_for(Phase::Aborted).exit_code, Some(76));
    }
    assert!(since.elapsed() < NOTICED + SOON);
}
