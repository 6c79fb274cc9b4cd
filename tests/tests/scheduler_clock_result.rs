//! What the result of a run by NTP is worth, and what the scheduler says of runners whose clocks are not.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rendezvous::Phase;
use serde_json::Value;
use support::{
    ntp::chronyd::Chronyd,
    programs,
    runner::SOON,
    scheduler::{Run, SOONEST, assert_on_time, ended, ended_within},
    wall_clock::WallClock,
};

const MS: Duration = Duration::from_millis(1);

fn duration(nanos: &Value) -> Duration {
    Duration::from_nanos(nanos.as_u64().unwrap_or_else(|| panic!("{nanos}")))
}

#[test]
fn a_good_start_is_told_with_its_bounds() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&program);
    let run = Run::new();
    let runners = ["a", "b"].map(|name| run.asking(name, &[server.address()]));
    let ended = ended(&run.start(2, SOONEST.iter().chain(&["--output", "table"])));
    let table = &ended.assert(0).stdout;
    println!("{table}");
    let head = table.lines().find(|line| line.starts_with("| runner"));
    assert!(
        head.is_some_and(|head| head.contains("| clock error | corrected by |")),
        "{table}"
    );
    let spread = table
        .lines()
        .find(|line| line.starts_with("2 of 2 runners started; spread measured "));
    assert!(
        spread.is_some_and(|line| line.contains(" ms, truly at most ")),
        "{table}"
    );
    let sources = format!("time from {} (single)", server.address());
    assert!(table.lines().any(|line| line == sources), "{table}");
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
}

#[test]
fn a_server_that_is_off_and_says_so_makes_the_bound_and_the_spread_wide_enough() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let (off, _upstream) = Chronyd::following_unsure(&program, 20 * MS);
    let on = Chronyd::of_the_machine(&program);
    let run = Run::new();
    let a = run.asking("a", &[off.address()]);
    let b = run.asking("b", &[on.address()]);
    let ended = ended(&run.start(2, SOONEST));
    let result = ended.assert(0).result();
    let [error_of_a, error_of_b] = ["a", "b"].map(|name| {
        let row = result.runner(name).unwrap();
        duration(&row["clock_error_ns"])
    });
    let offset = result.runner("a").unwrap()["clock"]["offset_ns"].as_i64();
    println!("a: {offset:?} ± {error_of_a:?}, b: ± {error_of_b:?}");
    assert!(error_of_a >= 20 * MS && error_of_b < error_of_a);
    assert!((10_000_000..30_000_000).contains(&offset.unwrap()));
    // The one fires 20 ms before the other, and nobody can see that by their reports.
    let measured = duration(&result.0["spread_ns"]);
    let at_most = duration(&result.0["spread_at_most_ns"]);
    println!("spread measured {measured:?}, at most {at_most:?}");
    assert!(at_most >= 20 * MS && at_most >= measured);
    assert_eq!(result.0["spread_at_most_of"], 2);
    let warning = format!(
        "runners use different time sources, whose difference no bound shows: {} (single) (a); {} (single) (b)",
        off.address(),
        on.address()
    );
    assert_eq!(result.0["warnings"], serde_json::json!([warning]));
    ended.assert_told(&warning);
    // At the true instant, by what each says of itself.
    let instant = result.start_at().unwrap();
    for (name, error) in [("a", error_of_a), ("b", error_of_b)] {
        let first = run.target.first_requests()[name].first.utc;
        assert!(first >= instant - error - MS, "{name}: {first}");
        assert!(first <= instant + Duration::from_secs(5), "{name}: {first}");
    }
    for runner in [&a, &b] {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
}

