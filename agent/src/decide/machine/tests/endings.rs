//! How a stop goes, whoever asks for it.

use super::*;

fn terminate() -> Event {
    Event::Signal(StopSignal::Terminate)
}

const TERMINATE: Action = Action::SignalK6(StopSignal::Terminate);

/// A signal while k6 runs, which says that it does.
fn terminated() -> Bench {
    let mut bench = Bench::running();
    bench.on(terminate());
    assert_eq!(bench.on(Event::Asked(Progress::Status(7))), [TERMINATE]);
    bench
}

#[test]
fn a_signal_is_passed_on_once_and_k6s_code_counts() {
    let mut bench = Bench::running();
    let actions = bench.on(terminate());
    assert_eq!(actions, [Action::Poll(None), Action::AskK6]);
    for progress in [Progress::Status(8), Progress::Status(7)] {
        let actions = bench.on(Event::Asked(progress.clone()));
        let expected: &[Action] = match progress {
            Progress::Status(8) => &[TERMINATE],
            _ => &[],
        };
        assert_eq!(actions, expected);
    }
    assert_eq!(bench.on(stop_failed(false)), []);
    assert_eq!(bench.pass(5), [], "no second signal of our own");
    bench.on(Event::K6Ended(K6Exit::Code(105)));
    assert_eq!(bench.end(), (Phase::Aborted, 105));
}

#[test]
fn a_signal_that_ends_k6_in_any_case_is_passed_on_at_once() {
    for signal in [StopSignal::HangUp, StopSignal::Quit] {
        for mut bench in [
            Bench::building(settings()),
            Bench::ready(),
            Bench::running(),
        ] {
            let actions = bench.on(Event::Signal(signal));
            assert_eq!(actions, [Action::Poll(None), Action::SignalK6(signal)]);
        }
    }
}

#[rstest]
#[case::closed(Progress::NoApi)]
#[case::ended(Progress::Status(9))]
#[case::interrupted(Progress::Status(10))]
#[case::marked_as_failed(Progress::Status(11))]
fn a_signal_when_the_run_is_over_is_held_back_and_k6s_own_code_counts(#[case] over: Progress) {
    for (exit, end) in [
        (K6Exit::Code(0), (Phase::Finished, 0)),
        (K6Exit::Code(99), (Phase::Finished, 99)),
        (K6Exit::Signal(9), (Phase::Aborted, 137)),
    ] {
        let mut bench = Bench::running();
        bench.on(terminate());
        assert_eq!(bench.on(Event::Asked(over.clone())), []);
        assert_eq!(bench.pass(29), []);
        bench.on(Event::K6Ended(exit));
        assert_eq!(bench.end(), end);
    }
}

#[test]
fn a_k6_that_does_not_come_to_the_end_of_its_summary_is_killed() {
    let mut bench = Bench::running();
    bench.on(terminate());
    bench.on(Event::Asked(Progress::NoApi));
    assert_eq!(bench.pass(30), [Action::KillK6]);
}

#[test]
fn who_asks_twice_does_not_wait_for_the_summary() {
    let mut bench = Bench::running();
    bench.on(terminate());
    bench.on(Event::Asked(Progress::NoApi));
    assert_eq!(bench.on(terminate()), [TERMINATE]);
    bench.on(Event::K6Ended(K6Exit::Signal(15)));
    assert_eq!(bench.end(), (Phase::Aborted, 143));
}

#[test]
fn two_signals_before_k6_has_answered_are_two_signals() {
    let mut bench = Bench::running();
    bench.on(terminate());
    assert_eq!(bench.on(terminate()), [TERMINATE, TERMINATE]);
    assert_eq!(bench.on(Event::Asked(Progress::Status(7))), []);
}

#[test]
fn a_k6_that_ends_before_it_has_answered_has_ended_by_itself() {
    let mut bench = Bench::running();
    bench.on(terminate());
    bench.on(Event::K6Ended(K6Exit::Code(99)));
    assert_eq!(bench.end(), (Phase::Finished, 99));
}

#[test]
fn a_signal_that_k6_cannot_handle_yet_is_delivered_when_it_can() {
    let mut bench = Bench::building(settings());
    assert_eq!(bench.on(terminate()), []);
    assert_eq!(bench.status(0), []);
    assert_eq!(bench.status(1), [Action::Poll(None), TERMINATE]);
    assert_eq!(bench.status(1), []);
    bench.on(Event::K6Ended(K6Exit::Code(105)));
    assert_eq!(bench.end(), (Phase::Aborted, 105));

    let mut builds = Bench::building(settings());
    builds.status(1);
    assert!(builds.on(terminate()).contains(&TERMINATE));
}

