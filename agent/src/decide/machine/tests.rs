#![allow(clippy::unwrap_used)]

mod endings;
mod random;
mod time;
mod used_up;
mod words;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use clock::{Knowledge, Reading, Status, ntp::Leap};
use rendezvous::{
    Abort, ClockReport, Incarnation, LatePolicy, Phase, Plan, PlanId, PlanState, Report, RunId,
    RunnerId, StageName, Terms,
};
use rstest::rstest;

use super::limits::{ADDRESS_TAKEN, MOST_PORTS};
use super::*;
use crate::decide::admission::Rules;

/// A runner on a bench: its clocks stand still unless moved.
struct Bench {
    machine: Machine,
    began: Instant,
    elapsed: Duration,
    /// How its clock knows the time, how far it may be off, and how far it is.
    status: Status,
    bound: Duration,
    ahead: TimeDelta,
    knowledge: Knowledge,
}

fn noon() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn run_id() -> RunId {
    RunId::new("run-1").unwrap()
}

fn settings() -> Settings {
    Settings {
        rules: Rules {
            run: run_id(),
            stage: StageName::new("main").unwrap(),
            late: None,
            late_tolerance: None,
        },
        mark: None,
        clock: clock::Terms {
            budget: Duration::from_millis(50),
            require_ntp: false,
        },
        early_setup: true,
        teardown: true,
        setup_max_age: None,
        deadline: Duration::from_secs(1800),
        ready_timeout: Duration::from_secs(600),
        grace: Duration::from_secs(30),
        max_run: Duration::from_hours(24),
    }
}

fn gathering(left: u64) -> Plan {
    Plan {
        run: run_id(),
        stage: StageName::new("main").unwrap(),
        id: PlanId::new("plan-1").unwrap(),
        state: PlanState::Gathering {
            left: Duration::from_secs(left),
        },
        runners_wanted: 1,
        terms: Terms::default(),
    }
}

/// A plan for this many seconds after the bench's noon.
fn set_for(seconds: i64) -> Plan {
    let start_at = noon() + TimeDelta::seconds(seconds);
    Plan {
        state: PlanState::Set {
            start_at,
            quorum: 1,
        },
        ..gathering(0)
    }
}

fn reading(utc: DateTime<Utc>, bound: Duration, status: Status) -> Reading {
    Reading {
        earliest: utc - bound,
        latest: utc + bound,
        held: utc,
        status,
    }
}

