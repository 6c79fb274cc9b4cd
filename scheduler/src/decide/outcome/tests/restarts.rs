//! Containers that are started again after the start.

use super::*;
use crate::decide::witness::Container;

/// A process that came in the place of the one that started.
fn next(phase: Phase, code: u8) -> Report {
    let mut report = ended("r1", phase, code);
    report.start = None;
    report.incarnation = Incarnation::new("the-next").unwrap();
    report.reason = Some("the stage is used up".to_owned());
    report
}

/// A start in which the first runner ended so, was started again, and then ended so.
fn started_again(first: Report, next: Report) -> Scenario {
    let mut scenario = Scenario::of(vec![first, ended("r2", Phase::Finished, 0)]);
    scenario.roster.report(next, true, scenario.began);
    scenario
}

fn started_and_ended(phase: Phase, code: u8) -> Report {
    let mut report = ended("r1", phase, code);
    report.start = Some(a_start(0));
    report
}

#[rstest]
#[case::killed(Phase::Failed, 137, 137, "0 s after the start")]
#[case::a_threshold(Phase::Finished, 99, 99, "after the start")]
#[case::stopped_by_somebody(Phase::Aborted, 105, 78, "0 s after the start")]
fn the_code_of_the_process_that_started_is_kept_when_it_is_started_again(
    #[case] phase: Phase,
    #[case] code: u8,
    #[case] expected: u8,
    #[case] when: &str,
    #[values((Phase::Skipped, 0), (Phase::Refused, 77))] again: (Phase, u8),
) {
    let scenario = started_again(started_and_ended(phase, code), next(again.0, again.1));
    let outcome = scenario.waited().judge(&followed());
    assert_eq!(outcome.code.number(), expected);
    assert_eq!(outcome.rows[0].exit_code, Some(code));
    let fault = format!("r1: its process ended {when} and was started again: {phase}");
    assert_eq!(outcome.faults.last(), Some(&fault));
}

#[rstest]
#[case::skipped(Phase::Skipped, 0)]
#[case::refused(Phase::Refused, 77)]
fn a_load_that_was_lost_without_a_word_is_not_well(
    #[case] phase: Phase,
    #[case] code: u8,
    #[values(false, true)] waited: bool,
) {
    let mut scenario = started_again(running("r1", 0), next(phase, code));
    scenario.waited = waited;
    let outcome = scenario.judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    let share = "1 of 2 runners lost 0 s after the start: 50 % of the load from then on".to_owned();
    let fault = format!(
        "r1: its process ended 0 s after the start and was started again: {phase}: the stage is used up"
    );
    assert_eq!(outcome.faults, [share, fault]);
}

#[test]
fn a_container_that_is_to_be_started_again_has_lost_its_load() {
    let mut scenario = Scenario::of(vec![running("r1", 0), running("r2", 0)]);
    let mut see = |state| {
        let (runner, name) = (runner("r1"), None);
        let sighting = Sighting {
            runner,
            name,
            state,
        };
        scenario.roster.sighting(sighting, scenario.began);
    };
    let (id, restarts) = ("c1".to_owned(), 0);
    see(Seen::Up(Some(Container { id, restarts })));
    see(Seen::Down("OOMKilled".to_owned()));
    let outcome = scenario.judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    assert!(
        outcome.faults[1].contains("started again"),
        "{:?}",
        outcome.faults
    );
}

#[rstest]
#[case::skipped(Phase::Skipped, 0)]
#[case::refused(Phase::Refused, 77)]
fn a_load_that_was_made_to_its_end_is_well_whatever_is_started_after_it(
    #[case] phase: Phase,
    #[case] code: u8,
) {
    let scenario = started_again(started_and_ended(Phase::Finished, 0), next(phase, code));
    let outcome = scenario.waited().judge(&followed());
    assert_eq!((outcome.code, outcome.faults.len()), (Code::Well, 0));
}

#[test]
fn a_container_that_was_started_again_before_the_start_has_lost_nothing() {
    let mut scenario = Scenario::of(vec![
        next(Phase::Failed, 107),
        ended("r2", Phase::Finished, 0),
    ]);
    let started = started_and_ended(Phase::Finished, 0);
    scenario.roster.report(started, true, scenario.began);
    let outcome = scenario.waited().judge(&followed());
    assert_eq!((outcome.code, outcome.faults.len()), (Code::Well, 0));
}
