//! The API server is away, or is not heard: what began goes on, and what waits is found again.

use std::{collections::BTreeMap, thread::sleep, time::Duration};

use chrono::TimeDelta;
use rendezvous::Phase;
use support::{
    cluster::{self, Cluster},
    moment::Moment,
    programs::K6,
    runner::SOON,
    target::Target,
    wait,
};

use crate::pod::{Pod, Run, ended, k6_run};

/// Long enough for a runner to see the plan and to be armed, on a busy machine.
const LEAD: Duration = Duration::from_secs(6);

/// Longer than it takes until a server that is back is watched again, and then to be armed.
const POLLED: Duration = Duration::from_secs(20);

/// What the scheduler gives so few runners at least.
const LEAD_OF_MANY: Duration = Duration::from_secs(20);

/// How long before the instant the scheduler looks who is armed.
const ARMED_BEFORE: TimeDelta = TimeDelta::seconds(2);

#[test]
fn an_armed_runner_needs_no_api_server() {
    let (Some(cluster), Some(k6)) = (Cluster::start(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(&cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .env("TARGET", target.url())
        .start(k6_run(&k6, "one-iteration"));
    pod.wait_for(Phase::Ready);
    // Long enough to end the API server meanwhile.
    let instant = run.set_in(LEAD + LEAD);
    pod.wait_for(Phase::Armed);
    cluster.kill_api();
    assert!(Moment::now().utc < instant, "it was killed too late");
    let exit = ended(&process, 0);

    let first = target.first_requests()[&pod.name].first.utc - instant;
    let first = first.num_milliseconds();
    assert!((0..5000).contains(&first), "{first} ms after the instant");
    // The end is not held up by a report that cannot be written.
    assert!((exit.at.utc - instant).num_seconds() < 20);
    let message = pod.termination_message();
    assert!(message.starts_with("finished (0); lateness "), "{message}");
}

#[test]
fn twenty_waiting_runners_come_back_without_a_storm_when_the_api_server_does() {
    const RUNNERS: u32 = 20;
    const AWAY: Duration = Duration::from_secs(60);
    let (Some(cluster), Some(k6)) = (Cluster::start(), K6::V1.program()) else {
        return;
    };
    let (mut run, target, proxy) = (Run::new(&cluster), Target::start(), cluster.proxy());
    run.runners = RUNNERS;
    let pods: Vec<_> = (0..RUNNERS)
        .map(|index| run.pod(&format!("load-test-{index}-abcde")))
        .collect();
    run.gather();
    let start = |pod: &Pod| {
        let container = pod.container().through(proxy.address());
        let container = container.env("TARGET", target.url());
        container.start(k6_run(&k6, "one-iteration"))
    };
    let processes: Vec<_> = pods.iter().map(start).collect();
    for pod in &pods {
        pod.wait_for(Phase::Ready);
    }

    let before = proxy.connections();
    cluster.kill_api();
    sleep(AWAY);
    // Each attempt is a connection, as none of them leads anywhere.
    let attempts = proxy.connections() - before;
    let most = (RUNNERS * AWAY.as_secs() as u32) as usize;
    println!("{RUNNERS} runners made {attempts} attempts in {AWAY:?}");
    assert!((RUNNERS as usize..=most).contains(&attempts), "{attempts}");
    for process in &processes {
        assert!(process.exited().is_none(), "{}", process.stderr());
    }

    cluster.start_api();
    let back = Moment::now();
    let instant = run.set_in(LEAD_OF_MANY);
    for pod in &pods {
        let armed = pod.wait_for(Phase::Armed).clock.utc;
        assert!(armed < instant - ARMED_BEFORE, "{}: {armed}", pod.name);
    }
    let mut requests = run.requests(&cluster);
    requests.retain(|request| request.at >= back.utc);
    let mut each_second = BTreeMap::<i64, usize>::new();
    for request in &requests {
        *each_second.entry(request.at.timestamp()).or_default() += 1;
    }
    println!("requests, once it was back, by the second: {each_second:?}");
    // A list, a watch, a poll, and the writes of what has changed: that the runner lives, and that it is armed.
    assert!(requests.len() <= RUNNERS as usize * 8, "{requests:#?}");

    for (pod, process) in pods.iter().zip(&processes) {
        ended(process, 0);
        let first = target.first_requests()[&pod.name].first.utc;
        assert!(first >= instant, "{}: {first}", pod.name);
        assert_eq!(target.load_count(&pod.name), 1);
    }
}

#[test]
fn an_api_server_that_is_away_at_the_beginning_is_waited_for() {
    let (Some(cluster), Some(k6)) = (Cluster::start(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(&cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    cluster.kill_api();
    let process = pod
        .container()
        .env("TARGET", target.url())
        .start(k6_run(&k6, "one-iteration"));
    // k6 comes up meanwhile.
    process.wait_for_line("k6 started, paused", SOON);
    cluster.start_api();
    pod.wait_for(Phase::Ready);
    run.set_in(POLLED);
    ended(&process, 0);
    assert_eq!(target.load_count(&pod.name), 1);
}

#[test]
fn an_api_server_that_never_comes_is_given_up() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let run = Run::new(cluster);
    let pod = run.pod("load-test-0-abcde");
    let proxy = cluster.proxy();
    proxy.swallow_all();
    let process = pod
        .container()
        .through(proxy.address())
        .env("TMINUS_DEADLINE", "8s")
        .start(k6_run(&k6, "one-iteration"));
    ended(&process, 69);
    let message = pod.termination_message();
    assert!(message.starts_with("failed (69): cannot "), "{message}");
}

#[test]
fn a_plan_comes_in_time_although_its_connections_have_become_black_holes() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let proxy = cluster.proxy();
    let process = pod
        .container()
        .through(proxy.address())
        .env("TARGET", target.url())
        .start(k6_run(&k6, "one-iteration"));
    pod.wait_for(Phase::Ready);
    proxy.swallow_present();
    // A poll comes after 12 s at the most, is given up, and comes again over a new connection.
    run.set_in(Duration::from_secs(40));
    wait::until("the runner to be armed", Duration::from_secs(38), || {
        pod.report().filter(|report| report.phase == Phase::Armed)
    });
    ended(&process, 0);
    assert_eq!(target.load_count(&pod.name), 1);
}