fn earlier_report(phase: Phase, armed: bool) -> Event {
    Event::Earlier(Some(Box::new(Report {
        run: run_id(),
        stage: StageName::new("main").unwrap(),
        runner: RunnerId::new("a").unwrap(),
        name: "a".to_owned(),
        node: None,
        container: None,
        incarnation: Incarnation::new("before").unwrap(),
        sequence: 9,
        phase,
        plan: Some(gathering(0).id),
        armed,
        clock: ClockReport {
            utc: noon(),
            error: None,
            source: "system clock".to_owned(),
            offset: None,
            used: Vec::new(),
            rejected: Vec::new(),
        },
        vus: None,
        waiting_for: None,
        setup_took: None,
        start: None,
        exit_code: None,
        reason: None,
        k6_errors: Vec::new(),
    })))
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self::with_clock(settings, Status::SystemClock)
    }

    fn with_clock(settings: Settings, status: Status) -> Self {
        let began = Instant::now();
        let time = reading(noon(), Duration::ZERO, status);
        let knowledge = Knowledge {
            reading: time,
            offset: None,
            by: Vec::new(),
            sources: Vec::new(),
            obstacle: None,
            leap: Leap::None,
            witness_disagrees: None,
            firing: None,
        };
        let now = Moment {
            mono: began,
            time,
            knowledge: &knowledge,
        };
        Self {
            machine: Machine::new(settings, now),
            began,
            elapsed: Duration::ZERO,
            status,
            bound: Duration::ZERO,
            ahead: TimeDelta::zero(),
            knowledge,
        }
    }

    fn pass(&mut self, seconds: u64) -> Vec<Action> {
        self.elapsed += Duration::from_secs(seconds);
        self.on(Event::Tick)
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        let utc = noon() + self.elapsed + self.ahead;
        let now = Moment {
            mono: self.began + self.elapsed,
            time: reading(utc, self.bound, self.status),
            knowledge: &self.knowledge,
        };
        self.machine.handle(event, now)
    }

    fn board(&mut self, plan: Option<Plan>) -> Vec<Action> {
        self.on(Event::Board {
            plan: Ok(plan),
            abort: Ok(None),
        })
    }

    fn abort(&mut self) -> Vec<Action> {
        let abort = Abort::new(run_id(), "somebody", "enough");
        self.on(Event::Board {
            plan: Ok(None),
            abort: Ok(Some(abort)),
        })
    }

    fn status(&mut self, status: u64) -> Vec<Action> {
        self.on(Event::Status {
            status,
            vus: Some(1),
        })
    }

    fn end(&self) -> (Phase, u8) {
        let end = self.machine.end().expect("it has ended");
        (end.phase, end.code)
    }

    /// k6 is started and builds its VUs.
    fn building(settings: Settings) -> Self {
        let mut bench = Self::new(settings);
        bench.on(Event::Earlier(None));
        let actions = bench.board(Some(gathering(600)));
        assert!(actions.contains(&Action::StartK6), "{actions:?}");
        bench
    }

    fn ready() -> Self {
        Self::ready_with(settings())
    }

    fn ready_with(settings: Settings) -> Self {
        let early = settings.early_setup;
        let mut bench = Self::building(settings);
        let actions = bench.status(4);
        if early {
            assert!(actions.contains(&Action::RunSetup), "{actions:?}");
            bench.on(Event::SetupEnded(Ok(Duration::from_millis(1))));
        }
        assert_eq!(bench.machine.phase(), Phase::Ready);
        bench
    }

    fn armed() -> Self {
        Self::armed_with(settings())
    }

    fn armed_with(settings: Settings) -> Self {
        let mut bench = Self::ready_with(settings);
        let actions = bench.board(Some(set_for(10)));
        assert!(matches!(actions[0], Action::Arm { .. }), "{actions:?}");
        assert_eq!(bench.machine.phase(), Phase::Armed);
        bench
    }

    fn fired(reply: Reply) -> Self {
        Self::fired_with(settings(), reply)
    }

    fn fired_with(settings: Settings, reply: Reply) -> Self {
        let mut bench = Self::armed_with(settings);
        bench.elapsed = Duration::from_secs(10);
        let actions = bench.on(sent(reply));
        assert!(
            !actions.contains(&Action::Report),
            "fired and running are one write: {actions:?}"
        );
        assert_eq!(bench.machine.phase(), Phase::Fired);
        bench
    }

    fn running() -> Self {
        let mut bench = Self::fired(Reply::Accepted);
        bench.status(7);
        assert_eq!(bench.machine.phase(), Phase::Running);
        bench
    }
}

fn sent(reply: Reply) -> Event {
    Event::Triggered(Triggered::Sent {
        fired_at: noon() + TimeDelta::seconds(10),
        lateness: TimeDelta::zero(),
        clock_error: None,
        reply,
    })
}

fn stop_failed(no_api: bool) -> Event {
    Event::StopFailed {
        no_api,
        detail: "it would not hear of it".to_owned(),
    }
}

#[test]
fn the_usual_way_is_starting_ready_armed_fired_running_finished() {
    let mut bench = Bench::running();
    assert!(bench.machine.start().unwrap().load_at.is_some());
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    assert_eq!(bench.end(), (Phase::Finished, 0));
}

#[test]
fn k6_is_not_ready_while_it_builds_vus() {
    let mut bench = Bench::building(settings());
    for status in [1, 1, 2, 3] {
        assert_eq!(bench.status(status), []);
        assert_eq!(bench.machine.phase(), Phase::Starting);
    }
}