#[test]
fn a_k6_that_never_can_is_killed_after_the_grace_or_by_a_second_signal() {
    let mut bench = Bench::building(settings());
    bench.on(terminate());
    assert_eq!(bench.pass(30), [Action::KillK6]);
    bench.on(Event::K6Ended(K6Exit::Signal(9)));
    assert_eq!(bench.end(), (Phase::Aborted, 137));

    let mut again = Bench::building(settings());
    again.on(terminate());
    assert_eq!(again.on(terminate()), [TERMINATE]);
    assert_eq!(again.status(1), []);
}

#[test]
fn a_signal_after_an_early_setup_runs_teardown_before_it_is_passed_on() {
    let mut bench = Bench::ready();
    let actions = bench.on(Event::Signal(StopSignal::Interrupt));
    assert!(
        matches!(actions[..], [Action::Poll(None), Action::RunTeardown(_)]),
        "{actions:?}"
    );
    let actions = bench.on(Event::TeardownEnded(Ok(())));
    assert_eq!(actions, [Action::SignalK6(StopSignal::Interrupt)]);
}

#[test]
fn a_second_signal_does_not_wait_for_teardown() {
    let mut bench = Bench::ready();
    bench.on(Event::Signal(StopSignal::Interrupt));
    let actions = bench.on(Event::Signal(StopSignal::Interrupt));
    assert_eq!(actions, [Action::SignalK6(StopSignal::Interrupt)]);
    assert_eq!(
        bench.on(Event::TeardownEnded(Ok(()))),
        [],
        "it was passed on already"
    );
}

#[test]
fn a_signal_that_k6_outran_leaves_its_success_and_one_before_the_start_makes_none() {
    let mut bench = terminated();
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    assert_eq!(bench.end(), (Phase::Finished, 0));
    let mut bench = Bench::building(settings());
    bench.on(terminate());
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    assert_eq!(bench.end(), (Phase::Aborted, 76));
}

#[test]
fn a_signal_before_k6_is_started_ends_as_a_shell_would_say() {
    let mut bench = Bench::new(settings());
    bench.on(terminate());
    assert_eq!(bench.end(), (Phase::Aborted, 143));
}

#[test]
fn k6_that_does_not_end_within_the_grace_is_killed_and_that_is_told() {
    let mut bench = terminated();
    assert_eq!(bench.pass(29), []);
    assert_eq!(bench.pass(1), [Action::KillK6]);
    assert_eq!(bench.on(terminate()), [], "it is killed already");
    bench.on(Event::K6Ended(K6Exit::Signal(9)));
    assert_eq!(bench.end(), (Phase::Aborted, 137));
    let reason = bench.machine.end().unwrap().reason.clone().unwrap();
    assert_eq!(
        reason,
        "SIGTERM received; k6 did not end within 30s (--grace) and was killed"
    );
}

#[test]
fn a_stop_that_k6_does_not_hear_is_followed_by_one_signal_and_by_none_where_somebody_sent_one() {
    let mut bench = Bench::running();
    assert!(bench.abort().contains(&Action::StopK6));
    assert_eq!(bench.on(stop_failed(false)), [TERMINATE]);
    assert_eq!(bench.on(stop_failed(false)), []);

    let mut signalled = Bench::running();
    signalled.abort();
    assert_eq!(signalled.on(terminate()), [TERMINATE]);
    assert_eq!(signalled.on(stop_failed(false)), []);
}

#[test]
fn an_abort_leaves_a_k6_that_writes_its_summary_alone_but_one_that_reads_its_script_not() {
    let mut bench = Bench::running();
    bench.abort();
    assert_eq!(bench.on(stop_failed(true)), []);
    bench.on(Event::K6Ended(K6Exit::Code(0)));
    assert_eq!(bench.end(), (Phase::Aborted, 76));

    let mut reads = Bench::building(settings());
    reads.abort();
    assert_eq!(reads.on(stop_failed(true)), [TERMINATE]);
}

#[test]
fn a_k6_that_never_ends_is_stopped_after_the_longest_run_counted_from_the_resume() {
    let settings = Settings {
        max_run: Duration::from_secs(100),
        ..settings()
    };
    let mut bench = Bench::fired_with(settings, Reply::Accepted);
    bench.status(7);
    assert_eq!(bench.pass(99), []);
    let actions = bench.pass(1);
    assert_eq!(actions, [Action::Poll(None), Action::StopK6]);
    assert_eq!(bench.pass(30), [Action::KillK6]);
    bench.on(Event::K6Ended(K6Exit::Signal(9)));
    assert_eq!(bench.end(), (Phase::Failed, 124));
    let reason = bench.machine.end().unwrap().reason.clone().unwrap();
    assert!(
        reason.contains("had not ended 1m 40s after the start"),
        "{reason}"
    );
    assert!(reason.contains("--max-run"), "{reason}");
}

#[test]
fn a_signal_that_ends_no_run_is_passed_on_and_changes_nothing() {
    let mut bench = Bench::running();
    let actions = bench.on(Event::OtherSignal(OtherSignal::User1));
    assert_eq!(actions, [Action::PassOn(OtherSignal::User1)]);
    assert_eq!(bench.machine.phase(), Phase::Running);
}
