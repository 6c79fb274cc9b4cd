//! What a clock that is not good enough keeps a runner from.

use clock::{Closing, Firing, Obstacle, SourceKind, SourceKnowledge, Verdict};

use super::*;

const NTP: Status = Status::Synchronised {
    by: SourceKind::Ntp,
};
const MS: Duration = Duration::from_millis(1);

impl Bench {
    /// k6 waits for the resume; the clock is as `status` says.
    fn waiting(settings: Settings, status: Status) -> Self {
        let mut bench = Self::with_clock(settings, status);
        bench.on(Event::Earlier(None));
        bench.board(Some(gathering(600)));
        bench.status(4);
        bench.on(Event::SetupEnded(Ok(MS)));
        bench
    }

    /// What a round of measurements came to.
    fn measured(&mut self, status: Status, bound: Duration) -> Vec<Action> {
        (self.status, self.bound) = (status, bound);
        self.on(Event::ClockMeasured)
    }

    fn waits_for(&self) -> String {
        self.machine.waiting_for().unwrap_or_default()
    }

    fn reason(&self) -> String {
        let end = self.machine.end().expect("it has ended");
        end.reason.clone().unwrap_or_default()
    }

    /// k6 is stopped, and goes.
    fn stopped(&mut self) {
        self.on(Event::TeardownEnded(Ok(())));
        self.on(Event::K6Ended(K6Exit::Code(103)));
    }
}

fn is_armed(actions: &[Action]) -> bool {
    actions
        .iter()
        .any(|action| matches!(action, Action::Arm { .. }))
}

#[test]
fn a_runner_is_ready_once_its_clock_has_been_measured_and_says_what_it_waits_for() {
    let mut bench = Bench::waiting(settings(), Status::Unsynchronised);
    assert_eq!(bench.machine.phase(), Phase::Starting);
    assert!(bench.waits_for().starts_with("clock unsynchronised"));

    bench.knowledge.obstacle = Some(Obstacle::NoAnswer);
    let actions = bench.measured(Status::Unsynchronised, Duration::ZERO);
    assert_eq!(actions, [Action::Report], "the scheduler is to know why");
    assert!(bench.waits_for().contains("no time source answers"));

    let actions = bench.measured(NTP, 180 * MS);
    assert_eq!(bench.machine.phase(), Phase::Starting, "{actions:?}");
    assert_eq!(bench.waits_for(), "clock error 180 ms > 50 ms");

    bench.knowledge.obstacle = None;
    let actions = bench.measured(NTP, 2 * MS);
    assert_eq!(actions, [Action::Report]);
    assert_eq!(bench.machine.phase(), Phase::Ready);
    assert_eq!(bench.waits_for(), "the instant");
}

#[test]
fn a_runner_whose_clock_is_lost_is_not_ready_until_it_is_found_again() {
    let mut bench = Bench::waiting(settings(), NTP);
    assert_eq!(bench.machine.phase(), Phase::Ready);
    assert_eq!(bench.measured(Status::InDoubt, MS), [Action::Report]);
    assert_eq!(bench.machine.phase(), Phase::Starting);
    assert_eq!(bench.board(Some(set_for(10))), []);
    let actions = bench.measured(NTP, MS);
    assert!(is_armed(&actions), "{actions:?}");
}

#[test]
fn an_unmeasured_clock_is_good_enough_where_nothing_is_to_be_measured() {
    let bench = Bench::waiting(settings(), Status::SystemClock);
    assert_eq!(bench.machine.phase(), Phase::Ready);
}

#[test]
fn the_kernels_word_is_not_enough_where_ntp_is_required() {
    let by = SourceKind::Kernel;
    let mut strict = settings();
    strict.clock.require_ntp = true;
    let bench = Bench::waiting(strict, Status::Synchronised { by });
    assert_eq!(bench.machine.phase(), Phase::Starting);
    assert!(bench.waits_for().starts_with("NTP is required"));
    let bench = Bench::waiting(settings(), Status::Synchronised { by });
    assert_eq!(bench.machine.phase(), Phase::Ready);
}

