#![allow(clippy::unwrap_used)]
use rendezvous::{Incarnation, PlanId, Report};
use rstest::rstest;

use super::*;
use crate::decide::witness::Seen;
use crate::testing::{OVERDUE, a_report, a_set_plan, a_start, noon, seconds, sight};

/// One that runs, heard of last `heard` seconds after noon, when the start was.
struct Case {
    observed: Observed,
    noon: Instant,
}

impl Case {
    fn running() -> Self {
        let noon = Instant::now();
        let mut observed = Observed::new(noon);
        observed.take_report(running(1), true, noon + seconds(1));
        Self { observed, noon }
    }

    fn report(mut self, report: Report, after: u64) -> Self {
        self.observed
            .take_report(report, true, self.noon + seconds(after));
        self
    }

    fn seen(mut self, state: Seen, after: u64) -> Self {
        self.observed
            .take_sighting(None, state, self.noon + seconds(after));
        self
    }

    fn removed(mut self, after: u64) -> Self {
        self.observed.take_removal(self.noon + seconds(after));
        self
    }

    /// What is found so many seconds after the start.
    fn loss(&self, after: u64) -> Option<Loss> {
        let now = self.noon + seconds(after);
        let clock = AgreedClock::new(self.noon, noon());
        Loss::of(
            &self.observed,
            &a_set_plan(),
            Some(&clock),
            &sight_of(self.noon, now),
        )
    }
}

fn sight_of(clear_since: Instant, now: Instant) -> Sight {
    Sight {
        clear_since: Some(clear_since),
        ..sight(now)
    }
}

fn running(sequence: u64) -> Report {
    let mut report = a_report("r1", Phase::Running);
    report.start = Some(a_start(0));
    report.sequence = sequence;
    report
}

fn last(phase: Phase, code: u8) -> Report {
    let mut report = running(99);
    (report.phase, report.exit_code) = (phase, Some(code));
    report
}

fn found(by: Evidence, after: u64) -> Option<Loss> {
    let after = Some(seconds(after));
    Some(Loss { by, after })
}

#[test]
fn one_that_renews_its_report_is_not_lost_and_one_that_does_not_is_after_two_renewals() {
    let case = Case::running().report(running(2), 9);
    let overdue = 9 + OVERDUE.as_secs();
    assert_eq!(case.loss(overdue), None);
    let silent = Evidence::Silent(OVERDUE + seconds(1));
    assert_eq!(
        case.loss(overdue + 1),
        found(silent, 9),
        "since it was heard of last"
    );
}

#[rstest]
#[case::killed(Case::running().seen(Seen::Ended(137, None), 10), found(Evidence::ProcessEnded, 10))]
#[case::its_pod_deleted(Case::running().seen(Seen::Gone("deleted".to_owned()), 10), found(Evidence::PodGone, 10))]
#[case::its_report_removed(Case::running().removed(10), found(Evidence::ReportRemoved, 10))]
#[case::stopped(Case::running().report(last(Phase::Aborted, 105), 10), found(Evidence::Stopped, 10))]
#[case::crashed(Case::running().seen(Seen::Down("OOMKilled".to_owned()), 10), found(Evidence::StartedAgain, 10))]
#[case::k6_ended_well(Case::running().report(last(Phase::Finished, 0), 10), None)]
#[case::k6_missed_a_threshold(Case::running().report(last(Phase::Finished, 99), 10), None)]
#[case::k6_was_killed(Case::running().report(last(Phase::Finished, 137), 10), found(Evidence::K6Killed, 10))]
#[case::ended_well_without_a_word(Case::running().seen(Seen::Ended(0, None), 10), None)]
#[case::that_it_goes_after_its_end_is_no_loss(
    Case::running().report(last(Phase::Finished, 0), 10).seen(Seen::Gone("deleted".to_owned()), 11).removed(12), None
)]
fn by_what_and_when_it_was_lost(#[case] case: Case, #[case] expected: Option<Loss>) {
    assert_eq!(case.loss(12), expected);
}

#[test]
fn a_pod_that_is_deleted_long_after_its_node_had_vanished_was_lost_with_the_node() {
    let case = Case::running().report(running(2), 8);
    let case = case.seen(Seen::Gone("its pod was deleted".to_owned()), 300);
    assert_eq!(case.loss(301), found(Evidence::PodGone, 8));
}

