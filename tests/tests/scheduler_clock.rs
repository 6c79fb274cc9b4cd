//! Whole runs whose time comes from NTP: who is ready by it, what the scheduler says of those that are not, and what
//! the result is worth.
#![allow(clippy::unwrap_used)]

use std::{net::SocketAddr, time::Duration};

use chrono::TimeDelta;
use clock::ntp::{Short, packet::Packet};
use rendezvous::Phase;
use rstest::rstest;
use serde_json::Value;
use support::{
    ntp::{
        chronyd::{Chronyd, free_address},
        fake_server::{FakeServer, honest, off_by},
        named, nobody,
    },
    process::Running,
    programs,
    runner::{Launch, Runner, SOON},
    scheduler::{Run, SOONEST, assert_on_time, ended, ended_within},
    wait,
    wall_clock::WallClock,
};

const MS: Duration = Duration::from_millis(1);

/// A runner that asks these servers, and whose load is one request.
fn runner<'a>(run: &'a Run, name: &str, servers: &[SocketAddr]) -> Runner<'a> {
    asking(run, name, servers).start(run.k6("one-iteration"))
}

fn asking<'a>(run: &'a Run, name: &str, servers: &[SocketAddr]) -> Launch<'a> {
    run.launch(name).options(["--ntp", &named(servers)])
}

/// Waits for a line of progress that says all of this.
fn wait_for_progress(scheduler: &Running, parts: &[&str]) {
    wait::until(&format!("a line with {parts:?}"), SOON, || {
        let told = scheduler.stderr();
        let says_all = |line: &str| parts.iter().all(|part| line.contains(part));
        if told.lines().any(says_all) {
            return Some(());
        }
        assert!(scheduler.exited().is_none(), "no {parts:?} in\n{told}");
        None
    });
}

/// chronyd that follows a server of which `error` is true: so far ahead of the machine, and unsure of so much more.
fn following_one_that_is_off(program: &std::path::Path, ahead: Duration) -> (Chronyd, FakeServer) {
    let dispersion = ahead + 2 * MS;
    let upstream = FakeServer::start(move |question: &Packet, _, now| {
        let answer = Packet {
            stratum: 2,
            root_delay: short(4 * MS),
            root_dispersion: short(dispersion),
            ..honest(question, now + ahead)
        };
        vec![answer.into()]
    });
    let chronyd = Chronyd::following(program, upstream.address(), dispersion + 10 * MS);
    (chronyd, upstream)
}

/// In units of 2⁻¹⁶ s (RFC 5905, 6).
fn short(duration: Duration) -> Short {
    Short::from_bits(u32::try_from((duration.as_nanos() << 16) / 1_000_000_000).unwrap())
}

fn duration(nanos: &Value) -> Duration {
    Duration::from_nanos(nanos.as_u64().unwrap_or_else(|| panic!("{nanos}")))
}