#[test]
fn setup_left_to_k6_is_not_asked_for() {
    let settings = Settings {
        early_setup: false,
        ..settings()
    };
    let mut bench = Bench::building(settings);
    let actions = bench.status(4);
    assert!(!actions.contains(&Action::RunSetup), "{actions:?}");
    assert_eq!(bench.machine.phase(), Phase::Ready);
}

#[test]
fn nothing_is_armed_before_the_earlier_report_is_known() {
    let mut bench = Bench::new(settings());
    bench.board(Some(set_for(100)));
    bench.pass(3);
    bench.status(4);
    let actions = bench.on(Event::SetupEnded(Ok(Duration::ZERO)));
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::Arm { .. })),
        "{actions:?}"
    );
    assert!(bench.machine.must_not_report());
    let actions = bench.on(Event::Earlier(None));
    assert!(matches!(actions[0], Action::Arm { .. }), "{actions:?}");
}

#[test]
fn a_store_that_takes_its_time_does_not_keep_k6_from_coming_up() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.pass(1), []);
    assert!(bench.pass(2).contains(&Action::StartK6));
}

#[rstest]
#[case(LatePolicy::Refuse, (Phase::Refused, 74))]
#[case(LatePolicy::Skip, (Phase::Skipped, 0))]
fn a_runner_that_comes_too_late_never_starts_k6(
    #[case] late: LatePolicy,
    #[case] end: (Phase, u8),
) {
    let mut settings = settings();
    settings.rules.late = Some(late);
    let mut bench = Bench::new(settings);
    bench.on(Event::Earlier(None));
    let actions = bench.board(Some(set_for(-2)));
    assert_eq!(actions, [Action::Report]);
    assert_eq!(bench.end(), end);
}

#[test]
fn a_runner_whose_k6_takes_too_long_is_late_and_stops_it() {
    let mut bench = Bench::building(settings());
    bench.board(Some(set_for(5)));
    bench.pass(6);
    assert!(
        bench.machine.end().is_none(),
        "within the tolerance of {:?}",
        Terms::DEFAULT_TOLERANCE
    );
    let actions = bench.pass(1);
    assert!(actions.contains(&Action::StopK6), "{actions:?}");
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Refused, 74));
}

#[test]
fn a_joining_runner_starts_however_late_it_is_ready() {
    let mut settings = settings();
    settings.rules.late = Some(LatePolicy::Join);
    let mut bench = Bench::building(settings);
    bench.board(Some(set_for(5)));
    bench.pass(300);
    bench.status(4);
    let actions = bench.on(Event::SetupEnded(Ok(Duration::ZERO)));
    assert!(matches!(actions[0], Action::Arm { .. }), "{actions:?}");
}

#[rstest]
#[case(LatePolicy::Refuse, (Phase::Refused, 77))]
#[case(LatePolicy::Join, (Phase::Refused, 77))]
#[case(LatePolicy::Skip, (Phase::Skipped, 0))]
fn a_stage_that_was_used_up_is_not_run_again(#[case] late: LatePolicy, #[case] end: (Phase, u8)) {
    let mut settings = settings();
    settings.rules.late = Some(late);
    let mut bench = Bench::new(settings);
    bench.on(earlier_report(Phase::Running, true));
    let actions = bench.board(Some(set_for(-1)));
    assert!(!actions.contains(&Action::StartK6), "{actions:?}");
    assert_eq!(bench.end(), end);
    assert!(
        bench.machine.plan().1,
        "the next process of this runner must know it, too"
    );
}

#[test]
fn a_runner_that_was_restarted_before_the_instant_starts_with_the_others() {
    let mut bench = Bench::new(settings());
    bench.on(earlier_report(Phase::Armed, true));
    let actions = bench.board(Some(set_for(60)));
    assert!(actions.contains(&Action::StartK6), "{actions:?}");
}