#[rstest]
#[case::the_plans(Some(10), 10)]
#[case::its_own(Some(200), 50)]
#[case::the_only_one(None, 50)]
fn the_smaller_budget_of_the_two_rules(#[case] plans_ms: Option<u64>, #[case] rules_ms: u64) {
    let mut bench = Bench::waiting(settings(), NTP);
    let mut plan = set_for(10);
    plan.terms.max_clock_error = plans_ms.map(Duration::from_millis);
    bench.bound = Duration::from_millis(rules_ms + 1);
    bench.board(Some(plan.clone()));
    assert_eq!(bench.machine.phase(), Phase::Starting);
    let actions = bench.measured(NTP, Duration::from_millis(rules_ms));
    let clock = clock::Terms {
        budget: Duration::from_millis(rules_ms),
        require_ntp: false,
    };
    let is_it =
        |action: &Action| matches!(action, Action::Arm { clock: terms, .. } if *terms == clock);
    assert!(actions.iter().any(is_it), "{actions:?}");
}

#[test]
fn a_plan_of_another_run_has_no_say_about_the_clock() {
    let mut bench = Bench::waiting(settings(), NTP);
    bench.bound = 20 * MS;
    let mut plan = set_for(10);
    plan.run = RunId::new("another").unwrap();
    plan.terms.max_clock_error = Some(MS);
    bench.board(Some(plan));
    assert_eq!(bench.machine.phase(), Phase::Ready);
}

#[rstest]
#[case::no_plan_came(None)]
#[case::an_instant_was_set(Some(LatePolicy::Join))]
fn a_clock_that_never_gets_good_enough_ends_the_wait_at_the_deadline(
    #[case] late: Option<LatePolicy>,
) {
    let mut settings = settings();
    settings.rules.late = late;
    let mut bench = Bench::waiting(settings, Status::Unsynchronised);
    if late.is_some() {
        bench.board(Some(set_for(10)));
    }
    bench.pass(1799);
    assert!(bench.machine.end().is_none());
    bench.pass(1);
    bench.stopped();
    assert_eq!(bench.end(), (Phase::Refused, 71));
    assert!(bench.reason().contains("clock unsynchronised"));
}

/// What a clock knows that asks whoever is to be found, and that finds nobody.
fn nobody_answers(bench: &mut Bench) {
    let silent = |name: &str, kind| SourceKnowledge {
        name: name.to_owned(),
        kind,
        verdict: Verdict::Silent,
        answered: false,
        troubles: None,
        figures: None,
    };
    bench.knowledge.sources = vec![
        silent("AWS", SourceKind::Ntp),
        silent("kernel", SourceKind::Kernel),
    ];
}

#[rstest]
fn where_nobody_was_named_and_nobody_is_found_it_is_said_at_once_and_soon_the_end(
    #[values(true, false)] k6_is_ready: bool,
) {
    let mut bench = Bench::with_clock(settings(), Status::Unsynchronised);
    if k6_is_ready {
        bench = Bench::waiting(settings(), Status::Unsynchronised);
    } else {
        bench.on(Event::Earlier(None));
        bench.board(None);
    }
    nobody_answers(&mut bench);
    bench.measured(Status::Unsynchronised, Duration::ZERO);
    let notes = bench.machine.take_notes().join("\n");
    assert!(notes.contains("set --ntp HOST"), "{notes}");
    bench.pass(59);
    assert!(bench.machine.end().is_none());
    assert!(
        !bench.machine.take_notes().join("\n").contains("ends 1m"),
        "it is told once"
    );
    bench.pass(1);
    bench.stopped();
    assert_eq!(bench.end(), (Phase::Refused, 71));
    assert_eq!(
        bench.reason(),
        "nobody was found in 1m who tells the time: clock unsynchronised; NTP AWS: no answer; kernel: no answer; set --ntp HOST to name a time server"
    );
}

#[test]
fn a_time_daemon_that_synchronises_meanwhile_is_in_time_and_one_that_is_lost_later_is_waited_for() {
    let by = SourceKind::Kernel;
    let mut bench = Bench::waiting(settings(), Status::Unsynchronised);
    nobody_answers(&mut bench);
    bench.measured(Status::Unsynchronised, Duration::ZERO);
    bench.pass(59);
    bench.measured(Status::Synchronised { by }, 20 * MS);
    assert_eq!(bench.machine.phase(), Phase::Ready);
    bench.measured(Status::Synchronised { by }, 60 * MS);
    assert_eq!(bench.machine.phase(), Phase::Starting);
    bench.pass(600);
    assert!(bench.machine.end().is_none());
}

