//! A runner that is lost, or whose k6 fails, in the middle of its load: what becomes of the others, and what is told of it.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use nix::sys::signal::{Signal, kill};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    process::Running,
    programs::K6,
    runner::{Runner, SOON, k6_run},
    scheduler::{Ended, Local, Run, SOONEST, ended, ended_within},
    target::Target,
    wait,
};

/// Within how long one that is silent is noticed: two renewals of a report, which are 12 s apart at the most, and then
/// it is looked at every second.
const NOTICED: Duration = Duration::from_secs(25);

/// Longer than all that a busy machine adds.
const MORE: Duration = Duration::from_secs(10);

/// The others are ended within 2 s on an idle machine.
const AT_ONCE: Duration = Duration::from_secs(10);

fn wait_for_load(target: &Target, runners: &[&str]) {
    for runner in runners {
        wait::until("load", SOON, || {
            (target.load_count(runner) > 0).then_some(())
        });
    }
}

/// Four runners, whose load takes so long, once it comes.
fn loading<'a>(run: &'a Run, duration: &str, options: &[&str]) -> (Running, [Runner<'a>; 4]) {
    let names = ["a", "b", "c", "d"];
    let runners = names.map(|name| run.runner(name, duration));
    let scheduler = run.start(4, SOONEST.iter().chain(options));
    wait_for_load(&run.target, &names);
    for runner in &runners {
        runner.wait_for_phase(Phase::Running, SOON);
    }
    (scheduler, runners)
}

/// Checks that the loss of one of four is told: who, by what, when by the target's clock, and how much is missing.
fn assert_loss_is_told(ended: &Ended, target: &Target, name: &str, by: &str) {
    let result = ended.result();
    assert_eq!(
        (&result.0["lost"], &result.0["lost_share"]),
        (&1.into(), &0.25.into())
    );
    let lost = &result.runner(name).unwrap()["lost"];
    assert_eq!(lost["by"], by, "{:#}", result.0);
    let last_request = target.first_requests()[name].last.utc;
    let at = support::scheduler::time(&lost["at"]).unwrap();
    // It was heard of last up to 12 s before, or its end was seen a little later.
    let off = at - last_request;
    println!("lost at {at}, its last request was at {last_request}");
    assert!(
        off > -TimeDelta::seconds(15) && off < TimeDelta::seconds(5),
        "{off}"
    );
    let seconds = lost["after_ns"].as_u64().unwrap() / 1_000_000_000;
    let share =
        format!("1 of 4 runners lost {seconds} s after the start: 25 % of the load from then on");
    assert_eq!(result.0["faults"][0], share.as_str());
    let others = result.0["runners"].as_array().unwrap().iter();
    let others = others.filter(|runner| runner["runner"] != name);
    assert!(
        others.clone().all(|runner| runner["lost"].is_null()),
        "{:#}",
        result.0
    );
}

#[test]
fn the_others_go_on_without_an_agent_that_is_killed_and_its_part_of_the_load_is_told() {
    let (local, target) = (Local::new(), Target::start());
    let Some(k6) = K6::V1.program() else { return };
    let scheduler = local
        .program(4, &SOONEST, k6_run(&k6, &[], "one-is-different"))
        .env("TARGET", target.url())
        .env("DURATION", "12s")
        .start();
    let names = ["runner-1", "runner-2", "runner-3", "runner-4"];
    wait_for_load(&target, &names);
    scheduler.wait_for_line("4 running, 0/4 ended", SOON);
    let agent = scheduler.descendants().into_iter().find(|process| {
        let is_second = process.command_line.iter().any(|word| word == "runner-2");
        process.name == "tminus-agent" && is_second
    });
    kill(agent.unwrap().id, Signal::SIGKILL).unwrap();
    let ended = ended(&scheduler);
    ended.assert(137).result().assert_exit_codes(&[
        ("runner-1", 0),
        ("runner-2", 137),
        ("runner-3", 0),
        ("runner-4", 0),
    ]);
    assert_loss_is_told(&ended, &target, "runner-2", "process_ended");
    local.assert_tidy(&[]);
}

#[test]
fn one_that_vanishes_is_noticed_within_two_renewals_and_the_others_go_on() {
    let run = Run::new();
    let (scheduler, [a, b, c, d]) = loading(&run, "40s", &[]);
    b.process().signal(Signal::SIGKILL);
    let since = Instant::now();
    scheduler.wait_for_line("b has been silent for ", NOTICED + MORE);
    println!("noticed after {:?}", since.elapsed());
    let ended = ended_within(&scheduler, Duration::from_secs(60));
    ended.assert(78);
    assert_loss_is_told(&ended, &run.target, "b", "report_not_renewed");
    for other in [a, c, d] {
        other.ended(SOON).assert(Phase::Finished, 0);
    }
}

#[test]
fn the_others_are_ended_when_one_vanishes_if_they_are_to_be() {
    let run = Run::new();
    let (scheduler, [a, b, c, d]) = loading(&run, "5m", &["--on-lost", "abort"]);
    b.process().signal(Signal::SIGKILL);
    let since = Instant::now();
    let ended = ended_within(&scheduler, NOTICED + MORE + AT_ONCE);
    println!("all was over after {:?}", since.elapsed());
    let why = "b was lost: its report has not been renewed for ";
    ended.assert(78).result().assert_ending("stopped", why);
    assert_loss_is_told(&ended, &run.target, "b", "report_not_renewed");
    for other in [a, c, d] {
        let ended = other.ended(SOON);
        ended.assert(Phase::Aborted, 76).assert_reason(why);
    }
}

/// Three runners, of which the second crosses a threshold with abortOnFail after some seconds.
fn crossing<'a>(run: &'a Run, duration: &str, policy: &str) -> (Running, [Runner<'a>; 3]) {
    let runners = ["a", "b", "c"].map(|name| {
        let launch = run.launch(name).env("DURATION", duration);
        let launch = launch.env("ONE", "b").env("WHAT", "abort on fail");
        launch.start(run.k6("one-is-different"))
    });
    let options = [SOONEST[0], SOONEST[1], "--on-failure", policy];
    (run.start(3, options), runners)
}

#[test]
fn a_threshold_with_abort_on_fail_in_one_runner_ends_the_others_if_it_is_to_and_gives_its_code() {
    let run = Run::new();
    let (scheduler, [a, b, c]) = crossing(&run, "5m", "abort");
    let failed = b.ended(SOON);
    failed.assert(Phase::Finished, 99);
    for other in [a, c] {
        let ended = other.ended(SOON);
        ended
            .assert(Phase::Aborted, 76)
            .assert_reason("b ended with 99");
        let took = ended.exit.at.monotonic - failed.exit.at.monotonic;
        println!(
            "{} was gone {took:?} after the one that failed",
            ended.report.runner
        );
        assert!(took < AT_ONCE, "{took:?}");
    }
    let ended = ended(&scheduler);
    let result = ended.assert(99).result();
    result
        .assert_ending("stopped", "b ended with 99")
        .assert_exit_codes(&[("a", 76), ("b", 99), ("c", 76)]);
    assert_eq!(result.0["lost"], 0, "a test that fails is no lost load");
}

#[test]
fn a_threshold_with_abort_on_fail_in_one_runner_leaves_the_others_alone_and_gives_its_code() {
    let run = Run::new();
    let (scheduler, [a, b, c]) = crossing(&run, "9s", "continue");
    let failed = b.ended(SOON);
    failed.assert(Phase::Finished, 99);
    for other in [a, c] {
        let ended = other.ended(SOON);
        ended.assert(Phase::Finished, 0);
        assert!(ended.exit.at.monotonic > failed.exit.at.monotonic + Duration::from_secs(2));
    }
    let ended = ended(&scheduler);
    let result = ended.assert(99).result();
    result
        .assert_ending("started", "started")
        .assert_exit_codes(&[("a", 0), ("b", 99), ("c", 0)]);
}

#[test]
fn a_local_run_is_ended_for_a_failure_too() {
    let (local, target) = (Local::new(), Target::start());
    let Some(k6) = K6::V1.program() else { return };
    let scheduler = local
        .program(
            3,
            &["--lead", "1s", "--on-failure", "abort"],
            k6_run(&k6, &[], "one-is-different"),
        )
        .env("TARGET", target.url())
        .env("DURATION", "5m")
        .env("ONE", "runner-2")
        .env("WHAT", "abort on fail")
        .start();
    let ended = ended(&scheduler);
    let result = ended.assert(99).result();
    result
        .assert_ending("stopped", "runner-2 ended with 99")
        .assert_exit_codes(&[("runner-1", 76), ("runner-2", 99), ("runner-3", 76)]);
    local.assert_tidy(&[]);
}

#[test]
fn one_that_is_killed_before_it_could_say_that_it_had_started_is_lost_as_well() {
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.runner(name, "5m"));
    let [a, b] = &runners;
    let scheduler = run.start(2, ["--lead", "6s", "--on-lost", "abort"]);
    a.wait_for_phase(Phase::Armed, SOON);
    b.wait_for_phase(Phase::Armed, SOON);
    let start_at = scheduler.wait_for_line("start set for ", SOON);
    let start_at = start_at
        .split_once("for ")
        .unwrap()
        .1
        .split(' ')
        .next()
        .unwrap();
    let start_at = chrono::DateTime::parse_from_rfc3339(start_at)
        .unwrap()
        .to_utc();
    // Nothing is reported in the first 0.3 s after the instant, and no sooner is load seen.
    wait::until("the instant", SOON, || {
        (support::moment::Moment::now().utc > start_at).then_some(())
    });
    b.process().signal(Signal::SIGKILL);
    let ended = ended_within(&scheduler, NOTICED + MORE + AT_ONCE);
    ended
        .assert(78)
        .result()
        .assert_ending("stopped", "b was lost: ");
    assert_eq!(ended.result().0["lost_share"], 0.5);
    a.ended(SOON).assert(Phase::Aborted, 76);
}