#[rstest]
#[case(SetupFailure::Refused("setup() execution timed out after 1 seconds".to_owned()), 100)]
#[case(SetupFailure::Refused("Error: no luck".to_owned()), 107)]
fn a_failed_setup_stops_k6_and_is_never_resumed(#[case] failure: SetupFailure, #[case] code: u8) {
    let mut bench = Bench::building(settings());
    bench.status(4);
    let actions = bench.on(Event::SetupEnded(Err(failure)));
    assert!(actions.contains(&Action::StopK6), "{actions:?}");
    let actions = bench.board(Some(set_for(10)));
    assert_eq!(actions, []);
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Failed, code));
}

#[test]
fn a_setup_whose_connection_dropped_is_a_failure_unless_k6_ended_itself() {
    let dropped = || Event::SetupEnded(Err(SetupFailure::Dropped("closed".to_owned())));
    let mut alive = Bench::building(settings());
    alive.status(4);
    assert_eq!(alive.on(dropped()), []);
    assert!(alive.pass(2).contains(&Action::StopK6));
    alive.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(alive.end(), (Phase::Failed, 109));

    let mut ending = Bench::building(settings());
    ending.status(4);
    ending.on(dropped());
    ending.on(Event::K6Ended(K6Exit::Code(99)));
    assert_eq!(ending.end(), (Phase::Failed, 99));
}

#[test]
fn a_setup_that_has_grown_old_runs_again_before_the_runner_arms() {
    let settings = Settings {
        setup_max_age: Some(Duration::from_secs(60)),
        ..settings()
    };
    let mut bench = Bench::ready_with(settings);
    bench.pass(61);
    let actions = bench.board(Some(set_for(100)));
    assert!(actions.contains(&Action::RunSetup), "{actions:?}");
    assert_eq!(bench.machine.phase(), Phase::Starting);
    let actions = bench.on(Event::SetupEnded(Ok(Duration::ZERO)));
    assert!(matches!(actions[0], Action::Arm { .. }), "{actions:?}");
}

#[test]
fn an_abort_after_an_early_setup_runs_teardown_first() {
    let mut bench = Bench::ready();
    let actions = bench.abort();
    assert!(
        matches!(actions[..], [Action::Poll(None), Action::RunTeardown(_)]),
        "{actions:?}"
    );
    assert_eq!(bench.on(Event::TeardownEnded(Ok(()))), [Action::StopK6]);
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Aborted, 76));
}

#[test]
fn an_abort_leaves_teardown_out_where_the_user_does() {
    let settings = Settings {
        teardown: false,
        ..settings()
    };
    let mut bench = Bench::ready_with(settings);
    assert_eq!(bench.abort(), [Action::Poll(None), Action::StopK6]);
}

#[test]
fn a_second_setup_that_fails_has_the_first_one_torn_down() {
    let settings = Settings {
        setup_max_age: Some(Duration::from_secs(60)),
        ..settings()
    };
    let mut bench = Bench::ready_with(settings);
    bench.pass(61);
    bench.board(Some(set_for(100)));
    let failure = SetupFailure::Refused("Error: no luck".to_owned());
    let actions = bench.on(Event::SetupEnded(Err(failure)));
    assert!(
        matches!(actions.last(), Some(Action::RunTeardown(_))),
        "{actions:?}"
    );
}

#[test]
fn a_k6_that_does_not_go_although_it_was_killed_is_not_waited_for_for_ever() {
    let mut bench = Bench::running();
    bench.abort();
    bench.pass(30);
    assert!(bench.machine.end().is_none());
    bench.pass(30);
    assert_eq!(bench.end(), (Phase::Aborted, 76));
}

#[test]
fn an_abort_during_setup_closes_its_connection_and_runs_no_teardown() {
    let mut bench = Bench::building(settings());
    bench.status(4);
    assert_eq!(
        bench.abort(),
        [Action::CancelSetup, Action::Poll(None), Action::StopK6]
    );
}

