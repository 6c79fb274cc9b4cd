//! Clocks that are measured, jump, contradict each other, or are not good enough.

use super::*;

/// A report whose clock is measured, to within so many microseconds.
fn measured(name: &str, late_us: i64, bound_us: u64) -> Report {
    let mut report = running(name, late_us);
    report.clock = a_clock(&["10.0.0.2"], &[]);
    report.start.as_mut().unwrap().clock_error = Some(Duration::from_micros(bound_us));
    report
}

#[test]
fn the_bounds_at_firing_say_how_far_apart_they_truly_were_at_most() {
    let outcome = Scenario::of(vec![measured("r1", 100, 50), measured("r2", 300, 70)]);
    let spread = outcome.judge(&followed()).spread.unwrap();
    assert_eq!(spread.measured, TimeDelta::microseconds(200));
    assert_eq!(spread.at_most, Some(TimeDelta::microseconds(320)));
}

#[test]
fn a_clock_that_jumped_makes_it_not_well_and_its_runner_is_left_out() {
    let mut jumped = measured("r2", 900_000, 5);
    jumped.start.as_mut().unwrap().clock_jumped = true;
    let all = vec![measured("r1", 0, 50), jumped, measured("r3", 100, 50)];
    let outcome = Scenario::of(all).judge(&followed());
    assert_eq!((outcome.code, outcome.started), (Code::NotWell, 3));
    assert_eq!(
        outcome.faults,
        ["r2: its clock jumped around the start, so nobody knows when it fired"]
    );
    let spread = outcome.spread.unwrap();
    assert_eq!((spread.starts, spread.bounded), (2, 2));
    assert_eq!(spread.measured, TimeDelta::microseconds(100));
    assert_eq!(spread.at_most, Some(TimeDelta::microseconds(200)));
}

/// What the runners say of the time when the start has settled: r2 is ahead of the others.
fn quarrel(majority: bool) -> Ending {
    let mut time = agreed(Instant::now());
    let ahead = TimeDelta::seconds(420);
    time.at_odds.insert(runner("r2"), ahead);
    time.clock = time.clock.filter(|_| majority);
    let expected = Expected::Runners(vec![runner("r1"), runner("r2")]);
    Ending::Followed {
        plan: a_set_plan(),
        expected,
        time,
    }
}

#[test]
fn a_clock_that_contradicts_the_others_is_named_also_after_the_start() {
    let outcome = Scenario::of(vec![running("r1", 0), running("r2", 100)]).judge(&quarrel(true));
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(
        outcome.faults,
        [
            "r2: its clock is 420.0 s ahead of the others', so it fired at another time than they did"
        ]
    );
    assert_eq!(
        outcome.spread.unwrap().starts,
        1,
        "r2's figures are worth nothing"
    );
}

#[test]
fn without_a_majority_nobody_is_called_wrong_and_the_start_is_not_well() {
    let outcome = Scenario::of(vec![running("r1", 0), running("r2", 100)]).judge(&quarrel(false));
    assert_eq!(outcome.code, Code::NotWell);
    assert!(outcome.faults[0].contains("no majority tells who is right"));
    assert_eq!(outcome.faults.len(), 1);
    assert!(outcome.rows.iter().all(|row| row.flaw.is_none()));
}

#[test]
fn a_start_that_nobody_was_heard_after_is_no_quarrel() {
    let (plan, time) = (a_set_plan(), Reading::default());
    let expected = Expected::Number(2);
    let ending = Ending::Followed {
        plan,
        expected,
        time,
    };
    let outcome = Scenario::of(vec![running("r1", 0), running("r2", 0)]).judge(&ending);
    assert_eq!(outcome.faults, [""; 0]);
}

#[rstest]
#[case::counted_here(Expected::Runners(vec![runner("r1"), runner("r2")]))]
#[case::counted_elsewhere(Expected::Number(2))]
fn who_refuses_for_its_clock_is_missing_with_its_reason(#[case] expected: Expected) {
    let mut refused = ended("r2", Phase::Refused, 71);
    refused.reason = Some("clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer".to_owned());
    let scenario = Scenario::of(vec![running("r1", 0), refused]);
    let outcome = scenario.judge(&followed_for(a_set_plan(), expected));
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(
        outcome.faults,
        [
            "only 1 of 2 runners started",
            "r2 was counted on, but did not start: refused: clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer"
        ]
    );
}

#[test]
fn a_k6_that_was_stopped_across_the_instant_is_not_well() {
    let mut stopped = running("r2", 90);
    let start = stopped.start.as_mut().unwrap();
    start.running_at = Some(noon() + TimeDelta::milliseconds(4_210));
    start.load_at = start.running_at;
    let outcome = Scenario::of(vec![running("r1", 0), stopped]).judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(
        outcome.faults,
        [
            "r2 was resumed in time, but its k6 was seen running only 4210.00 ms after the instant (tolerated: 1s)"
        ]
    );
}

#[test]
fn runners_that_share_no_time_source_are_warned_of_and_the_start_is_well() {
    let mut other = measured("r2", 0, 50);
    other.clock = a_clock(&["10.9.9.9"], &[]);
    let outcome = Scenario::of(vec![measured("r1", 0, 50), other]).judge(&followed());
    assert_eq!((outcome.code, outcome.faults.len()), (Code::Well, 0));
    let [warning] = outcome.warnings.as_slice() else {
        panic!("{:?}", outcome.warnings)
    };
    assert!(
        warning.ends_with("10.0.0.2 (single) (r1); 10.9.9.9 (single) (r2)"),
        "{warning}"
    );
}
