//! Runs on machines whose wall clocks are wrong, or whose time steps while they wait: the runners' time is kept, and
//! there is one start.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::{SecondsFormat, TimeDelta};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    moment::Moment,
    ntp::{
        chronyd::Chronyd,
        fake_server::{FakeServer, Unsteady, honest},
    },
    programs,
    runner::SOON,
    scheduler::{Ended, Run, SOONEST, assert_on_time, ended, ended_within, time},
    wall_clock::WallClock,
};

/// How far off the machine that the scheduler runs on may be, in seconds.
const AHEAD: f64 = 300.0;
const BEHIND: f64 = -3.0 * 3600.0;

/// Two rounds of measurements lie between arming and an instant that is so far away, and some seconds more.
const ROUNDS_LEAD: Duration = Duration::from_secs(45);

/// Two runners that have the true time, and a scheduler whose machine is so many seconds off, with these options.
/// The true time is the machine's. What the scheduler ended with is judged by `judge`.
fn with_a_scheduler_that_is_off(seconds: f64, options: &[&str], judge: impl FnOnce(&Run, &Ended)) {
    let (Some(program), Some(clock)) = (programs::chronyd(), WallClock::ahead_by(seconds)) else {
        return;
    };
    let server = Chronyd::of_the_machine(&program);
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.asking(name, &[server.address()]));
    let scheduler = run
        .command("start")
        .args(["--wait", "--runners", "2"])
        .args(options)
        .believing(&clock)
        .start();
    judge(&run, &ended(&scheduler));
    for runner in &runners {
        runner.ended(SOON);
    }
}

#[rstest]
fn the_instant_is_set_by_the_runners_time_whatever_the_schedulers_machine_believes(
    #[values(AHEAD, BEHIND)] seconds: f64,
) {
    let began = Moment::now().utc;
    with_a_scheduler_that_is_off(seconds, &SOONEST, |run, ended| {
        let instant = ended.assert(0).result().start_at().unwrap();
        assert!(instant > began && instant < Moment::now().utc, "{instant}");
        assert_on_time(&run.target, ["a", "b"], instant);
    });
}

#[rstest]
fn an_instant_that_is_asked_for_is_kept_whatever_the_schedulers_machine_believes(
    #[values(AHEAD, BEHIND)] seconds: f64,
) {
    let at = Moment::now().utc + TimeDelta::seconds(12);
    let asked = at.to_rfc3339_opts(SecondsFormat::Nanos, true);
    with_a_scheduler_that_is_off(seconds, &["--at", &asked], |run, ended| {
        assert_eq!(ended.assert(0).result().start_at(), Some(at));
        assert_on_time(&run.target, ["a", "b"], at);
    });
}

#[rstest]
#[case::that_it_holds_to_be_hours_away(BEHIND, -60, "past by the runners' clocks")]
#[case::that_it_holds_to_be_past_as_well(AHEAD, 0, "past by the runners' clocks")]
fn an_instant_that_is_past_is_refused_whatever_the_schedulers_machine_believes(
    #[case] seconds: f64,
    #[case] away: i64,
    #[case] why: &str,
) {
    let at = Moment::now().utc + TimeDelta::seconds(away);
    let asked = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    with_a_scheduler_that_is_off(seconds, &["--at", &asked], |run, ended| {
        ended
            .assert(75)
            .result()
            .assert_ending("instant_refused", why);
        assert!(run.target.first_requests().is_empty());
    });
}

#[test]
fn machines_that_are_three_hours_ahead_start_at_the_true_instant_once_their_server_has_said_so_three_times()
 {
    let behind = TimeDelta::hours(-3);
    let first_asked = Arc::new(OnceLock::new());
    let server = {
        let first_asked = Arc::clone(&first_asked);
        FakeServer::start(move |question, _, now| {
            first_asked.get_or_init(Moment::now);
            vec![honest(question, now + behind).into()]
        })
    };
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.asking(name, &[server.address()]));
    for runner in &runners {
        let ready = runner.wait_for_phase(Phase::Ready, SOON);
        let off = ready.clock.offset.unwrap() - behind;
        assert!(off.abs() < TimeDelta::seconds(1), "{:?}", ready.clock);
    }
    // Three answers that lie two seconds apart.
    let first_asked = first_asked.get().unwrap().monotonic;
    assert!(first_asked.elapsed() >= Duration::from_secs(4));
    assert!(server.asked() >= 2 * 3 * 4, "{}", server.asked());

    let result = ended(&run.start(2, SOONEST)).assert(0).result();
    // The true time, which the machine is ahead of.
    let instant = result.start_at().unwrap();
    let since = Moment::now().utc + behind - instant;
    assert!(
        since > TimeDelta::zero() && since < TimeDelta::minutes(1),
        "{since}"
    );
    for name in ["a", "b"] {
        let row = result.runner(name).unwrap();
        let offset = TimeDelta::nanoseconds(row["clock"]["offset_ns"].as_i64().unwrap());
        assert!((offset - behind).abs() < TimeDelta::seconds(1), "{row}");
        let fired_at = time(&row["fired_at"]).unwrap();
        assert!((fired_at - instant).abs() < TimeDelta::seconds(1), "{row}");
    }
    assert_on_time(&run.target, ["a", "b"], instant - behind);
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
}

#[rstest]
fn a_server_whose_time_steps_while_the_runners_wait_is_followed_and_there_is_one_start(
    #[values(2, -2)] seconds: i64,
) {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let upstream = Unsteady::new();
    let server = Chronyd::following(&program, upstream.address(), Duration::from_millis(10));
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.asking(name, &[server.address()]));
    let scheduler = run.start(2, ["--lead", &format!("{}s", ROUNDS_LEAD.as_secs())]);
    for runner in &runners {
        runner.wait_for_phase(Phase::Armed, SOON);
    }
    let step = TimeDelta::seconds(seconds);
    upstream.step_to(step);
    // A doubt is over within seconds, and the one runner's may be before the other's begins: what is judged is what
    // each of them and the scheduler have logged of it, which stays.
    for runner in &runners {
        let logged = "cannot start by this clock: clock in doubt: the time jumped by ";
        runner.process().wait_for_line(logged, ROUNDS_LEAD);
    }
    scheduler.wait_for_parts(
        &["2/2 armed; ", ": clock in doubt: the time jumped by "],
        SOON,
    );
    let ended = ended_within(&scheduler, SOON + SOON + SOON);
    let result = ended.assert(0).result();
    // By the time that the server tells since then.
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap() - step);
    for runner in &runners {
        let ended = runner.ended(SOON);
        ended.assert(Phase::Finished, 0);
        assert_eq!(run.target.load_count(ended.report.runner.as_str()), 1);
        assert!(!ended.report.start.unwrap().clock_jumped);
    }
}