#[test]
fn an_abort_while_armed_waits_for_the_word_of_the_thread_that_may_be_sending() {
    let mut called_off = Bench::armed();
    assert_eq!(called_off.abort(), [Action::Disarm]);
    let actions = called_off.on(Event::Triggered(Triggered::Disarmed));
    assert!(
        matches!(actions[..], [Action::Poll(None), Action::RunTeardown(_)]),
        "{actions:?}"
    );

    let mut too_late = Bench::armed();
    too_late.abort();
    let actions = too_late.on(sent(Reply::Accepted));
    assert!(
        actions.contains(&Action::StopK6),
        "k6 runs its own teardown(): {actions:?}"
    );
    too_late.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(too_late.end(), (Phase::Aborted, 76));
}

#[test]
fn an_abort_while_running_stops_k6() {
    let mut bench = Bench::running();
    assert!(bench.abort().contains(&Action::StopK6));
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Aborted, 76));
}

#[test]
fn an_abort_of_another_run_is_none_of_ours() {
    let mut bench = Bench::ready();
    let abort = Abort::new(RunId::new("another").unwrap(), "somebody", "enough");
    let actions = bench.on(Event::Board {
        plan: Ok(Some(gathering(600))),
        abort: Ok(Some(abort)),
    });
    assert_eq!(actions, []);
}

#[test]
fn once_armed_a_change_of_the_plan_changes_nothing() {
    let mut bench = Bench::armed();
    assert_eq!(bench.board(Some(set_for(60))), []);
    assert_eq!(bench.board(None), []);
}

#[test]
fn a_resume_is_confirmed_by_a_good_answer_and_k6s_exit() {
    let mut bench = Bench::fired(Reply::Accepted);
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    assert_eq!(bench.end(), (Phase::Finished, 0));
}

#[test]
fn a_resume_without_a_good_answer_is_settled_by_asking() {
    let mut bench = Bench::fired(Reply::Unclear("the answer 500".to_owned()));
    assert_eq!(bench.status(4), []);
    bench.status(7);
    assert_eq!(bench.machine.phase(), Phase::Running);
}

#[test]
fn a_resume_without_a_good_answer_and_k6s_exit_is_no_success() {
    let mut bench = Bench::fired(Reply::Unclear("no answer".to_owned()));
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    assert_eq!(bench.end(), (Phase::Failed, 73));
}

#[rstest]
#[case::a_k6_that_answered(Reply::Accepted, None, 10)]
#[case::a_late_start_is_welcome(no_answer(), Some(LatePolicy::Join), 10)]
#[case::the_default_tolerance(no_answer(), None, 1)]
fn a_resume_that_is_never_confirmed_ends_in_a_kill(
    #[case] reply: Reply,
    #[case] late: Option<LatePolicy>,
    #[case] within: u64,
) {
    let mut settings = settings();
    settings.rules.late = late;
    let mut bench = Bench::fired_with(settings, reply);
    assert_eq!(bench.pass(within - 1), []);
    assert!(bench.pass(1).contains(&Action::KillK6));
    bench.on(Event::K6Ended(K6Exit::Signal(9)));
    assert_eq!(bench.end(), (Phase::Failed, 73));
}

#[test]
fn a_frozen_k6_that_thaws_when_the_tolerance_is_over_is_late_however_well_the_resume_was_timed() {
    let mut settings = settings();
    settings.rules.late_tolerance = Some(Duration::from_secs(3));
    let mut in_time = Bench::fired_with(settings.clone(), no_answer());
    in_time.elapsed += Duration::from_secs(2);
    in_time.status(7);
    assert_eq!(in_time.machine.phase(), Phase::Running);

    let mut late = Bench::fired_with(settings, no_answer());
    late.elapsed += Duration::from_secs(3);
    let actions = late.status(7);
    assert!(actions.contains(&Action::StopK6), "{actions:?}");
    late.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(late.end(), (Phase::Failed, 74));
    let reason = late.machine.end().unwrap().reason.clone().unwrap();
    assert!(
        reason.contains("first seen running 3s after the instant") && !reason.contains("  "),
        "{reason}"
    );
}