#[test]
fn a_runner_whose_only_server_lies_is_named_and_left_out_of_the_spread() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let Some(five_ahead) = WallClock::ahead_by(5.0) else {
        return;
    };
    let liar = Chronyd::believing(&program, &five_ahead);
    let honest = Chronyd::of_the_machine(&program);
    let run = Run::new();
    let a = run.asking("a", &[honest.address()]);
    let b = run.asking("b", &[honest.address()]);
    let c = run.asking("c", &[liar.address()]);
    // So that the grace period of the scheduler is not over before the last of them is.
    for runner in [&a, &b, &c] {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    let options = [
        "--min-runners",
        "2",
        "--grace-period",
        "3s",
        "--lead",
        "12s",
        "--output",
        "table",
    ];
    let scheduler = run.start(3, options);
    scheduler.wait_for_parts(
        &[
            "2/3 ready, ",
            "; c: its clock is ",
            " s ahead of the others'",
        ],
        SOON,
    );
    let ended = ended_within(&scheduler, SOON + SOON);
    let table = &ended.assert(78).stdout;
    println!("{table}");
    let row = table.lines().find(|line| line.starts_with("| c "));
    assert!(
        row.is_some_and(|row| row.contains(" wrong ") && row.contains("its clock is ")),
        "{table}"
    );
    let line = |start: &str| table.lines().any(|line| line.starts_with(start));
    assert!(
        line("3 of 3 runners started; spread of the 2 whose clocks can be believed: measured "),
        "{table}"
    );
    assert!(
        line("warning: runners use different time sources, whose difference no bound shows: "),
        "{table}"
    );
    assert!(line("not well: c: its clock is "), "{table}");
    for runner in [&a, &b, &c] {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
}

#[test]
fn a_runner_whose_bound_has_left_the_plans_budget_at_the_instant_refuses_and_is_missed() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let stays = Chronyd::of_the_machine(&program);
    let goes = Chronyd::of_the_machine(&program);
    let gone = goes.address();
    let run = Run::new();
    let a = run.asking("a", &[stays.address()]);
    let b = run.asking("b", &[gone]);
    for runner in [&a, &b] {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    drop(goes);
    // Half a millisecond a second is what is assumed of a clock that nobody measures any more: enough to arm, and too
    // much at the instant.
    let scheduler = run.start(2, ["--max-clock-error", "12ms", "--lead", "30s"]);
    b.wait_for_phase(Phase::Armed, SOON);
    scheduler.wait_for_parts(&["2/2 armed; b: clock error ", " > 12 ms; "], SOON);
    let ended = ended_within(&scheduler, SOON + SOON);
    let result = ended.assert(78).result();
    assert_eq!(result.0["started"], 1);
    let faults = result.0["faults"].to_string();
    let missed = "b was counted on, but did not start: refused: the instant came, and the clock was not good enough \
                  to start by: clock error ";
    assert!(faults.contains(missed), "{faults}");
    assert!(faults.contains(" > 12 ms"), "{faults}");
    assert!(faults.contains(&format!("NTP {gone}: refused")), "{faults}");
    b.ended(SOON).assert(Phase::Refused, 71);
    a.ended(SOON).assert(Phase::Finished, 0);
    assert_on_time(&run.target, ["a"], result.start_at().unwrap());
}

#[test]
fn where_half_of_the_runners_contradict_the_other_half_there_is_no_instant() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let Some(five_ahead) = WallClock::ahead_by(5.0) else {
        return;
    };
    let liar = Chronyd::believing(&program, &five_ahead);
    let honest = Chronyd::of_the_machine(&program);
    let run = Run::new();
    let runners =
        [("a", &honest), ("b", &liar)].map(|(name, server)| run.asking(name, &[server.address()]));
    let scheduler = run.start(2, SOONEST.into_iter().chain(["--max-wait", "20s"]));
    let ended = ended(&scheduler);
    let result = ended.assert(71).result();
    result.assert_ending("no_time", "no majority of the runners agrees on the time");
    ended.assert_told(" s ahead of the others'");
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Aborted, 76);
    }
    assert!(run.target.first_requests().is_empty());
}