#[test]
fn another_process_in_its_place_changes_nothing_about_when() {
    let mut another = a_report("r1", Phase::Refused);
    (another.incarnation, another.exit_code) = (Incarnation::random(), Some(77));
    let case = Case::running().seen(Seen::Down("OOMKilled".to_owned()), 10);
    let case = case.report(another, 14);
    assert_eq!(case.loss(20), found(Evidence::StartedAgain, 10));
}

#[test]
fn when_one_was_lost_that_was_only_found_lying_there_nobody_knows() {
    let noon = Instant::now();
    let mut observed = Observed::new(noon);
    observed.take_report(last(Phase::Aborted, 105), false, noon + seconds(900));
    let clock = AgreedClock::new(noon, crate::testing::noon());
    let sight = sight_of(noon, noon + seconds(901));
    let loss = Loss::of(&observed, &a_set_plan(), Some(&clock), &sight).unwrap();
    assert_eq!((loss.by, loss.after), (Evidence::Stopped, None));
    assert_eq!(loss.when(), "at a time that nobody saw");
}

/// One that is armed and is killed so many seconds after it said so, which was 3 s before the start.
fn killed_while_armed(after: u64) -> Option<Loss> {
    let noon = Instant::now() + seconds(60);
    let mut observed = Observed::new(noon - seconds(60));
    let armed = noon - seconds(3);
    observed.take_report(a_report("r1", Phase::Armed), true, armed);
    observed.take_sighting(None, Seen::Ended(137, None), armed + seconds(after));
    let clock = AgreedClock::new(noon - seconds(60), crate::testing::noon() - seconds(60));
    let sight = sight_of(noon, noon + seconds(9));
    Loss::of(&observed, &a_set_plan(), Some(&clock), &sight)
}

#[rstest]
#[case::before_it_was_looked_who_is_armed(0, None)]
#[case::just_before_the_start(2, found(Evidence::ProcessEnded, 0))]
#[case::before_it_could_say_that_it_had_started(4, found(Evidence::ProcessEnded, 1))]
fn one_that_was_armed_is_lost_to_the_start(#[case] after: u64, #[case] expected: Option<Loss>) {
    assert_eq!(killed_while_armed(after), expected);
}

#[test]
fn who_never_started_under_the_plan_is_missed_as_such() {
    let case = Case::running().seen(Seen::Ended(137, None), 10);
    let clock = AgreedClock::new(case.noon, noon());
    let sight = sight_of(case.noon, case.noon + seconds(12));
    let mut another = a_set_plan();
    another.id = PlanId::random();
    let loss = Loss::of(&case.observed, &another, Some(&clock), &sight);
    assert_eq!(loss, None);
}

fn losses(after: &[u64]) -> Vec<Loss> {
    let loss = |after: &u64| Loss {
        by: Evidence::PodGone,
        after: Some(Duration::from_millis(*after)),
    };
    after.iter().map(loss).collect()
}

#[rstest]
#[case::nobody(&[], 4, None)]
#[case::one(&[10_400], 4, Some("1 of 4 runners lost 10 s after the start: 25 % of the load from then on"))]
#[case::one_of_many(&[0], 300, Some("1 of 300 runners lost 0 s after the start: 0.3 % of the load from then on"))]
#[case::two(
    &[20_000, 10_000], 4, Some("2 of 4 runners lost after the start: of the load 25 % from 10 s on, 50 % from 20 s on")
)]
#[case::two_at_once(&[10_000, 10_600], 3, Some("2 of 3 runners lost after the start: of the load 67 % from 10 s on"))]
#[case::a_crowd(
    &[1_000, 2_000, 3_000, 4_000, 5_000], 5,
    Some("5 of 5 runners lost after the start: of the load 20 % from 1 s on, 40 % from 2 s on, 60 % from 3 s on, …, \
          100 % from 5 s on")
)]
fn what_is_missing_of_the_load_is_told(
    #[case] after_ms: &[u64],
    #[case] started: usize,
    #[case] told: Option<&str>,
) {
    assert_eq!(sentence(&losses(after_ms), started).as_deref(), told);
}

#[test]
fn where_nobody_knows_when_only_how_much_is_told() {
    let mut two = losses(&[10_000, 20_000]);
    two[1].after = None;
    assert_eq!(
        sentence(&two, 4).unwrap(),
        "2 of 4 runners lost after the start: 50 % of the load in the end"
    );
    assert_eq!(
        sentence(&two[1..], 4).unwrap(),
        "1 of 4 runners lost at a time that nobody saw: 25 % of the load from then on"
    );
}
