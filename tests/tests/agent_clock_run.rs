//! A run whose time comes from NTP servers: when it is ready by it, starts by it, and refuses by it.
#![allow(clippy::unwrap_used)]

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{Phase, PlanState, Report, Terms};
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    moment::Moment,
    network::alone_with,
    ntp::{
        chronyd::{Chronyd, free_address},
        fake_server::{FakeServer, Unsteady, honest, off_by},
        named, nobody,
    },
    programs::{self, K6},
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wall_clock::WallClock,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_millis(700);

const RUNNER: &str = "runner-1";

const MS: Duration = Duration::from_millis(1);

/// How much more than a bound says two readings of the machine's clock may differ, on a machine with more to do
/// than it can.
const BUSY: Duration = Duration::from_millis(50);

/// How late such a machine may be to fire; a step of two seconds shows all the same.
const LATE: Duration = Duration::from_secs(1);

/// A runner that asks these servers, with a stand-in for k6 that runs for so long.
fn launch<'a>(stage: &'a Stage, servers: &[SocketAddr], runs: Duration) -> Launch<'a> {
    let behaviour = Behaviour {
        run: runs,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    Launch::new(stage, RUNNER)
        .fake_k6(&k6)
        .options(["--ntp", &named(servers)])
}

fn start<'a>(stage: &'a Stage, servers: &[SocketAddr], options: &[&str]) -> Runner<'a> {
    launch(stage, servers, 100 * MS)
        .options(options)
        .start(fake_k6())
}

fn fake_k6() -> [PathBuf; 3] {
    [programs::fake_k6(), "run".into(), "x.js".into()]
}

fn waits_for(report: &Report, what: &str) -> bool {
    let waiting_for = report.waiting_for.as_deref().unwrap_or_default();
    report.phase == Phase::Starting && waiting_for.contains(what)
}

fn assert_about(one: DateTime<Utc>, other: DateTime<Utc>, bound: Duration) {
    let off = (one - other).abs().to_std().unwrap();
    assert!(off <= bound + BUSY, "{one} and {other} are {off:?} apart");
}

#[rstest]
fn a_run_starts_by_ntp_and_reports_what_its_clock_is_worth(
    #[values("one-iteration", "constant-vus")] script: &str,
) {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&program);
    let (stage, target) = (Stage::new(), Target::start());
    let name = server.address().to_string();
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env("TMINUS_NTP", &name)
        .options(["--require-ntp", "--max-clock-error", "40ms"])
        .start(k6_run(&K6::V1.program().unwrap(), &[], script));
    let ready = runner.wait_for_phase(Phase::Ready, SOON).clock;
    assert_eq!(ready.source, format!("NTP {name} (single)"));
    assert_eq!((ready.used, ready.rejected), (vec![name.clone()], vec![]));
    assert!(ready.error.unwrap() < 40 * MS, "{:?}", ready.error);
    // The server's clock is the machine's.
    let off = ready.offset.unwrap().abs().to_std().unwrap();
    assert!(off < ready.error.unwrap() + BUSY, "{off:?}");

    let instant = stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    let start = ended.report.start.unwrap();
    assert_eq!(start.lateness, start.fired_at - instant);
    assert!(!start.clock_jumped);
    // Measured once more after the start, even if the load was over at once.
    let error = start.clock_error.unwrap();
    assert!(error < 40 * MS, "{error:?}");
    assert!(start.lateness >= -TimeDelta::from_std(error).unwrap());
    let first = target.first_requests()[RUNNER].first.utc;
    println!(
        "± {error:?}; first request {} after the instant",
        first - instant
    );
    assert!(first >= instant - TimeDelta::milliseconds(1), "{first}");
}

#[test]
fn the_exit_of_a_short_load_does_not_wait_for_the_time_at_which_the_clock_would_be_measured_again()
{
    let server = off_by(TimeDelta::zero());
    let mut took: Vec<_> = (0..5)
        .map(|_| {
            let stage = Stage::new();
            let runner = launch(&stage, &[server.address()], Duration::ZERO).start(fake_k6());
            runner.wait_for_phase(Phase::Ready, SOON);
            let instant = stage.set_in(LEAD);
            let ended = runner.ended(SOON);
            let start = ended.report.start.clone().unwrap();
            assert!(start.clock_error.is_some());
            ended.exit.at.utc - instant
        })
        .collect();
    took.sort_unstable();
    println!("over so long after the instant: {took:?}");
    // That would be 1.6 s after it, in the median.
    assert!(took[2] < TimeDelta::seconds(1), "{took:?}");
}

#[test]
fn a_server_that_nobody_is_at_keeps_the_runner_from_being_ready_and_ends_it_at_the_deadline() {
    let (stage, server) = (Stage::new(), nobody());
    let runner = start(&stage, &[server], &["--deadline", "4s"]);
    let why = format!("no time source answers; NTP {server}: refused");
    let report = runner.wait_for_report("what it waits for", SOON, |it| waits_for(it, &why));
    assert_eq!(report.clock.error, None);
    assert!(report.clock.rejected[0].starts_with(&format!("{server}: refused")));
    let ended = runner.ended(SOON);
    ended.assert(Phase::Refused, 71).assert_reason(&why);
}

