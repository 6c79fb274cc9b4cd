//! What befalls a scheduler, and the run as a whole.

use std::time::Duration;

use nix::sys::signal::Signal;
use rendezvous::Phase;

use super::{
    ABORTED, Case, Fault, GAVE_UP, KILLED, NOT_WELL, Script, WELL, case, gathering, seconds,
    shortly_after,
};

pub fn all() -> Vec<Case> {
    [
        killed(),
        run_again(),
        told_to_end(),
        frozen(),
        several(),
        of_the_run(),
    ]
    .concat()
}

fn killed() -> Vec<Case> {
    let fault = Fault::SchedulerKilled {
        scheduler: 0,
        again: None,
    };
    let mut incomplete = Script::new(2);
    (incomplete.wanted, incomplete.minimum) = (3, 3);
    incomplete.max_wait = seconds(3);
    vec![
        // Each has a deadline of its own, and nobody is left to tell them anything.
        case(
            "scheduler_killed_while_gathering",
            incomplete.with(shortly_after(Phase::Ready), fault),
            &[GAVE_UP, GAVE_UP],
            &[KILLED],
            0,
        ),
        case(
            "scheduler_killed_while_all_are_armed",
            Script::new(2).with(shortly_after(Phase::Armed), fault),
            &[WELL, WELL],
            &[KILLED],
            2,
        ),
        case(
            "scheduler_killed_while_all_run",
            Script::new(2).with(shortly_after(Phase::Running), fault),
            &[WELL, WELL],
            &[KILLED],
            2,
        ),
    ]
}

fn run_again() -> Vec<Case> {
    let again_after = |millis| Fault::SchedulerKilled {
        scheduler: 0,
        again: Some(Duration::from_millis(millis)),
    };
    let mut long = Script::new(2);
    for runner in &mut long.runners {
        runner.k6.run = seconds(15);
    }
    // It believes what lies there only when it is renewed, which takes 12 s at the most.
    let mut patient = gathering();
    patient.max_wait = seconds(30);
    vec![
        case(
            "scheduler_killed_and_run_again_while_gathering",
            patient.with(shortly_after(Phase::Ready), again_after(200)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        case(
            "scheduler_killed_and_run_again_before_the_instant",
            Script::new(2).with(shortly_after(Phase::Armed), again_after(200)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        case(
            "scheduler_killed_and_run_again_while_all_run",
            long.with(shortly_after(Phase::Running), again_after(200)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        // What lies there may be of any age, and proves no success.
        case(
            "scheduler_killed_and_run_again_when_all_is_over",
            Script::new(2).with(shortly_after(Phase::Running), again_after(8000)),
            &[WELL, WELL],
            &[NOT_WELL],
            2,
        ),
    ]
}

fn told_to_end() -> Vec<Case> {
    let cases = [
        ("while_gathering", gathering(), Phase::Ready, 0),
        ("while_all_are_armed", Script::new(2), Phase::Armed, 0),
        ("while_all_run", Script::new(2), Phase::Running, 2),
    ];
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    let cases = cases.into_iter().zip(signals);
    cases
        .map(|((when, mut script, phase, loads), signal)| {
            let fault = Fault::SchedulerToldToEnd {
                scheduler: 0,
                signal,
            };
            let mut agents = [ABORTED, ABORTED];
            if phase == Phase::Ready {
                // It finds the abort when it comes.
                script.runners[1].comes_after = seconds(1);
                agents[1] = ABORTED;
            }
            for runner in &mut script.runners {
                runner.k6.run = seconds(20);
            }
            let name = format!("scheduler_told_to_end_{when}");
            let script = script.with(shortly_after(phase), fault);
            case(&name, script, &agents, &[ABORTED], loads)
        })
        .collect()
}

fn frozen() -> Vec<Case> {
    let for_seconds = |time| Fault::SchedulerFrozen {
        scheduler: 0,
        time: seconds(time),
    };
    // A report that comes meanwhile is seen late, and its clock held to be behind until it is renewed, which takes 12 s
    // at the most.
    let mut patient = gathering();
    patient.max_wait = seconds(30);
    vec![
        case(
            "scheduler_frozen_while_gathering",
            patient.with(shortly_after(Phase::Ready), for_seconds(3)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        case(
            "scheduler_frozen_past_the_instant",
            Script::new(2).with(shortly_after(Phase::Armed), for_seconds(5)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
    ]
}

/// Several for one run: one sets the instant, all follow it.
fn several() -> Vec<Case> {
    let mut at_once = Script::new(2);
    at_once.schedulers = vec![Duration::ZERO; 4];
    let another = |phase| Script::new(2).with(shortly_after(phase), Fault::AnotherScheduler);
    vec![
        case(
            "four_schedulers_at_once",
            at_once,
            &[WELL, WELL],
            &[WELL; 4],
            2,
        ),
        case(
            "another_scheduler_while_gathering",
            gathering().with(shortly_after(Phase::Ready), Fault::AnotherScheduler),
            &[WELL, WELL],
            &[WELL, WELL],
            2,
        ),
        case(
            "another_scheduler_while_all_are_armed",
            another(Phase::Armed),
            &[WELL, WELL],
            &[WELL, WELL],
            2,
        ),
    ]
}

fn of_the_run() -> Vec<Case> {
    let abort = |script: Script, phase| script.with(shortly_after(phase), Fault::Abort);
    let mut incomplete = Script::new(2);
    (incomplete.wanted, incomplete.minimum) = (3, 3);
    incomplete.max_wait = seconds(4);
    let mut left_over = gathering();
    left_over.left_over = true;
    let mut long = Script::new(2);
    for runner in &mut long.runners {
        runner.k6.run = seconds(20);
    }
    vec![
        case(
            "aborted_while_gathering",
            abort(gathering(), Phase::Ready),
            &[ABORTED, ABORTED],
            &[ABORTED],
            0,
        ),
        case(
            "aborted_while_all_are_armed",
            abort(Script::new(2), Phase::Armed),
            &[ABORTED, ABORTED],
            &[ABORTED],
            0,
        ),
        case(
            "aborted_while_all_run",
            abort(long, Phase::Running),
            &[ABORTED, ABORTED],
            &[ABORTED],
            2,
        ),
        case(
            "fewer_come_than_are_wanted",
            incomplete,
            &[ABORTED, ABORTED],
            &[GAVE_UP],
            0,
        ),
        case(
            "the_plan_of_another_run_lies_there",
            left_over,
            &[WELL, WELL],
            &[WELL],
            2,
        ),
    ]
}
