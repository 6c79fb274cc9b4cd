#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::{FRESH, noon, runner, seconds};
use proptest::prelude::*;
use rstest::rstest;

fn says(base: &mut TimeBase, name: &str, utc: DateTime<Utc>, error_ms: Option<u64>, at: Instant) {
    let clock = ClockReport {
        utc,
        error: error_ms.map(Duration::from_millis),
        source: "test".to_owned(),
        offset: None,
        used: Vec::new(),
        rejected: Vec::new(),
    };
    base.hear(&runner(name), &clock, at);
}

/// A reading at `origin` of runners that each claim to be so many ms ahead.
fn reading(ahead_ms: &[i64]) -> Reading {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    for (n, ahead) in ahead_ms.iter().enumerate() {
        let utc = noon() + TimeDelta::milliseconds(*ahead);
        says(&mut base, &format!("r{n}"), utc, None, origin);
    }
    base.read(origin, |_| true)
}

fn names(reading: &Reading) -> Vec<&str> {
    reading.at_odds.keys().map(RunnerId::as_str).collect()
}

#[test]
fn nobody_heard_is_no_time_and_no_quarrel() {
    let reading = reading(&[]);
    assert_eq!((reading.clock, reading.voters), (None, 0));
}

#[test]
fn the_time_goes_on_with_this_process() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    says(&mut base, "r1", noon(), None, origin + seconds(3));
    let clock = base.read(origin + seconds(4), |_| true).clock.unwrap();
    assert_eq!(clock.utc(origin + seconds(3)), noon());
    assert_eq!(
        clock.utc(origin + seconds(10)),
        noon() + TimeDelta::seconds(7)
    );
    let in_ten = noon() + TimeDelta::seconds(10);
    assert_eq!(
        clock.moment(in_ten, origin + seconds(4)),
        origin + seconds(13)
    );
    assert_eq!(
        clock.moment(noon(), origin + seconds(4)),
        origin + seconds(4)
    );
}

#[test]
fn the_report_that_was_quickest_counts() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    says(&mut base, "r1", noon(), None, origin + seconds(2));
    says(
        &mut base,
        "r1",
        noon() + TimeDelta::seconds(10),
        None,
        origin + seconds(10),
    );
    says(
        &mut base,
        "r1",
        noon() + TimeDelta::seconds(11),
        None,
        origin + seconds(13),
    );
    let clock = base.read(origin + seconds(13), |_| true).clock.unwrap();
    assert_eq!(
        clock.utc(origin + seconds(10)),
        noon() + TimeDelta::seconds(10)
    );
}

#[test]
fn a_measured_error_is_taken_off() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    says(&mut base, "r1", noon(), Some(40), origin);
    let clock = base.read(origin, |_| true).clock.unwrap();
    assert_eq!(clock.utc(origin), noon() - TimeDelta::milliseconds(40));
}

#[test]
fn a_wide_error_is_no_contradiction() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    says(&mut base, "r1", noon(), Some(1), origin);
    says(&mut base, "r2", noon(), Some(5_000), origin);
    says(&mut base, "r3", noon(), Some(1), origin);
    assert_eq!(base.read(origin, |_| true).at_odds.len(), 0);
}

#[test]
fn a_narrow_error_among_wide_ones_is_no_contradiction_either() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    for (name, error_ms) in [("r1", 5_000), ("r2", 6_000), ("r3", 1)] {
        says(&mut base, name, noon(), Some(error_ms), origin);
    }
    let reading = base.read(origin, |_| true);
    assert_eq!(reading.at_odds.len(), 0);
    let earliest = noon() - TimeDelta::milliseconds(5_000);
    assert_eq!(reading.clock.unwrap().utc(origin), earliest);
}

#[test]
fn what_a_clock_took_itself_for_is_forgotten_once_it_is_measured() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    let seven_minutes_ahead = noon() + TimeDelta::seconds(420);
    says(&mut base, "r1", seven_minutes_ahead, None, origin);
    for name in ["r2", "r3"] {
        says(&mut base, name, noon(), Some(1), origin);
    }
    assert_eq!(names(&base.read(origin, |_| true)), ["r1"]);
    says(&mut base, "r1", noon(), Some(1), origin);
    assert_eq!(base.read(origin, |_| true).at_odds.len(), 0);
    says(&mut base, "r1", noon(), None, origin);
    let measured = noon() - TimeDelta::milliseconds(1);
    let reading = base.read(origin, |runner| runner.as_str() != "r2");
    assert_eq!(
        reading.clock.unwrap().utc(origin),
        measured,
        "and it stays that"
    );
}

#[test]
fn what_a_clock_that_was_put_back_said_before_is_forgotten_when_it_says_so_twice() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    let mut says = |name: &str, after: u64, ahead: i64| {
        let utc = noon() + TimeDelta::seconds(ahead) + seconds(after);
        says(&mut base, name, utc, Some(1), origin + seconds(after));
        let reading = base.read(origin + seconds(after), |_| true);
        (reading.clock.is_some(), reading.at_odds.len())
    };
    assert_eq!((says("r1", 0, 2), says("r2", 0, 2)), ((true, 0), (true, 0)));
    assert_eq!(says("r1", 1, 0), (true, 0), "it may have been seen late");
    assert_eq!(
        says("r1", 2, 0),
        (false, 1),
        "the other one has not said so"
    );
    assert_eq!(says("r2", 3, 0), (false, 1));
    assert_eq!(says("r2", 4, 0), (true, 0));
}

