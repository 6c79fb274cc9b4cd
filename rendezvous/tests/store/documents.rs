//! Documents written and read again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::option;
use proptest::prelude::*;
use rendezvous::{
    Abort, ClockReport, Incarnation, LatePolicy, Phase, Plan, PlanId, PlanState, Report, RunId,
    RunnerId, StageName, StartReport, Terms,
};

use crate::samples;

/// From 2020-01-01 to the end of 2261, in seconds.
const SECONDS: std::ops::Range<i64> = 1_577_836_800..9_214_646_400;

/// What an i64 counts in nanoseconds.
const LONGEST_NANOS: u64 = i64::MAX as u64;

fn times() -> impl Strategy<Value = DateTime<Utc>> {
    (SECONDS, 0..1_000_000_000u32)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

fn durations(longest: Duration) -> impl Strategy<Value = Duration> {
    let nanos = u64::try_from(longest.as_nanos()).unwrap();
    (0..=nanos).prop_map(Duration::from_nanos)
}

fn any_durations() -> impl Strategy<Value = Duration> {
    durations(Duration::from_nanos(LONGEST_NANOS))
}

prop_compose! {
    fn plans()(
        run in "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?",
        stage in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
        id in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        state in prop_oneof![
            (0..=86_400u64).prop_map(|seconds| PlanState::Gathering {
                left: Duration::from_secs(seconds),
            }),
            (times(), 1..=Plan::MOST_RUNNERS)
                .prop_map(|(start_at, quorum)| PlanState::Set { start_at, quorum }),
        ],
        runners_wanted in 1..=Plan::MOST_RUNNERS,
        late in option::of(prop_oneof![
            Just(LatePolicy::Refuse),
            Just(LatePolicy::Join),
            Just(LatePolicy::Skip),
        ]),
        late_tolerance in option::of(durations(Terms::LONGEST_TOLERANCE)),
        max_clock_error in option::of(durations(Terms::LONGEST_TOLERANCE)),
    ) -> Plan {
        Plan {
            run: RunId::new(run).unwrap(),
            stage: StageName::new(stage).unwrap(),
            id: PlanId::new(id).unwrap(),
            state,
            runners_wanted,
            terms: Terms { late, late_tolerance, max_clock_error },
        }
    }
}

prop_compose! {
    fn starts()(
        fired_at in times(),
        lateness in any::<i64>(),
        clock_error in option::of(any_durations()),
        running_at in option::of(times()),
        load_at in option::of(times()),
        clock_jumped in any::<bool>(),
    ) -> StartReport {
        let lateness = TimeDelta::nanoseconds(lateness);
        StartReport { fired_at, lateness, clock_error, running_at, load_at, clock_jumped }
    }
}

fn phases() -> impl Strategy<Value = (Phase, Option<u8>)> {
    use Phase::*;
    prop_oneof![
        prop::sample::select(vec![Starting, Ready, Armed, Fired, Running])
            .prop_map(|phase| (phase, None)),
        (
            prop::sample::select(vec![Finished, Failed, Refused, Aborted, Skipped]),
            any::<u8>()
        )
            .prop_map(|(phase, code)| (phase, Some(code))),
    ]
}

prop_compose! {
    /// Reports with texts of a given kind.
    fn reports(texts: BoxedStrategy<String>, most_lines: usize)(
        runner in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        incarnation in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        (name, source) in (texts.clone(), texts.clone()),
        (node, container) in (option::of(texts.clone()), option::of(texts.clone())),
        sequence in any::<u64>(),
        (phase, exit_code) in phases(),
        (plan, armed) in (option::of("[a-z0-9]{1,63}"), any::<bool>()),
        (utc, error, offset) in (times(), option::of(any_durations()), option::of(any::<i64>())),
        used in prop::collection::vec(texts.clone(), 0..=ClockReport::MOST_SOURCES),
        rejected in prop::collection::vec(texts.clone(), 0..=ClockReport::MOST_SOURCES),
        vus in option::of(any::<u64>()),
        waiting_for in option::of(texts.clone()),
        (setup_took, start) in (option::of(any_durations()), option::of(starts())),
        reason in option::of(texts.clone()),
        k6_errors in prop::collection::vec(texts, 0..=most_lines),
    ) -> Report {
        Report {
            run: RunId::new("r".repeat(63)).unwrap(),
            stage: StageName::new("s".repeat(40)).unwrap(),
            runner: RunnerId::new(runner).unwrap(),
            name,
            node,
            container,
            incarnation: Incarnation::new(incarnation).unwrap(),
            sequence,
            phase,
            armed: armed && plan.is_some(),
            plan: plan.map(|id| PlanId::new(id).unwrap()),
            clock: ClockReport {
                utc,
                error,
                source,
                offset: offset.map(TimeDelta::nanoseconds),
                used,
                rejected,
            },
            vus,
            waiting_for,
            setup_took,
            start,
            exit_code,
            reason,
            k6_errors,
        }
    }
}

/// Short, and without anything that is cleaned away.
fn fit_texts() -> BoxedStrategy<String> {
    "[ -~äß€\t😀]{0,40}".boxed()
}

/// What may come from k6, a script or a hostile pod.
fn any_texts() -> BoxedStrategy<String> {
    prop_oneof![
        any::<String>(),
        "[\"\\\\\t\u{0}\u{1b}\u{85}]{0,600}",
        "[😀\u{10ffff}\"]{200,600}",
    ]
    .boxed()
}

proptest! {
    // Each of these takes long texts to make.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_report_is_cut_to_what_may_be_written(report in reports(any_texts(), 16)) {
        let text = report.to_json();
        prop_assert!(text.len() as u64 <= Report::MOST_BYTES, "{} bytes", text.len());
        let read = Report::from_json(&text).unwrap();
        // Written again it is the same: nothing more is cut.
        prop_assert_eq!(&read.to_json(), &text);
        let without_texts = |report: &Report| Report {
            name: String::new(),
            node: None,
            container: None,
            clock: ClockReport {
                source: String::new(),
                used: Vec::new(),
                rejected: Vec::new(),
                ..report.clock.clone()
            },
            waiting_for: None,
            reason: None,
            k6_errors: Vec::new(),
            ..report.clone()
        };
        prop_assert_eq!(without_texts(&read), without_texts(&report));
    }
}