#[rstest]
#[case::in_a_table(
    "table",
    "not well: 1 of 2 runners lost ",
    "50 % of the load from then on"
)]
#[case::for_machines("json", "\"faults\":[\"1 of 2 runners lost ", "\"lost_share\":0.5")]
fn people_and_machines_are_told_how_much_of_the_load_is_missing(
    #[case] output: &str,
    #[case] first: &str,
    #[case] second: &str,
) {
    let (local, target) = (Local::new(), Target::start());
    let Some(k6) = K6::V1.program() else { return };
    let scheduler = local
        .program(
            2,
            &["--lead", "1s", "--on-lost", "abort"],
            k6_run(&k6, &[], "one-is-different"),
        )
        .env("TARGET", target.url())
        .env("TMINUS_OUTPUT", output)
        .env("DURATION", "5m")
        .start();
    wait_for_load(&target, &["runner-1", "runner-2"]);
    scheduler.wait_for_line("2 running, 0/2 ended", SOON);
    let agent = scheduler.descendants().into_iter().find(|process| {
        let is_first = process.command_line.iter().any(|word| word == "runner-1");
        process.name == "tminus-agent" && is_first
    });
    kill(agent.unwrap().id, Signal::SIGKILL).unwrap();
    let ended = ended(&scheduler);
    ended.assert(137);
    for part in [first, second] {
        assert!(
            ended.stdout.contains(part),
            "no {part:?} in\n{}",
            ended.stdout
        );
    }
}