#[rstest]
#[case::too_wide(NTP, 51)]
#[case::in_doubt(Status::InDoubt, 1)]
#[case::unmeasured(Status::Unsynchronised, 0)]
fn a_runner_that_the_clock_alone_kept_from_the_start_is_not_late_but_without_time(
    #[case] status: Status,
    #[case] bound_ms: u64,
    #[values(LatePolicy::Refuse, LatePolicy::Skip)] late: LatePolicy,
) {
    let mut settings = settings();
    settings.rules.late = Some(late);
    let mut bench = Bench::waiting(settings, status);
    bench.bound = Duration::from_millis(bound_ms);
    bench.board(Some(set_for(40)));
    bench.pass(41);
    assert!(
        bench.machine.end().is_none(),
        "that is within the tolerance"
    );
    bench.pass(1);
    bench.stopped();
    assert_eq!(bench.end(), (Phase::Refused, 71));
    assert!(bench.reason().contains("not good enough to start by"));
}

#[test]
fn a_clock_that_is_not_measured_yet_makes_nobody_late() {
    let mut bench = Bench::with_clock(settings(), Status::Unsynchronised);
    bench.ahead = TimeDelta::minutes(7);
    bench.on(Event::Earlier(None));
    assert_eq!(bench.board(Some(set_for(60))), [Action::Report]);
    bench.pass(3);
    bench.status(4);
    bench.on(Event::SetupEnded(Ok(MS)));
    bench.ahead = TimeDelta::zero();
    let actions = bench.measured(NTP, MS);
    assert!(is_armed(&actions), "{actions:?}");
}

#[test]
fn nor_is_a_stage_used_up_by_it() {
    let mut bench = Bench::with_clock(settings(), Status::Unsynchronised);
    bench.ahead = TimeDelta::minutes(7);
    bench.on(earlier_report(Phase::Armed, true));
    bench.board(Some(set_for(60)));
    assert!(bench.machine.end().is_none());
    bench.ahead = TimeDelta::zero();
    assert!(bench.measured(NTP, MS).contains(&Action::StartK6));
}

#[test]
fn an_instant_that_seems_past_is_not_waited_for_with_an_unmeasured_clock_for_ever() {
    let mut bench = Bench::with_clock(settings(), Status::Unsynchronised);
    bench.on(Event::Earlier(None));
    bench.board(Some(set_for(-60)));
    bench.pass(29);
    assert!(bench.machine.end().is_none());
    bench.pass(1);
    bench.stopped();
    assert_eq!(bench.end(), (Phase::Refused, 71));
}

#[test]
fn a_runner_that_came_too_late_is_late_as_soon_as_the_time_is_known() {
    let mut bench = Bench::with_clock(settings(), Status::Unsynchronised);
    bench.on(Event::Earlier(None));
    bench.board(Some(set_for(-60)));
    bench.measured(NTP, MS);
    assert_eq!(bench.end(), (Phase::Refused, 74));
}

#[test]
fn an_armed_runner_whose_clock_is_lost_says_so_and_counts_on() {
    let mut bench = Bench::waiting(settings(), NTP);
    bench.board(Some(set_for(10)));
    bench.knowledge.obstacle = Some(Obstacle::NoMajority);
    assert_eq!(bench.measured(Status::InDoubt, 2000 * MS), [Action::Report]);
    assert_eq!(bench.machine.phase(), Phase::Armed);
    assert!(bench.waits_for().contains("clock in doubt"));
    bench.on(Event::Triggered(Triggered::Unfit(
        "clock in doubt".to_owned(),
    )));
    bench.stopped();
    assert_eq!(bench.end(), (Phase::Refused, 71));
    assert!(bench.reason().contains("clock in doubt"));
    assert!(
        bench.machine.plan().1,
        "the next process of this runner must know it, too"
    );
}