#[test]
fn a_k6_that_answered_the_resume_and_was_seen_running_late_runs_on_and_that_is_told() {
    let mut bench = Bench::fired(Reply::Accepted);
    bench.elapsed += Duration::from_secs(4);
    bench.status(7);
    assert_eq!(bench.machine.phase(), Phase::Running);
    let notes = bench.machine.take_notes();
    assert!(
        notes[0].contains("4s after the resume was sent"),
        "{notes:?}"
    );
}

fn no_answer() -> Reply {
    Reply::Unclear("no answer".to_owned())
}

#[test]
fn k6_that_ends_while_it_waits_is_a_failed_runner_with_its_code() {
    let mut bench = Bench::ready();
    bench.on(Event::K6Ended(K6Exit::Code(99)));
    assert_eq!(bench.end(), (Phase::Failed, 99));
    let mut bench = Bench::armed();
    assert!(
        bench
            .on(Event::K6Ended(K6Exit::Signal(9)))
            .contains(&Action::Disarm)
    );
    bench.on(Event::Triggered(Triggered::Disarmed));
    assert_eq!(bench.end(), (Phase::Failed, 137));
    let mut bench = Bench::ready();
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    assert_eq!(bench.end(), (Phase::Failed, 73), "no load is no success");
}

#[rstest]
#[case(sent(Reply::Accepted), 0, (Phase::Finished, 0))]
#[case(sent(Reply::Accepted), 99, (Phase::Finished, 99))]
#[case(sent(Reply::Unclear("no answer".to_owned())), 0, (Phase::Failed, 73))]
#[case(Event::Triggered(Triggered::NotSent("nobody listens".to_owned())), 99, (Phase::Failed, 99))]
fn what_a_k6_was_that_ended_while_armed_the_thread_that_resumes_it_tells(
    #[case] word: Event,
    #[case] exit: u8,
    #[case] end: (Phase, u8),
) {
    let mut bench = Bench::armed();
    assert_eq!(
        bench.on(Event::K6Ended(K6Exit::Code(exit))),
        [Action::Disarm]
    );
    assert_eq!(bench.machine.end(), None);
    bench.on(word);
    assert_eq!(bench.end(), end);
}

#[test]
fn a_k6_that_ends_while_the_start_is_called_off_leaves_the_first_ending() {
    let mut bench = Bench::armed();
    bench.abort();
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    bench.on(Event::Triggered(Triggered::Disarmed));
    assert_eq!(bench.end(), (Phase::Aborted, 76));
}

#[test]
fn a_port_lost_in_the_race_is_tried_again_with_another_but_not_for_ever() {
    let mut bench = Bench::building(settings());
    for _ in 1..MOST_PORTS {
        assert!(
            bench
                .on(Event::K6Ended(ADDRESS_TAKEN))
                .contains(&Action::StartK6)
        );
    }
    bench.on(Event::K6Ended(ADDRESS_TAKEN));
    assert_eq!(bench.end(), (Phase::Failed, 106));
}

#[test]
fn an_api_that_was_there_and_then_106_is_k6s_own_end() {
    let mut bench = Bench::building(settings());
    bench.status(1);
    bench.on(Event::K6Ended(ADDRESS_TAKEN));
    assert_eq!(bench.end(), (Phase::Failed, 106));
}

#[test]
fn k6_that_never_becomes_ready_is_stopped() {
    let mut bench = Bench::building(settings());
    assert!(bench.pass(600).contains(&Action::StopK6));
    bench.on(stop_failed(true));
    bench.on(Event::K6Ended(K6Exit::Signal(15)));
    assert_eq!(bench.end(), (Phase::Failed, 73));
}

#[test]
fn no_plan_ever_ends_at_the_deadline() {
    let mut bench = Bench::new(settings());
    bench.on(Event::Earlier(None));
    bench.board(None);
    bench.status(4);
    bench.on(Event::SetupEnded(Ok(Duration::ZERO)));
    bench.pass(1799);
    assert!(bench.machine.end().is_none());
    let actions = bench.pass(1);
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::RunTeardown(_))),
        "{actions:?}"
    );
    bench.on(Event::TeardownEnded(Ok(())));
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Refused, 75));
}

