//! What befalls the store.

use std::time::Duration;

use rendezvous::{LatePolicy, Phase};

use super::{
    ABORTED, Case, Fault, GAVE_UP, LATE_OR_ABORTED, NO_ACCESS, NOT_WELL, Script, USED_UP, WELL,
    When, case, gathering, seconds, shortly_after,
};

pub fn all() -> Vec<Case> {
    [away(), of_the_plan(), of_a_report()].concat()
}

/// A case in which all goes well all the same.
fn unharmed(name: &str, script: Script, when: When, fault: Fault) -> Case {
    let script = script.with(when, fault);
    case(name, script, &[WELL, WELL], &[WELL], 2)
}

fn away() -> Vec<Case> {
    let for_seconds = |time| Fault::StoreAway {
        time: seconds(time),
    };
    let mut long = Script::new(2);
    for runner in &mut long.runners {
        runner.k6.run = seconds(5);
    }
    vec![
        unharmed(
            "store_away_while_gathering",
            gathering(),
            shortly_after(Phase::Ready),
            for_seconds(3),
        ),
        unharmed(
            "store_away_past_the_instant",
            Script::new(2),
            shortly_after(Phase::Armed),
            for_seconds(5),
        ),
        unharmed(
            "store_away_while_all_run",
            long,
            shortly_after(Phase::Running),
            for_seconds(3),
        ),
    ]
}

fn of_the_plan() -> Vec<Case> {
    let time = seconds(3);
    // Longer than a writer waits for another.
    let long = seconds(7);
    let mut patient = gathering();
    patient.max_wait = seconds(30);
    patient.runners[1].comes_after = seconds(9);
    vec![
        unharmed(
            "plan_unwritable_while_gathering",
            gathering(),
            shortly_after(Phase::Ready),
            Fault::PlanUnwritable { time },
        ),
        unharmed(
            "plan_held_by_another_writer",
            gathering(),
            shortly_after(Phase::Ready),
            Fault::PlanHeld { time },
        ),
        unharmed(
            "plan_held_for_long_by_another_writer",
            patient,
            shortly_after(Phase::Ready),
            Fault::PlanHeld { time: long },
        ),
        // It stands there at last, and nobody could have heard of it in time.
        case(
            "plan_held_past_the_instant_by_another_writer",
            gathering().with(
                shortly_after(Phase::Ready),
                Fault::PlanHeld { time: seconds(6) },
            ),
            &[LATE_OR_ABORTED, LATE_OR_ABORTED],
            &[GAVE_UP],
            0,
        ),
        // Nobody can know whether an instant is set, so nothing is written over it.
        case(
            "plan_cut_off_while_gathering",
            gathering().with(shortly_after(Phase::Ready), Fault::PlanCutOff { time }),
            &[ABORTED, ABORTED],
            &[NO_ACCESS],
            0,
        ),
        unharmed(
            "plan_cut_off_while_all_are_armed",
            Script::new(2),
            shortly_after(Phase::Armed),
            Fault::PlanCutOff { time },
        ),
    ]
}

fn of_a_report() -> Vec<Case> {
    let time = seconds(3);
    // Ends only when its report can be written again, however late it began.
    let mut long = gathering();
    for runner in &mut long.runners {
        runner.k6.run = seconds(5);
    }
    let mut last_moment = gathering();
    // A start is welcome however late: nothing but the memory of the first keeps a second one away.
    last_moment.late = LatePolicy::Join;
    let last_moment = last_moment
        .with(
            When::After(Duration::from_millis(2200)),
            Fault::ReportUnwritable {
                runner: 0,
                time: seconds(4),
            },
        )
        .with(
            When::Instant(300),
            Fault::AgentKilled {
                runner: 0,
                again: Some(seconds(3)),
            },
        );
    vec![
        unharmed(
            "report_unwritable_past_the_instant",
            long,
            shortly_after(Phase::Ready),
            Fault::ReportUnwritable {
                runner: 0,
                time: seconds(6),
            },
        ),
        unharmed(
            "report_held_by_another_writer",
            gathering(),
            shortly_after(Phase::Ready),
            Fault::ReportHeld { runner: 0, time },
        ),
        unharmed(
            "report_cut_off_while_ready",
            gathering(),
            shortly_after(Phase::Ready),
            Fault::ReportCutOff { runner: 0 },
        ),
        unharmed(
            "report_cut_off_while_running",
            Script::new(2),
            shortly_after(Phase::Running),
            Fault::ReportCutOff { runner: 0 },
        ),
        case(
            "agent_killed_and_run_again_though_nobody_could_write_that_it_was_armed",
            last_moment,
            &[USED_UP, WELL],
            &[NOT_WELL],
            2,
        ),
    ]
}