/// One answer that is an hour ahead, of a single server.
#[test]
fn a_doubt_about_an_hour_does_not_bring_the_instant_nearer() {
    let mut bench = Bench::waiting(settings(), NTP);
    let utc = noon();
    let time = Reading {
        latest: utc + TimeDelta::hours(1),
        ..reading(utc, MS, Status::InDoubt)
    };
    let now = Moment {
        mono: bench.began,
        time,
        knowledge: &bench.knowledge,
    };
    bench.machine.handle(Event::ClockMeasured, now);
    let board = Event::Board {
        plan: Ok(Some(set_for(20 * 60))),
        abort: Ok(None),
    };
    bench.machine.handle(board, now);
    bench.machine.handle(Event::Tick, now);
    assert!(bench.machine.end().is_none());
    assert_eq!(bench.machine.phase(), Phase::Starting);
    let actions = bench.measured(NTP, MS);
    assert!(is_armed(&actions), "{actions:?}");
}

#[test]
fn a_clock_that_goes_back_again_and_again_does_not_keep_a_runner_armed_for_ever() {
    let mut bench = Bench::waiting(settings(), NTP);
    bench.board(Some(set_for(600)));
    // The instant is ever ten minutes ahead.
    let mut go_on = |minutes: u64| {
        bench.ahead -= TimeDelta::minutes(minutes.cast_signed());
        bench.pass(60 * minutes)
    };
    for _ in 0..25 {
        assert_eq!(go_on(1), []);
    }
    assert_eq!(go_on(1), [Action::Disarm]);
    bench.on(Event::Triggered(Triggered::Disarmed));
    bench.stopped();
    assert_eq!(bench.end(), (Phase::Refused, 71));
    assert!(bench.reason().contains("gone back"), "{}", bench.reason());
}

fn firing(by_ms: i64, closing: Closing) -> Option<Firing> {
    Some(Firing {
        utc: noon() + TimeDelta::seconds(10) + TimeDelta::milliseconds(by_ms),
        bound: 3 * MS,
        closing,
    })
}

#[test]
fn the_measurement_just_after_the_start_corrects_what_is_told_of_it() {
    let mut bench = Bench::running();
    bench.knowledge.firing = firing(1, Closing::Awaited);
    assert_eq!(bench.on(Event::ClockMeasured), []);
    bench.knowledge.firing = firing(1, Closing::Confirmed);
    assert_eq!(bench.on(Event::ClockMeasured), [Action::Report]);
    let start = bench.machine.start().unwrap();
    assert_eq!(start.fired_at, noon() + TimeDelta::milliseconds(10_001));
    assert_eq!(start.lateness, TimeDelta::milliseconds(1));
    assert_eq!(start.clock_error, Some(3 * MS));
    assert!(!start.clock_jumped);
    assert_eq!(bench.on(Event::ClockMeasured), [], "once is enough");
}

#[test]
fn a_clock_that_jumped_around_the_start_is_told_of() {
    let mut bench = Bench::running();
    let by = TimeDelta::seconds(-2);
    bench.knowledge.firing = firing(-1000, Closing::Jumped { by });
    bench.on(Event::ClockMeasured);
    bench.on(Event::ClockMeasured);
    assert!(bench.machine.start().unwrap().clock_jumped);
    let notes = bench.machine.take_notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("-2.000 s"), "{notes:?}");
}

#[test]
fn that_no_source_confirms_the_time_of_the_start_is_told_once() {
    let mut bench = Bench::running();
    bench.knowledge.firing = firing(0, Closing::Failed);
    bench.on(Event::ClockMeasured);
    bench.on(Event::ClockMeasured);
    assert!(!bench.machine.start().unwrap().clock_jumped);
    let notes = bench.machine.take_notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("a jump cannot be ruled out"), "{notes:?}");
}

#[test]
fn a_witness_that_contradicts_the_clock_is_told_of_once_and_changes_nothing() {
    let mut bench = Bench::waiting(settings(), NTP);
    bench.knowledge.witness_disagrees = Some(TimeDelta::milliseconds(-3500));
    bench.on(Event::ClockMeasured);
    bench.on(Event::ClockMeasured);
    assert_eq!(bench.machine.phase(), Phase::Ready);
    let notes = bench.machine.take_notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("-3.500 s"), "{notes:?}");
}

#[test]
fn what_is_known_after_k6s_end_still_counts() {
    let mut bench = Bench::running();
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    bench.knowledge.firing = firing(0, Closing::Confirmed);
    assert_eq!(bench.on(Event::ClockMeasured), []);
    assert_eq!(bench.machine.start().unwrap().clock_error, Some(3 * MS));
    assert_eq!(bench.end(), (Phase::Finished, 0));
}