#[test]
fn a_scheduler_that_gathers_is_waited_for_beyond_the_deadline() {
    let settings = Settings {
        deadline: Duration::from_secs(60),
        ..settings()
    };
    let mut bench = Bench::ready_with(settings);
    bench.pass(59);
    bench.board(Some(gathering(599)));
    bench.pass(599 + 29);
    assert_eq!(bench.machine.phase(), Phase::Ready);
    let actions = bench.pass(1);
    assert!(!actions.is_empty(), "it fell silent");
}

#[test]
fn a_plan_seen_again_unchanged_does_not_prolong_the_wait() {
    let settings = Settings {
        deadline: Duration::from_secs(60),
        ..settings()
    };
    let mut bench = Bench::ready_with(settings);
    for _ in 0..62 {
        bench.pass(10);
        bench.board(Some(gathering(600)));
    }
    assert_eq!(bench.machine.phase(), Phase::Ready);
    assert!(!bench.pass(10).is_empty());
}

#[test]
fn a_store_that_denies_access_or_holds_rubbish_is_given_half_a_minute() {
    let denied = || Event::StoreTrouble {
        side: StoreSide::Writing,
        text: "may not write".to_owned(),
        denied: true,
    };
    let mut bench = Bench::ready();
    bench.on(denied());
    bench.pass(29);
    bench.on(denied());
    assert_eq!(bench.machine.phase(), Phase::Ready);
    bench.pass(1);
    bench.on(Event::TeardownEnded(Ok(())));
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Failed, 69));

    let mut mended = Bench::ready();
    mended.on(denied());
    mended.pass(29);
    mended.on(Event::ReportWritten);
    assert_eq!(mended.pass(10), []);
}

#[test]
fn what_wants_somebodys_hand_is_told_at_once_and_so_is_that_it_is_mended() {
    let trouble = |text: &str, denied| Event::StoreTrouble {
        side: StoreSide::Reading,
        text: text.to_owned(),
        denied,
    };
    let mut bench = Bench::ready();
    assert_eq!(bench.on(trouble("the store is away", false)), []);
    assert_eq!(
        bench.on(trouble("the plan cannot be read", true)),
        [Action::Report]
    );
    assert_eq!(bench.on(trouble("the plan cannot be read", true)), []);
    assert_eq!(bench.board(None), [Action::Report]);
}

#[test]
fn an_earlier_report_that_cannot_be_read_is_given_half_a_minute_though_the_rest_can() {
    let unreadable = || Event::StoreTrouble {
        side: StoreSide::Earlier,
        text: "the earlier report cannot be read".to_owned(),
        denied: true,
    };
    let mut bench = Bench::new(settings());
    bench.on(unreadable());
    for _ in 0..2 {
        bench.board(Some(gathering(600)));
        bench.pass(14);
        bench.on(unreadable());
    }
    assert!(bench.machine.end().is_none());
    bench.board(Some(gathering(601)));
    let actions = bench.pass(2);
    assert!(actions.contains(&Action::StopK6), "{actions:?}");
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Failed, 69));

    let mut mended = Bench::new(settings());
    mended.on(unreadable());
    mended.on(Event::Earlier(None));
    mended.board(Some(gathering(600)));
    mended.pass(31);
    assert!(
        mended
            .machine
            .waiting_for()
            .is_some_and(|what| !what.contains("report"))
    );
}

#[test]
fn a_store_that_is_away_is_waited_for_until_the_deadline_and_named_then() {
    let mut bench = Bench::new(settings());
    bench.on(Event::StoreTrouble {
        side: StoreSide::Reading,
        text: "cannot read".to_owned(),
        denied: false,
    });
    bench.pass(1000);
    assert!(bench.machine.end().is_none());
    bench.status(4);
    bench.on(Event::SetupEnded(Ok(Duration::ZERO)));
    bench.pass(800);
    bench.on(Event::TeardownEnded(Ok(())));
    bench.on(Event::K6Ended(K6Exit::Code(103)));
    assert_eq!(bench.end(), (Phase::Failed, 69));
}