proptest! {
    #[test]
    fn a_plan_is_read_as_it_was_written(plan in plans()) {
        let text = plan.to_json();
        prop_assert!(text.len() as u64 <= Plan::MOST_BYTES);
        prop_assert_eq!(Plan::from_json(&text), Ok(plan));
    }

    #[test]
    fn a_report_that_fits_is_read_as_it_was_written(report in reports(fit_texts(), 5)) {
        prop_assert_eq!(Report::from_json(&report.to_json()), Ok(report));
    }

    #[test]
    fn an_abort_is_read_as_it_was_written(by in any_texts(), why in any_texts()) {
        let abort = Abort::new(samples::run(), &by, &why);
        let text = abort.to_json();
        prop_assert!(text.len() as u64 <= Abort::MOST_BYTES, "{} bytes", text.len());
        prop_assert_eq!(Abort::from_json(&text), Ok(abort));
    }
}

#[test]
fn a_report_with_any_number_of_lines_keeps_the_newest() {
    let lines = (0..1_000_000).map(|line| format!("line {line}")).collect();
    let report = Report {
        k6_errors: lines,
        ..samples::full_report()
    };
    let read = Report::from_json(&report.to_json()).unwrap();
    assert_eq!(read.k6_errors.last().unwrap(), "line 999999");
    assert!(read.k6_errors.len() > 100, "{}", read.k6_errors.len());
    assert_eq!(
        read.reason, report.reason,
        "cut although there were lines left"
    );
}

#[test]
fn the_size_of_a_plan_does_not_grow_with_the_runners() {
    let few = samples::plan("a");
    let many = Plan {
        runners_wanted: Plan::MOST_RUNNERS,
        ..few.clone()
    };
    let digits = 5;
    assert_eq!(many.to_json().len(), few.to_json().len() + digits);
}

#[test]
fn the_time_left_is_rounded_up_so_that_no_runner_gives_up_first() {
    let plan = Plan {
        state: PlanState::Gathering {
            left: Duration::from_nanos(1_000_000_001),
        },
        ..samples::plan("a")
    };
    let read = Plan::from_json(&plan.to_json()).unwrap();
    let left = Duration::from_secs(2);
    assert_eq!(read.state, PlanState::Gathering { left });
}

#[test]
fn a_text_cannot_forge_a_line_of_a_log() {
    let abort = Abort::new(samples::run(), "me\nERROR all is lost", "\x1b[31mred\r");
    assert_eq!(abort.by, "me ERROR all is lost");
    assert_eq!(abort.why, " [31mred ");
    let unclean = Abort {
        why: "\u{9b}31m".to_owned(),
        ..abort
    };
    assert_eq!(Abort::from_json(&unclean.to_json()).unwrap().why, " 31m");
}
