//! How a run starts, and where its plan may have been meanwhile.

use std::time::Duration;

use chrono::TimeDelta;
use rendezvous::{Phase, PlanState};
use rstest::rstest;
use support::{
    cluster, moment::Moment, ntp::fake_server::off_by, programs::K6, target::Target, wait,
};

use crate::pod::{Run, ended, k6_run};

/// Long enough for a runner to see the plan and to be armed, on a busy machine.
const LEAD: Duration = Duration::from_secs(6);

#[rstest]
fn a_runner_with_the_shipped_rights_becomes_ready_is_armed_and_fires(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let (Some(cluster), Some(k6)) = (cluster::api(), k6.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    run.gather();
    let process = pod
        .container()
        .env("TARGET", target.url())
        .start(k6_run(&k6, "one-iteration"));
    let ready = pod.wait_for(Phase::Ready);
    assert_eq!(ready.name, "load-test-0-abcde");
    assert_eq!(ready.node.as_deref(), Some("node-1"));
    assert_eq!(ready.container.as_deref(), Some("main"));

    // Long enough for the test to see that it is armed.
    run.set_in(LEAD + LEAD);
    pod.wait_for(Phase::Armed);
    ended(&process, 0);
    let report = pod.report().unwrap();
    assert_eq!((report.phase, report.exit_code), (Phase::Finished, Some(0)));
    assert!(report.start.unwrap().lateness.num_milliseconds() < 1000);
    assert_eq!(target.load_count(&pod.name), 1);

    let message = pod.termination_message();
    assert!(message.starts_with("finished (0); lateness +"), "{message}");
    let (id, lines) = (run.id().as_str(), message.lines().count());
    assert!(message.contains(id) && lines == 1, "{message}");

    let mut requests = run.requests(cluster);
    assert!(!requests.is_empty());
    let is_refused = |code| ![200, 201, 404].contains(&code);
    requests.retain(|request| request.code().is_some_and(is_refused));
    assert!(requests.is_empty(), "{requests:#?}");
}

#[test]
fn a_plan_that_is_not_there_yet_and_one_that_is_deleted_and_made_again_are_waited_for() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .env("TARGET", target.url())
        .start(k6_run(&k6, "one-iteration"));
    let ready = pod.wait_for(Phase::Ready);
    assert_eq!(ready.plan, None);

    run.gather();
    pod.wait_for_report("the plan in the report", |it| it.plan.is_some());
    run.delete_plan();
    pod.wait_for_report("no plan in the report", |it| it.plan.is_none());
    run.set_in(LEAD);
    ended(&process, 0);
    assert_eq!(target.load_count(&pod.name), 1);
}

/// The API server's clock is this machine's.
#[test]
fn time_servers_that_the_api_servers_date_contradicts_are_warned_of_and_followed() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let ahead = TimeDelta::seconds(5);
    let server = off_by(ahead);
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    run.gather();
    let process = pod
        .container()
        .env("TARGET", target.url())
        .env("TMINUS_NTP", server.address().to_string())
        .start(k6_run(&k6, "one-iteration"));
    pod.wait_for(Phase::Ready);
    // A second of the `Date`, a second that it may be off, and what the request took are allowed.
    let line = process.wait_for_line(
        "from the Date that the API server sends: one of them is wrong",
        support::runner::SOON,
    );
    assert!(line.contains("the time servers are at least +"), "{line}");

    let start_at = Moment::now().utc + ahead + LEAD;
    run.write(PlanState::Set {
        start_at,
        quorum: 1,
    });
    ended(&process, 0);
    let start = pod.report().unwrap().start.unwrap();
    assert_eq!(start.fired_at - start.lateness, start_at);
    assert!(start.lateness < TimeDelta::seconds(1), "{start:?}");
    assert_eq!(target.load_count(&pod.name), 1);
}

#[test]
fn an_abort_ends_it_whatever_it_does() {
    let (Some(cluster), Some(k6)) = (cluster::api(), K6::V1.program()) else {
        return;
    };
    let (run, target) = (Run::new(cluster), Target::start());
    let pod = run.pod("load-test-0-abcde");
    let process = pod
        .container()
        .env("TARGET", target.url())
        .env("DURATION", "5m")
        .start(k6_run(&k6, "setup"));
    pod.wait_for(Phase::Ready);
    run.set_in(LEAD);
    wait::until("the load", support::runner::SOON, || {
        (target.load_count(&pod.name) > 0).then_some(())
    });
    run.abort();
    ended(&process, 76);
    assert_eq!(pod.report().unwrap().phase, Phase::Aborted);
    let message = pod.termination_message();
    let expected = "aborted (76): aborted by the test: enough; lateness ";
    assert!(message.starts_with(expected), "{message}");
}