#[test]
fn a_server_that_is_off_and_says_so_makes_the_bound_and_the_spread_wide_enough() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let (off, _upstream) = following_one_that_is_off(&program, 20 * MS);
    let on = Chronyd::of_the_machine(&program);
    let run = Run::new();
    let a = runner(&run, "a", &[off.address()]);
    let b = runner(&run, "b", &[on.address()]);
    let ended = ended(&run.start(2, SOONEST));
    let result = ended.assert(0).result();
    let [error_of_a, error_of_b] = ["a", "b"].map(|name| {
        let row = result.runner(name).unwrap();
        duration(&row["clock_error_ns"])
    });
    let offset = result.runner("a").unwrap()["clock"]["offset_ns"].as_i64();
    println!("a: {offset:?} ± {error_of_a:?}, b: ± {error_of_b:?}");
    assert!((20 * MS..50 * MS).contains(&error_of_a) && error_of_b < 20 * MS);
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
    let runners = ["a", "b"].map(|name| runner(&run, name, &addresses));
    let scheduler = run.start(2, SOONEST.into_iter().chain(["--max-wait", "15s"]));
    let mut parts = vec!["0/2 ready, ", "; a, b: clock unsynchronised: ", why];
    let names: Vec<_> = addresses.iter().map(|it| format!("NTP {it}: ")).collect();
    parts.extend(names.iter().map(String::as_str));
    wait_for_progress(&scheduler, &parts);
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
    let runners = ["a", "b"].map(|name| runner(&run, name, &servers));
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
    let runners = ["a", "b"].map(|name| runner(&run, name, &[address]));
    let scheduler = run.start(2, SOONEST);
    let why =
        format!("; a, b: clock unsynchronised: no time source answers; NTP {address}: refused");
    wait_for_progress(&scheduler, &["0/2 ready, ", &why]);
    // That is what is tested: a server that stays away for longer than most things take.
    std::thread::sleep(Duration::from_secs(40));
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
    let (unsure, _upstream) = following_one_that_is_off(&program, 178 * MS);
    let sure = Chronyd::of_the_machine(&program);
    let silent = nobody();
    let run = Run::new();
    let a = runner(&run, "a", &[sure.address()]);
    let b = runner(&run, "b", &[sure.address()]);
    let c = runner(&run, "c", &[unsure.address(), silent]);
    let options = ["--min-runners", "2", "--grace-period", "4s"];
    let scheduler = run.start(3, SOONEST.iter().chain(&options));
    let error = format!("NTP {}: clock error 18", unsure.address());
    let silence = format!("NTP {silent}: refused");
    wait_for_progress(
        &scheduler,
        &["2/3 ready, ", "; c: clock ", &error, &silence],
    );
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

#[test]
fn a_runner_whose_bound_has_left_the_plans_budget_at_the_instant_refuses_and_is_missed() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let stays = Chronyd::of_the_machine(&program);
    let goes = Chronyd::of_the_machine(&program);
    let gone = goes.address();
    let run = Run::new();
    let a = runner(&run, "a", &[stays.address()]);
    let b = runner(&run, "b", &[gone]);
    // Half a millisecond a second is what is assumed of a clock that nobody measures any more.
    let scheduler = run.start(2, ["--max-clock-error", "8ms", "--lead", "24s"]);
    for runner in [&a, &b] {
        runner.wait_for_phase(Phase::Armed, SOON);
    }
    drop(goes);
    let ended = ended_within(&scheduler, SOON + SOON);
    let result = ended.assert(78).result();
    assert_eq!(result.0["started"], 1);
    let faults = result.0["faults"].to_string();
    let missed = "b was counted on, but did not start: refused: the instant came, and the clock was not good enough \
                  to start by: clock error 1";
    assert!(faults.contains(missed), "{faults}");
    assert!(faults.contains(" > 8 ms"), "{faults}");
    assert!(faults.contains(&format!("NTP {gone}: refused")), "{faults}");
    b.ended(SOON).assert(Phase::Refused, 71);
    a.ended(SOON).assert(Phase::Finished, 0);
    assert_on_time(&run.target, ["a"], result.start_at().unwrap());
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
    let a = runner(&run, "a", &[honest.address()]);
    let b = runner(&run, "b", &[honest.address()]);
    let c = runner(&run, "c", &[liar.address()]);
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
    wait_for_progress(
        &scheduler,
        &[
            "2/3 ready, ",
            "; c: its clock is ",
            " s ahead of the others'",
        ],
    );
    let ended = ended_within(&scheduler, SOON + SOON);
    let table = &ended.assert(78).stdout;
    println!("{table}");
    let row = table.lines().find(|line| line.starts_with("| c "));
    assert!(
        row.is_some_and(|row| row.contains(" wrong ") && row.contains("ahead of the others'")),
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
fn a_good_start_is_told_with_its_bounds() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&program);
    let run = Run::new();
    let runners = ["a", "b"].map(|name| runner(&run, name, &[server.address()]));
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
