//! A run that is ended before its end: by a signal to its scheduler, by hand, by the death of a process. No load
//! is left behind, whenever it comes.
#![allow(clippy::unwrap_used)]

use std::{
    fs::File,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::{Signal, kill, killpg},
};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    mark::Marked,
    process::Running,
    programs::K6,
    runner::{Runner, SOON, k6_run},
    scheduler::{Ended, Local, Run, SOONEST, ended},
    target::Target,
    wait,
};

/// How long the end of a run may take that nothing holds up. On an idle machine it is some 0.3 s; k6 is asked again
/// after seconds if it does not end.
const AT_ONCE: Duration = Duration::from_secs(10);

/// How long a scheduler tries to tell the runners that the run is aborted.
const TRIES: Duration = Duration::from_secs(3);

/// How far a run has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Gathering,
    Armed,
    Running,
}

impl When {
    fn options(self) -> [&'static str; 2] {
        match self {
            Self::Armed => ["--lead", "10m"],
            _ => SOONEST,
        }
    }
}

fn wait_for_load(target: &Target, runners: [&str; 2]) {
    for runner in runners {
        wait::until("load", SOON, || {
            (target.load_count(runner) > 0).then_some(())
        });
    }
}

/// A run of `start` that has got so far.
fn started(run: &Run, when: When) -> (Running, [Runner<'_>; 2]) {
    let b = match when {
        When::Gathering => run.held("b"),
        _ => run.runner("b", "1m"),
    };
    let runners = [run.runner("a", "1m"), b];
    let scheduler = run.start(2, when.options());
    match when {
        When::Gathering => drop(scheduler.wait_for_line("1/2 ready, ", SOON)),
        When::Armed => {
            for runner in &runners {
                runner.wait_for_phase(Phase::Armed, SOON);
            }
        }
        When::Running => wait_for_load(&run.target, ["a", "b"]),
    }
    (scheduler, runners)
}

fn assert_aborted(run: &Run, when: When, runners: [Runner<'_>; 2], since: Instant, why: &str) {
    for runner in runners {
        let ended = runner.ended(SOON);
        ended.assert(Phase::Aborted, 76).assert_reason(why);
        let took = ended.exit.at.monotonic - since;
        println!("{} was gone after {took:?}", ended.report.runner);
        assert!(took < AT_ONCE, "{took:?}");
        let name = ended.report.runner.as_str();
        // An early setup() that no load followed is torn down as well.
        assert_eq!(
            run.target.setup_count(name),
            run.target.teardown_count(name)
        );
    }
    if when != When::Running {
        assert!(run.target.first_requests().is_empty());
    }
}

#[rstest]
fn a_signal_to_the_scheduler_ends_the_run(
    #[values(When::Gathering, When::Armed, When::Running)] when: When,
    #[values(Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP)] signal: Signal,
) {
    let run = Run::new();
    let (scheduler, runners) = started(&run, when);
    let since = Instant::now();
    scheduler.signal(signal);
    let ended = ended(&scheduler);
    let why = format!("cancelled by {signal}");
    ended.assert(76).result().assert_ending("cancelled", &why);
    assert_aborted(&run, when, runners, since, &why);
}

#[rstest]
fn a_run_that_is_aborted_by_hand_ends_everywhere(
    #[values(When::Gathering, When::Armed, When::Running)] when: When,
) {
    let run = Run::new();
    let (scheduler, runners) = started(&run, when);
    let since = Instant::now();
    let abort = run
        .command("abort")
        .args(["--why", "enough is enough"])
        .start();
    ended(&abort).assert(0);
    let ended = ended(&scheduler);
    let result = ended.assert(76).result();
    result.assert_ending("aborted", "enough is enough");
    assert_aborted(&run, when, runners, since, "enough is enough");

    // Whoever comes now is too late, and whatever scheduler. One that ran is told that first.
    let again = run.start(2, SOONEST);
    run.runner("c", "1m").ended(SOON).assert(Phase::Aborted, 76);
    let (phase, code) = match when {
        When::Running => (Phase::Refused, 77),
        When::Gathering | When::Armed => (Phase::Aborted, 76),
    };
    run.runner("a", "1m").ended(SOON).assert(phase, code);
    support::scheduler::ended(&again).assert(76);
}

#[test]
fn a_scheduler_that_cannot_go_on_tells_the_runners_that_wait() {
    let run = Run::new();
    let (scheduler, [a, b]) = started(&run, When::Gathering);
    std::fs::write(run.stage.plan_file(), "{\"version\":1,").unwrap();
    let ended = ended(&scheduler);
    ended
        .assert(69)
        .result()
        .assert_ending("broken", "plan-main.json");
    for runner in [a, b] {
        runner.ended(SOON).assert(Phase::Aborted, 76);
    }
    assert!(run.target.first_requests().is_empty());
}

/// Somebody who does not go on is writing the abort, so that nobody else can.
fn hold_the_abort(run: &Run) -> Flock<File> {
    let draft = run.stage.directory().join(".abort.json.tmp");
    let file = File::options().create(true).append(true).open(draft);
    Flock::lock(file.unwrap(), FlockArg::LockExclusiveNonblock).unwrap()
}

#[rstest]
fn a_second_signal_ends_the_scheduler_at_once_though_nobody_could_be_told(
    #[values(When::Gathering, When::Armed, When::Running)] when: When,
) {
    let run = Run::new();
    let (scheduler, runners) = started(&run, when);
    let _held = hold_the_abort(&run);
    scheduler.signal(Signal::SIGTERM);
    scheduler.signal(Signal::SIGINT);
    let since = Instant::now();
    let ended = ended(&scheduler);
    let took = ended.exit.at.monotonic - since;
    println!("it was over after {took:?}");
    // Without the second it tries for three seconds.
    assert!(took < TRIES, "{took:?}");
    ended
        .assert(76)
        .assert_told("the runners may not have been told that the run is aborted");
    for runner in runners {
        assert!(runner.process().exited().is_none(), "it was told");
    }
}

#[test]
fn a_scheduler_that_cannot_tell_anybody_gives_up_after_three_seconds() {
    let run = Run::new();
    let (scheduler, _runners) = started(&run, When::Gathering);
    let _held = hold_the_abort(&run);
    let since = Instant::now();
    scheduler.signal(Signal::SIGHUP);
    let ended = ended(&scheduler);
    let took = ended.exit.at.monotonic - since;
    println!("it was over after {took:?}");
    assert!(took >= TRIES && took < TRIES + AT_ONCE, "{took:?}");
    ended
        .assert(76)
        .assert_told("the runners could not be told: ");
}

#[test]
fn a_scheduler_that_is_not_to_be_hung_up_goes_on() {
    let run = Run::new();
    let scheduler = support::process::Program::new("/bin/sh")
        .args(["-c", r#"trap '' HUP; exec "$0" "$@""#])
        .args([support::programs::scheduler()])
        .args([
            "start",
            "--store",
            &format!("dir:{}", run.stage.directory().display()),
        ])
        .args([
            "--run",
            run.stage.run().as_str(),
            "--runners",
            "1",
            "--output",
            "json",
        ])
        .start();
    scheduler.wait_for_line("0/1 ready, ", SOON);
    scheduler.signal(Signal::SIGHUP);
    scheduler.signal(Signal::SIGTERM);
    let ended = ended(&scheduler);
    ended
        .assert(76)
        .result()
        .assert_ending("cancelled", "cancelled by SIGTERM");
}

/// A run of `local` that has got so far.
fn locally(local: &Local, target: &Target, when: When) -> Option<Running> {
    let k6 = K6::V1.program()?;
    let program = local
        .program(2, &when.options(), k6_run(&k6, &[], "one-is-different"))
        .env("TARGET", target.url())
        .env("DURATION", "1m");
    let program = match when {
        When::Gathering => program
            .env("ONE", "runner-2")
            .env("WHAT", "slow setup")
            .env("DELAY", "1m"),
        _ => program,
    };
    let scheduler = program.start();
    match when {
        When::Gathering => {
            scheduler.wait_for_line("1/2 ready, ", SOON);
            wait::until("the setup() of the other", SOON, || {
                (target.setup_count("runner-2") > 0).then_some(())
            });
        }
        When::Armed => drop(scheduler.wait_for_line("; 2/2 armed", SOON)),
        When::Running => wait_for_load(target, ["runner-1", "runner-2"]),
    }
    Some(scheduler)
}

fn assert_ended_locally(local: &Local, target: &Target, when: When, ended: &Ended, since: Instant) {
    let took = ended.exit.at.monotonic - since;
    println!("all was gone after {took:?}");
    assert!(took < AT_ONCE, "{took:?}\n{}", ended.stderr);
    let result = ended.assert(76).result();
    result.assert_exit_codes(&[("runner-1", 76), ("runner-2", 76)]);
    if when != When::Running {
        assert!(target.first_requests().is_empty());
    }
    local.assert_tidy(&[]);
}

#[rstest]
fn a_signal_ends_a_local_run(
    #[values(When::Gathering, When::Armed, When::Running)] when: When,
    #[values(Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP)] signal: Signal,
) {
    let (local, target) = (Local::new(), Target::start());
    let Some(scheduler) = locally(&local, &target, when) else {
        return;
    };
    let since = Instant::now();
    if signal == Signal::SIGTERM {
        scheduler.signal(signal);
    } else {
        // As a terminal does: to all that it has in the foreground.
        killpg(scheduler.id(), signal).unwrap();
    }
    let ended = ended(&scheduler);
    ended
        .result()
        .assert_ending("cancelled", &format!("cancelled by {signal}"));
    assert_ended_locally(&local, &target, when, &ended, since);
}

#[rstest]
fn a_local_run_is_aborted_from_elsewhere_as_it_says_how(
    #[values(When::Gathering, When::Armed, When::Running)] when: When,
) {
    let (local, target) = (Local::new(), Target::start());
    let Some(scheduler) = locally(&local, &target, when) else {
        return;
    };
    let how = scheduler.wait_for_line("to look or to abort from elsewhere: ", SOON);
    let (_, arguments) = how.split_once(" status|abort ").unwrap();
    let since = Instant::now();
    let abort = support::process::Program::new(support::programs::scheduler())
        .args(["abort", "--why", "enough is enough"])
        .args(arguments.split(' '))
        .start();
    ended(&abort).assert(0);
    let ended = ended(&scheduler);
    ended.result().assert_ending("aborted", "enough is enough");
    assert_ended_locally(&local, &target, when, &ended, since);
}

#[test]
fn a_second_signal_does_not_wait_for_teardown() {
    let (local, target) = (Local::new(), Target::start());
    let Some(k6) = K6::V1.program() else { return };
    let scheduler = local
        .program(2, &SOONEST, k6_run(&k6, &[], "setup"))
        .env("TARGET", target.url())
        .env("DURATION", "1m")
        .env("TEARDOWN", "/delay/1m")
        .start();
    let runners = ["runner-1", "runner-2"];
    wait_for_load(&target, runners);
    scheduler.signal(Signal::SIGINT);
    for runner in runners {
        wait::until("teardown()", SOON, || {
            (target.teardown_count(runner) > 0).then_some(())
        });
    }
    assert!(scheduler.exited().is_none());
    let since = Instant::now();
    scheduler.signal(Signal::SIGINT);
    let ended = ended(&scheduler);
    ended.assert(76).assert_told("ending the runners at once");
    let took = ended.exit.at.monotonic - since;
    println!("all was gone after {took:?}");
    assert!(took < AT_ONCE, "{took:?}");
    local.assert_tidy(&[]);
}

#[rstest]
fn a_local_scheduler_that_is_killed_takes_its_runners_with_it(
    #[values(When::Gathering, When::Armed, When::Running)] when: When,
) {
    let (local, target) = (Local::new(), Target::start());
    let Some(scheduler) = locally(&local, &target, when) else {
        return;
    };
    assert!(
        scheduler.descendants().len() >= 4,
        "two agents, and a k6 of each"
    );
    scheduler.signal(Signal::SIGKILL);
    wait::until("the end of all", SOON, || {
        scheduler.descendants().is_empty().then_some(())
    });
    if when != When::Running {
        assert!(target.first_requests().is_empty());
    }
}

/// A process of a runner of `local`, by its name.
fn process(scheduler: &Running, name: &str, runner: usize) -> Marked {
    let is_its = |process: &Marked| {
        let words = &process.command_line;
        let named = words.iter().any(|word| *word == format!("runner-{runner}"));
        process.name == name && named
    };
    scheduler.descendants().into_iter().find(is_its).unwrap()
}

#[test]
fn an_agent_that_is_killed_while_it_waits_ends_the_wait_at_once() {
    let (local, target) = (Local::new(), Target::start());
    let Some(scheduler) = locally(&local, &target, When::Gathering) else {
        return;
    };
    kill(process(&scheduler, "tminus-agent", 1).id, Signal::SIGKILL).unwrap();
    let ended = ended(&scheduler);
    ended
        .assert(137)
        .assert_told("runner-1 ended without a word (137)");
    ended
        .result()
        .assert_exit_codes(&[("runner-1", 137), ("runner-2", 76)]);
    assert!(target.first_requests().is_empty());
    local.assert_tidy(&[]);
}

#[test]
fn an_agent_that_is_killed_while_its_load_runs_takes_its_k6_with_it_and_no_other() {
    let (local, target) = (Local::new(), Target::start());
    let Some(k6) = K6::V1.program() else { return };
    let scheduler = local
        .program(2, &SOONEST, k6_run(&k6, &[], "one-is-different"))
        .env("TARGET", target.url())
        .env("DURATION", "4s")
        .start();
    wait_for_load(&target, ["runner-1", "runner-2"]);
    kill(process(&scheduler, "tminus-agent", 1).id, Signal::SIGKILL).unwrap();
    let ended = ended(&scheduler);
    let result = ended.assert(137).result();
    result
        .assert_ending("started", "")
        .assert_exit_codes(&[("runner-1", 137), ("runner-2", 0)]);
    let load = target.first_requests();
    assert!(load["runner-1"].last.monotonic < load["runner-2"].last.monotonic);
    assert_eq!(
        (
            target.teardown_count("runner-1"),
            target.teardown_count("runner-2")
        ),
        (0, 1)
    );
    local.assert_tidy(&[]);
}
