//! Whole runs whose time comes from NTP: who is ready by it, and what the scheduler says of those that are not.
#![allow(clippy::unwrap_used)]

use std::{thread, time::Duration};

use chrono::TimeDelta;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    ntp::{
        chronyd::{Chronyd, free_address},
        fake_server::off_by,
        nobody,
    },
    programs,
    runner::SOON,
    scheduler::{Run, SOONEST, assert_on_time, ended, ended_within},
    wall_clock::WallClock,
};

const MS: Duration = Duration::from_millis(1);

/// Why nobody knows the time.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Unsynchronised,
    Unreachable,
    TwoOfFourLie,
    OneOfTwoSmears,
}

#[rstest]
#[case::they_do_not_know_it_themselves(Trouble::Unsynchronised, "unsynchronised")]
#[case::nobody_is_there(Trouble::Unreachable, "refused")]
#[case::two_of_four_lie(Trouble::TwoOfFourLie, "no majority of the time sources agrees")]
#[case::one_of_two_smears(Trouble::OneOfTwoSmears, "no majority of the time sources agrees")]
fn where_the_servers_do_not_tell_the_time_nothing_starts_and_it_is_said_why(
    #[case] trouble: Trouble,
    #[case] why: &str,
) {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let smears = off_by(TimeDelta::milliseconds(400));
    let servers = match trouble {
        Trouble::Unsynchronised => vec![Chronyd::start(&program, "")],
        Trouble::Unreachable => Vec::new(),
        Trouble::TwoOfFourLie => {
            let Some(five_ahead) = WallClock::ahead_by(5.0) else {
                return;
            };
            let honest = [(); 2].map(|()| Chronyd::of_the_machine(&program));
            let liars = [(); 2].map(|()| Chronyd::believing(&program, &five_ahead));
            honest.into_iter().chain(liars).collect()
        }
        // As one that smears a leap second and one that does not.
        Trouble::OneOfTwoSmears => vec![
            Chronyd::of_the_machine(&program),
            Chronyd::following(&program, smears.address(), 10 * MS),
        ],
    };
    let mut addresses: Vec<_> = servers.iter().map(Chronyd::address).collect();
    if addresses.is_empty() {
        addresses = vec![nobody(), nobody()];
    }
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.asking(name, &addresses));
    let scheduler = run.start(2, SOONEST.into_iter().chain(["--max-wait", "15s"]));
    let mut parts = vec!["0/2 ready, ", "; a, b: clock unsynchronised: ", why];
    let names: Vec<_> = addresses.iter().map(|it| format!("NTP {it}: ")).collect();
    parts.extend(names.iter().map(String::as_str));
    scheduler.wait_for_parts(&parts, SOON);
    let ended = ended(&scheduler);
    let result = ended.assert(75).result();
    result.assert_ending("quorum_timed_out", why);
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Aborted, 76);
    }
    assert!(run.target.first_requests().is_empty());
}

#[test]
fn a_server_of_three_that_lies_is_outvoted_and_named() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let Some(five_ahead) = WallClock::ahead_by(5.0) else {
        return;
    };
    let liar = Chronyd::believing(&program, &five_ahead);
    let honest = [(); 2].map(|()| Chronyd::of_the_machine(&program));
    let servers = [honest[0].address(), liar.address(), honest[1].address()];
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.asking(name, &servers));
    let ended = ended(&run.start(2, SOONEST));
    let result = ended.assert(0).result();
    for name in ["a", "b"] {
        let clock = &result.runner(name).unwrap()["clock"];
        assert_eq!(clock["used"].as_array().unwrap().len(), 2, "{clock}");
        let rejected = clock["rejected"][0].as_str().unwrap();
        let named = format!("{}: falseticker, +5", liar.address());
        assert!(rejected.starts_with(&named), "{clock}");
    }
    // The same sources for both: no warning.
    assert_eq!(result.0["warnings"], serde_json::json!([]));
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
}

#[test]
fn a_server_that_comes_up_after_forty_seconds_is_not_too_late() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let (run, address) = (Run::new(), free_address());
    let runners = ["a", "b"].map(|name| run.asking(name, &[address]));
    let scheduler = run.start(2, SOONEST);
    let why =
        format!("; a, b: clock unsynchronised: no time source answers; NTP {address}: refused");
    scheduler.wait_for_parts(&["0/2 ready, ", &why], SOON);
    // That is what is tested: a server that stays away for longer than most things take.
    thread::sleep(Duration::from_secs(40));
    let _server = Chronyd::of_the_machine_at(&program, address);
    // The next round is up to 20 s away.
    let ended = ended_within(&scheduler, SOON + SOON);
    let result = ended.assert(0).result();
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
}

#[test]
fn a_runner_whose_clock_error_is_over_its_budget_is_not_counted_and_told_of() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let (unsure, _upstream) = Chronyd::following_unsure(&program, 178 * MS);
    let sure = Chronyd::of_the_machine(&program);
    let silent = nobody();
    let run = Run::new();
    let c = run.asking("c", &[unsure.address(), silent]);
    c.wait_for_report("its doubt", SOON, |report| {
        let waiting_for = report.waiting_for.as_deref();
        waiting_for.is_some_and(|what| what.starts_with("clock "))
    });
    let a = run.asking("a", &[sure.address()]);
    let b = run.asking("b", &[sure.address()]);
    let options = ["--min-runners", "2", "--grace-period", "4s"];
    let scheduler = run.start(3, SOONEST.iter().chain(&options));
    let error = format!("NTP {}: clock error ", unsure.address());
    let silence = format!("NTP {silent}: refused");
    scheduler.wait_for_parts(&["2/3 ready, ", "; c: clock ", &error, &silence], SOON);
    let result = ended(&scheduler).assert(78).result();
    assert_eq!(result.0["started"], 2);
    let faults = result.0["faults"].to_string();
    assert!(faults.contains("only 2 of 3 runners started"), "{faults}");
    assert!(
        faults.contains("c was counted on") && faults.contains(&error),
        "{faults}"
    );
    c.ended(SOON)
        .assert(Phase::Refused, 71)
        .assert_reason(&error);
    assert_on_time(&run.target, ["a", "b"], result.start_at().unwrap());
    for runner in [&a, &b] {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
}