#[test]
fn a_server_that_comes_up_late_makes_the_runner_ready() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let (stage, address) = (Stage::new(), free_address());
    let runner = start(&stage, &[address], &[]);
    runner.wait_for_report("what it waits for", SOON, |it| {
        waits_for(it, "no time source answers")
    });
    let _server = Chronyd::of_the_machine_at(&program, address);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn a_server_that_does_not_know_the_time_itself_is_no_time() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::start(&program, "");
    let stage = Stage::new();
    let runner = start(&stage, &[server.address()], &["--deadline", "3s"]);
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Refused, 71)
        .assert_reason("unsynchronised");
}

#[test]
fn one_of_three_that_lies_is_outvoted_and_named() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let Some(five_ahead) = WallClock::ahead_by(5.0) else {
        return;
    };
    let honest = [(); 2].map(|()| Chronyd::of_the_machine(&program));
    let liar = Chronyd::believing(&program, &five_ahead);
    let servers = [honest[0].address(), liar.address(), honest[1].address()];
    let stage = Stage::new();
    let runner = start(&stage, &servers, &[]);
    let clock = runner.wait_for_phase(Phase::Ready, SOON).clock;
    assert_eq!(clock.used.len(), 2, "{clock:?}");
    let named = format!("{}: falseticker, +5", liar.address());
    assert!(clock.rejected[0].starts_with(&named), "{clock:?}");
    let instant = stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    // By the machine's clock, which is the honest ones'.
    let start = ended.report.start.clone().unwrap();
    assert!(start.fired_at >= instant - TimeDelta::milliseconds(1));
    assert_about(start.fired_at, instant, LATE);
}

#[test]
fn two_of_four_are_no_majority() {
    let (Some(program), Some(five_ahead)) = (programs::chronyd(), WallClock::ahead_by(5.0)) else {
        return;
    };
    let honest = [(); 2].map(|()| Chronyd::of_the_machine(&program));
    let liars = [(); 2].map(|()| Chronyd::believing(&program, &five_ahead));
    let stage = Stage::new();
    let addresses: Vec<_> = honest.iter().chain(&liars).map(Chronyd::address).collect();
    let runner = start(&stage, &addresses, &["--deadline", "3s"]);
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Refused, 71)
        .assert_reason("no majority of the time sources agrees");
    assert_eq!(ended.report.clock.rejected.len(), 4);
}

#[test]
fn the_plans_budget_rules_where_it_is_the_smaller_one() {
    let server = off_by(TimeDelta::zero());
    let stage = Stage::new();
    let runner = start(&stage, &[server.address()], &["--deadline", "5s"]);
    runner.wait_for_phase(Phase::Ready, SOON);
    let mut plan = stage.plan(PlanState::Gathering {
        left: Duration::ZERO,
    });
    plan.terms = Terms {
        max_clock_error: Some(Duration::from_nanos(1)),
        ..Terms::default()
    };
    stage.write(&plan);
    runner.wait_for_report("the budget", SOON, |report| {
        waits_for(report, "clock error") && waits_for(report, "> 1 ns")
    });
    plan.state = PlanState::Set {
        start_at: Moment::now().utc + LEAD,
        quorum: 1,
    };
    stage.write(&plan);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Refused, 71).assert_reason("> 1 ns");
    assert!(ended.report.start.is_none());
}

/// Two rounds of measurements lie between arming and this instant, and some seconds more.
const ROUNDS_LEAD: Duration = Duration::from_secs(40);

