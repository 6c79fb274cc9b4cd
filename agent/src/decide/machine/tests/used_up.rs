//! What a mark beside the report keeps a runner from.

use super::*;
use crate::decide::mark::Mark;

/// A mark for the plan at this many seconds after the bench's noon.
fn marked_for(seconds: i64, late: LatePolicy) -> Settings {
    Settings {
        mark: Some(Mark {
            plan: PlanId::new("plan-1").unwrap(),
            start_at: noon() + TimeDelta::seconds(seconds),
            late,
            fired: false,
        }),
        ..settings()
    }
}

#[rstest]
#[case(LatePolicy::Refuse, (Phase::Refused, 77))]
#[case(LatePolicy::Join, (Phase::Refused, 77))]
#[case(LatePolicy::Skip, (Phase::Skipped, 0))]
fn a_marked_stage_whose_instant_is_past_is_used_up_and_the_store_is_not_needed_to_know_it(
    #[case] late: LatePolicy,
    #[case] end: (Phase, u8),
) {
    let mut bench = Bench::new(marked_for(-1, late));
    assert_eq!(bench.pass(0), [Action::Report]);
    assert_eq!(bench.end(), end);
    assert_eq!(bench.machine.plan().0.unwrap().as_str(), "plan-1");
    assert!(bench.machine.plan().1, "the next process is to know it");
    assert!(!bench.machine.must_not_report());
}

#[test]
fn another_plan_does_not_make_a_marked_stage_new() {
    let mut bench = Bench::new(marked_for(-1, LatePolicy::Refuse));
    let mut plan = set_for(10);
    plan.id = PlanId::new("plan-2").unwrap();
    bench.board(Some(plan));
    assert_eq!(bench.end(), (Phase::Refused, 77));
}

#[test]
fn a_marked_stage_is_used_up_whether_mark_or_abort_is_read_first() {
    let mut bench = Bench::new(marked_for(-1, LatePolicy::Refuse));
    bench.abort();
    assert_eq!(bench.end(), (Phase::Refused, 77));
    let mut bench = Bench::new(marked_for(-1, LatePolicy::Refuse));
    bench.pass(0);
    bench.abort();
    assert_eq!(bench.end(), (Phase::Refused, 77));
}

#[rstest]
#[case::whose_instant_is_ahead(10, Status::SystemClock)]
#[case::whose_instant_is_past_by_a_clock_that_is_not_to_be_believed(-1, Status::Unsynchronised)]
fn an_abort_ends_one_with_a_mark(#[case] seconds: i64, #[case] status: Status) {
    let mut bench = Bench::with_clock(marked_for(seconds, LatePolicy::Refuse), status);
    bench.abort();
    assert_eq!(bench.end(), (Phase::Aborted, 76));
}

/// Without a mark, as where its memory is gone with the pod's sandbox, in whichever order the two are read.
#[test]
fn an_abort_ends_one_of_which_a_report_alone_says_that_it_ran() {
    for is_read_first in [true, false] {
        let mut bench = Bench::new(settings());
        if is_read_first {
            bench.on(earlier_report(Phase::Running, true));
        }
        bench.abort();
        bench.on(earlier_report(Phase::Running, true));
        assert_eq!(bench.end(), (Phase::Aborted, 76));
    }
}

#[test]
fn a_mark_whose_instant_is_ahead_keeps_nobody_from_it() {
    let mut bench = Bench::ready_with(marked_for(10, LatePolicy::Refuse));
    let actions = bench.board(Some(set_for(10)));
    assert!(matches!(actions[0], Action::Arm { .. }), "{actions:?}");
    bench.elapsed = Duration::from_secs(10);
    bench.on(sent(Reply::Accepted));
    bench.pass(1);
    bench.status(7);
    assert_eq!(bench.machine.phase(), Phase::Running);
}

/// A clock that has gone back by minutes, or is not known yet, shows the instant as ahead.
#[rstest]
#[case(Status::SystemClock)]
#[case(Status::Unsynchronised)]
#[case(Status::InDoubt)]
fn a_stage_whose_start_is_certain_is_used_up_whatever_the_clock_says(#[case] status: Status) {
    let mut marked = marked_for(300, LatePolicy::Refuse);
    if let Some(mark) = &mut marked.mark {
        mark.fired = true;
    }
    let mut bench = Bench::with_clock(marked, status);
    bench.pass(0);
    assert_eq!(bench.end(), (Phase::Refused, 77));

    let mut bench = Bench::with_clock(settings(), status);
    bench.on(earlier_report(Phase::Running, true));
    bench.board(Some(set_for(300)));
    assert_eq!(bench.end(), (Phase::Refused, 77));
}

#[test]
fn a_stage_that_an_earlier_process_found_used_up_stays_so() {
    let Event::Earlier(Some(mut report)) = earlier_report(Phase::Refused, true) else {
        panic!("it is a report");
    };
    report.exit_code = Some(77);
    let mut bench = Bench::new(settings());
    bench.on(Event::Earlier(Some(report)));
    bench.board(Some(set_for(300)));
    assert_eq!(bench.end(), (Phase::Refused, 77));
}

#[test]
fn who_comes_back_and_is_not_ready_at_the_marked_instant_is_too_late_whatever_the_policy() {
    let mut bench = Bench::building(marked_for(5, LatePolicy::Join));
    bench.pass(6);
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Refused, 77));
}

#[test]
fn a_clock_that_is_not_to_be_believed_makes_nothing_past() {
    let mut bench = Bench::with_clock(marked_for(-1, LatePolicy::Refuse), Status::Unsynchronised);
    bench.pass(0);
    assert!(bench.machine.end().is_none());
    bench.status = Status::SystemClock;
    bench.on(Event::ClockMeasured);
    assert_eq!(bench.end(), (Phase::Refused, 77));
}
