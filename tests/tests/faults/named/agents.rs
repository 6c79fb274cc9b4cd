//! What befalls an agent or its k6.

use std::time::Duration;

use nix::sys::signal::Signal;
use rendezvous::Phase;

use super::{
    ABORTED, Case, Fault, GAVE_UP, K6_KILLED, KILLED, LATE, NOT_READY, NOT_WELL, Script, TOLD,
    USED_UP, WELL, When, case, gathering, seconds, shortly_after, starting,
};

pub fn all() -> Vec<Case> {
    [
        killed(),
        run_again(),
        told_to_end(),
        frozen(),
        of_k6(),
        in_numbers(),
    ]
    .concat()
}

fn killed() -> Vec<Case> {
    let fault = Fault::AgentKilled {
        runner: 0,
        again: None,
    };
    let mut never_ready = starting();
    never_ready.max_wait = seconds(4);
    vec![
        case(
            "agent_killed_while_starting",
            never_ready.with(shortly_after(Phase::Starting), fault),
            &[KILLED, ABORTED],
            &[GAVE_UP],
            0,
        ),
        // Its last report is fresh: it is missed when it does not arm, and lost when it stays silent.
        case(
            "agent_killed_while_ready",
            gathering().with(shortly_after(Phase::Ready), fault),
            &[KILLED, WELL],
            &[NOT_WELL],
            1,
        ),
        case(
            "agent_killed_while_armed",
            Script::new(2).with(shortly_after(Phase::Armed), fault),
            &[KILLED, WELL],
            &[NOT_WELL],
            1,
        ),
        case(
            "agent_killed_while_running",
            Script::new(2).with(shortly_after(Phase::Running), fault),
            &[KILLED, WELL],
            &[NOT_WELL],
            2,
        ),
    ]
}

fn run_again() -> Vec<Case> {
    let again_after = |millis| Fault::AgentKilled {
        runner: 0,
        again: Some(Duration::from_millis(millis)),
    };
    let mut far_ahead = Script::new(2);
    far_ahead.lead = seconds(8);
    vec![
        case(
            "agent_killed_and_run_again_while_starting",
            starting().with(shortly_after(Phase::Starting), again_after(100)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        case(
            "agent_killed_and_run_again_while_ready",
            gathering().with(shortly_after(Phase::Ready), again_after(100)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        case(
            "agent_killed_and_run_again_before_the_instant",
            far_ahead.with(shortly_after(Phase::Armed), again_after(100)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        case(
            "agent_killed_before_the_instant_and_run_again_after_it",
            Script::new(2).with(shortly_after(Phase::Armed), again_after(5000)),
            &[USED_UP, WELL],
            &[NOT_WELL],
            1,
        ),
        case(
            "agent_killed_and_run_again_right_after_the_instant",
            // It has fired by then, also on a busy machine, and has not yet reported it.
            Script::new(2).with(When::Instant(200), again_after(0)),
            &[USED_UP, WELL],
            &[NOT_WELL],
            2,
        ),
        case(
            "agent_killed_and_run_again_while_running",
            Script::new(2).with(shortly_after(Phase::Running), again_after(100)),
            &[USED_UP, WELL],
            &[NOT_WELL],
            2,
        ),
    ]
}

fn told_to_end() -> Vec<Case> {
    let fault = Fault::AgentToldToEnd {
        runner: 0,
        signal: Signal::SIGTERM,
    };
    vec![
        case(
            "agent_told_to_end_while_ready",
            gathering().with(shortly_after(Phase::Ready), fault),
            &[TOLD, ABORTED],
            &[GAVE_UP],
            0,
        ),
        case(
            "agent_told_to_end_while_armed",
            Script::new(2).with(shortly_after(Phase::Armed), fault),
            &[TOLD, WELL],
            &[NOT_WELL],
            1,
        ),
        case(
            "agent_told_to_end_while_running",
            Script::new(2).with(shortly_after(Phase::Running), fault),
            &[TOLD, WELL],
            &[NOT_WELL],
            2,
        ),
    ]
}

fn frozen() -> Vec<Case> {
    let for_seconds = |time| Fault::AgentFrozen {
        runner: 0,
        time: seconds(time),
    };
    vec![
        case(
            "agent_frozen_while_ready",
            gathering().with(shortly_after(Phase::Ready), for_seconds(1)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        case(
            "agent_frozen_past_the_instant",
            Script::new(2).with(shortly_after(Phase::Armed), for_seconds(5)),
            &[LATE, WELL],
            &[NOT_WELL],
            1,
        ),
        case(
            "agent_frozen_while_running",
            Script::new(2).with(shortly_after(Phase::Running), for_seconds(1)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
    ]
}

fn of_k6() -> Vec<Case> {
    let killed = Fault::K6Killed { runner: 0 };
    let for_seconds = |time| Fault::K6Frozen {
        runner: 0,
        time: seconds(time),
    };
    vec![
        case(
            "k6_killed_while_ready",
            gathering().with(shortly_after(Phase::Ready), killed),
            &[K6_KILLED, ABORTED],
            &[K6_KILLED],
            0,
        ),
        case(
            "k6_killed_while_armed",
            Script::new(2).with(shortly_after(Phase::Armed), killed),
            &[K6_KILLED, WELL],
            &[K6_KILLED],
            1,
        ),
        case(
            "k6_killed_while_running",
            Script::new(2).with(shortly_after(Phase::Running), killed),
            &[K6_KILLED, WELL],
            &[K6_KILLED],
            2,
        ),
        case(
            "k6_told_to_end_while_running",
            Script::new(2).with(
                shortly_after(Phase::Running),
                Fault::K6ToldToEnd { runner: 0 },
            ),
            &[TOLD, WELL],
            &[TOLD],
            2,
        ),
        case(
            "k6_frozen_while_ready",
            gathering().with(shortly_after(Phase::Ready), for_seconds(1)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
        // It never reads the resume, and is gone before it could.
        case(
            "k6_frozen_past_the_instant",
            Script::new(2).with(shortly_after(Phase::Armed), for_seconds(8)),
            &[NOT_READY, WELL],
            &[NOT_WELL],
            1,
        ),
        case(
            "k6_frozen_while_running",
            Script::new(2).with(shortly_after(Phase::Running), for_seconds(1)),
            &[WELL, WELL],
            &[WELL],
            2,
        ),
    ]
}

/// However many they are, the instant is one.
fn in_numbers() -> Vec<Case> {
    let many = |runners| {
        let mut script = Script::new(runners);
        script.max_wait = seconds(60);
        script.lead = seconds(4);
        script
    };
    vec![
        case("one_runner_alone", many(1), &[WELL], &[WELL], 1),
        case("ten_runners_at_once", many(10), &[WELL; 10], &[WELL], 10),
        case("fifty_runners_at_once", many(50), &[WELL; 50], &[WELL], 50),
    ]
}