/// A runner that is armed when the server that it asks begins to tell another time.
fn stepped<'a>(stage: &'a Stage, server: &Unsteady) -> (Runner<'a>, DateTime<Utc>) {
    let runner = start(stage, &[server.address()], &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    let instant = stage.set_in(ROUNDS_LEAD);
    runner.wait_for_phase(Phase::Armed, SOON);
    (runner, instant)
}

#[rstest]
#[case(2_000)]
#[case(-2_000)]
fn a_time_that_steps_while_a_runner_waits_is_believed_when_it_is_told_three_times(#[case] by: i64) {
    let server = Unsteady::new();
    let stage = Stage::new();
    let (runner, instant) = stepped(&stage, &server);
    server.step_to(TimeDelta::milliseconds(by));
    runner.wait_for_report("its doubt", ROUNDS_LEAD, |report| {
        report.phase == Phase::Armed && report.waiting_for.is_some()
    });
    let ended = runner.ended(ROUNDS_LEAD + SOON);
    ended.assert(Phase::Finished, 0);
    let start = ended.report.start.clone().unwrap();
    assert!(!start.clock_jumped, "{start:?}");
    assert_about(start.fired_at, instant, LATE);
    assert!(ended.exit.at.utc >= instant - TimeDelta::milliseconds(by));
}

#[rstest]
fn a_time_that_has_stepped_past_the_instant_makes_the_runner_late(#[values(28, 3600)] by: i64) {
    let server = Unsteady::new();
    let stage = Stage::new();
    let (runner, _) = stepped(&stage, &server);
    server.step_to(TimeDelta::seconds(by));
    let ended = runner.ended(ROUNDS_LEAD + SOON);
    ended.assert(Phase::Refused, 74);
    assert!(ended.report.start.is_none());
}

#[test]
fn a_doubt_that_is_not_settled_when_the_instant_comes_is_refused() {
    let server = FakeServer::start({
        let began = Moment::now();
        move |question, _, now| {
            // A tenth of a second more with every second from the tenth on: no two rounds agree.
            let beyond = began.monotonic.elapsed().as_secs().saturating_sub(10);
            let off = TimeDelta::milliseconds(100 * i64::try_from(beyond).unwrap());
            vec![honest(question, now + off).into()]
        }
    });
    let stage = Stage::new();
    let runner = start(&stage, &[server.address()], &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(Duration::from_secs(20));
    let ended = runner.ended(ROUNDS_LEAD + SOON);
    ended
        .assert(Phase::Refused, 71)
        .assert_reason("clock in doubt: the time jumped");
    assert!(ended.report.start.is_none() && ended.report.armed);
}

#[test]
fn a_clock_that_jumps_around_the_start_is_told_of() {
    let server = Unsteady::new();
    let stage = Stage::new();
    let runner = launch(&stage, &[server.address()], 2 * SOON).start(fake_k6());
    runner.wait_for_phase(Phase::Ready, SOON);
    // Between the last measurement before the instant and the one after it, whenever the test gets to run.
    let instant = Moment::now().utc + LEAD;
    server.step_at(instant, TimeDelta::seconds(2));
    stage.set(instant);
    let jumped = runner.wait_for_report("the jump", SOON, |report| {
        report
            .start
            .as_ref()
            .is_some_and(|start| start.clock_jumped)
    });
    assert_eq!(jumped.phase, Phase::Running);
    let line = runner.process().wait_for_line("the clock jumped", SOON);
    // The two are measured a moment apart, on a machine that may be busy.
    assert!(line.contains(" +2.") || line.contains(" +1."), "{line}");
    stage.abort("enough");
    let ended = runner.ended(SOON);
    assert!(ended.report.start.clone().unwrap().clock_jumped);
}

/// A runner that is to find its time server itself.
fn looking<'a>(stage: &'a Stage) -> Launch<'a> {
    Launch::new(stage, RUNNER)
        .fake_k6(&FakeK6::new(stage.scratch(), "k6", &Behaviour::default()))
        // So that what the kernel says, if it does, is not enough.
        .options(["--ntp", "auto", "--require-ntp"])
}

#[test]
fn in_a_cloud_a_runner_starts_by_its_server() {
    const METADATA: &str = "169.254.169.254";
    alone_with(&[METADATA], || {
        let address = SocketAddr::new(METADATA.parse().unwrap(), 123);
        let _server = FakeServer::start_at(address, |question, _, now| {
            vec![honest(question, now).into()]
        });
        let stage = Stage::new();
        let runner = looking(&stage).start(fake_k6());
        let clock = runner.wait_for_phase(Phase::Ready, SOON).clock;
        assert_eq!(clock.source, "NTP Google Cloud (single)");
        let instant = stage.set_in(LEAD);
        let ended = runner.ended(SOON);
        ended.assert(Phase::Finished, 0);
        let start = ended.report.start.clone().unwrap();
        assert_about(start.fired_at, instant, LATE);
    });
}

#[test]
fn without_a_server_and_without_a_cloud_it_is_said_how_to_name_one() {
    alone_with(&[], || {
        let stage = Stage::new();
        let runner = looking(&stage)
            .options(["--deadline", "4s"])
            .start(fake_k6());
        let ended = runner.ended(SOON);
        ended
            .assert(Phase::Refused, 71)
            .assert_reason("set --ntp HOST");
    });
}

#[test]
fn where_nobody_is_found_for_a_minute_who_tells_the_time_a_runner_waits_no_longer() {
    alone_with(&[], || {
        let stage = Stage::new();
        let began = Moment::now().monotonic;
        let runner = looking(&stage).start(fake_k6());
        // At once, and not only at the end.
        let told = "without that this runner ends 1m after its start";
        let line = runner.process().wait_for_line(told, SOON);
        assert!(line.contains("set --ntp HOST"), "{line}");
        let report = runner.wait_for_report("whom it misses", SOON, |report| {
            waits_for(report, "set --ntp HOST")
        });
        assert_eq!(report.clock.used, Vec::<String>::new());

        let minute = Duration::from_secs(60);
        let ended = runner.ended(minute + SOON);
        ended
            .assert(Phase::Refused, 71)
            .assert_reason("nobody was found in 1m who tells the time")
            .assert_reason("set --ntp HOST");
        let lasted = ended.exit.at.monotonic - began;
        // A node's time daemon may be as long in synchronising.
        assert!(lasted >= minute, "{lasted:?}");
        assert!(ended.report.start.is_none() && !ended.report.armed);
    });
}