#[test]
fn reports_that_are_seen_late_now_and_then_take_nothing_back() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    for (after, late) in [(0, 0), (1, 4), (2, 0), (3, 4), (4, 0), (5, 4)] {
        let utc = noon() + seconds(after) - seconds(late);
        says(&mut base, "r1", utc, Some(1), origin + seconds(after));
    }
    let clock = base.read(origin + seconds(5), |_| true).clock.unwrap();
    assert_eq!(clock.utc(origin), noon() - TimeDelta::milliseconds(1));
}

#[rstest]
#[case::seven_minutes(&[0, 0, 420_000], &["r2"])]
#[case::behind(&[0, -3_000, 5], &["r1"])]
#[case::within_a_watchs_delay(&[0, 900, -900], &[])]
fn who_contradicts_the_majority_is_named(#[case] ahead: &[i64], #[case] named: &[&str]) {
    let reading = reading(ahead);
    assert!(reading.clock.is_some());
    assert_eq!(names(&reading), named);
}

#[rstest]
#[case::one_against_one(&[0, 420_000])]
#[case::two_against_two(&[0, 0, 420_000, 420_000])]
#[case::each_for_itself(&[0, 10_000, 20_000])]
fn without_a_majority_there_is_no_time(#[case] ahead: &[i64]) {
    let reading = reading(ahead);
    assert_eq!(reading.clock, None);
    assert!(!reading.at_odds.is_empty());
}

#[rstest]
#[case::not_at_once(&[1], 1)]
#[case::not_while_it_may_have_been_seen_late(&[36], 1)]
#[case::after_a_while(&[37], 0)]
#[case::when_it_has_said_so_twice(&[1, 2], 0)]
fn a_clock_put_right_is_believed(#[case] said_at: &[u64], #[case] named: usize) {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    let seven_minutes_ahead = noon() + TimeDelta::seconds(420);
    says(&mut base, "r1", seven_minutes_ahead, None, origin);
    let mut names_at = |s: u64| {
        let at = origin + seconds(s);
        for name in ["r1", "r2", "r3"] {
            says(&mut base, name, noon() + seconds(s), None, at);
        }
        base.read(at, |_| true).at_odds.len()
    };
    let last = said_at.iter().map(|s| names_at(*s)).last();
    assert_eq!(last, Some(named));
}

#[test]
fn what_was_said_long_ago_and_by_those_who_may_not_vote_is_left_out() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    says(&mut base, "r1", noon(), None, origin);
    assert_eq!(base.read(origin + FRESH, |_| true).voters, 1);
    assert_eq!(base.read(origin + FRESH + seconds(1), |_| true).voters, 0);
    assert_eq!(base.read(origin, |_| false).voters, 0);
    base.forget(&runner("r1"));
    assert_eq!(base.read(origin, |_| true).voters, 0);
}

#[test]
fn a_hostile_time_breaks_nothing() {
    let origin = Instant::now();
    let mut base = TimeBase::new(origin, FRESH);
    let clock = ClockReport {
        utc: DateTime::<Utc>::MIN_UTC,
        error: Some(Duration::MAX),
        source: String::new(),
        offset: None,
        used: Vec::new(),
        rejected: Vec::new(),
    };
    base.hear(&runner("r1"), &clock, origin + seconds(1));
    let clock = ClockReport {
        utc: DateTime::<Utc>::MAX_UTC,
        error: Some(Duration::from_nanos(u64::MAX)),
        source: String::new(),
        offset: None,
        used: Vec::new(),
        rejected: Vec::new(),
    };
    base.hear(&runner("r2"), &clock, origin + seconds(1));
    let reading = base.read(origin + seconds(1), |_| true);
    assert!(reading.voters <= 2);
}

proptest! {
    /// Honest runners are off by no more than they say, and are seen up to a second late;
    /// liars say anything.
    #[test]
    fn a_minority_of_liars_moves_the_time_nowhere_and_gets_nobody_named(
        honest in prop::collection::vec((0i64..=1_000, 0u64..3_000, -1.0f64..=1.0), 1..12),
        lies in prop::collection::vec((-10_000_000i64..10_000_000, prop::option::of(0u64..3_000)), 0..11),
    ) {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin, FRESH);
        let mut widest = 0;
        for (n, (delay, error, off)) in honest.iter().enumerate() {
            widest = widest.max(*error);
            let off = f64::from(u32::try_from(*error).unwrap()) * off;
            let shown = noon() + TimeDelta::milliseconds(off as i64 - delay);
            says(&mut base, &format!("honest-{n}"), shown, Some(*error), origin);
        }
        let liars = lies.len().min(honest.len() - 1);
        for (n, (ahead, error)) in lies[..liars].iter().enumerate() {
            let shown = noon() + TimeDelta::milliseconds(*ahead);
            says(&mut base, &format!("liar-{n}"), shown, *error, origin);
        }
        let reading = base.read(origin, |_| true);
        prop_assert!(names(&reading).iter().all(|name| name.starts_with("liar")), "{reading:?}");
        let shown = reading.clock.unwrap().utc(origin);
        prop_assert!(shown <= noon(), "ahead of the truth");
        let latest = TimeDelta::milliseconds(1_000 + 2 * i64::try_from(widest).unwrap());
        prop_assert!(shown >= noon() - latest, "later than the slowest watch and the widest clock");
    }
}
