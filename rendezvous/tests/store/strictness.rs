//! Documents that are refused, and why.

use proptest::prelude::*;
use rendezvous::{Abort, Plan, PlanState, Problem, Report};
use rstest::rstest;
use serde_json::{Value, json};

use crate::samples;

fn plan_json() -> Value {
    serde_json::from_str(&samples::plan("plan-1").to_json()).unwrap()
}

fn report_json() -> Value {
    serde_json::from_str(&samples::full_report().to_json()).unwrap()
}

fn abort_json() -> Value {
    serde_json::from_str(&samples::abort("why").to_json()).unwrap()
}

/// The document with one value replaced, or removed.
fn with(mut document: Value, pointer: &str, value: Option<Value>) -> String {
    let (object, field) = pointer.rsplit_once('/').unwrap();
    let object = document
        .pointer_mut(object)
        .unwrap()
        .as_object_mut()
        .unwrap();
    match value {
        Some(value) => object.insert(field.to_owned(), value),
        None => object.remove(field),
    };
    document.to_string()
}

fn plan_with(pointer: &str, value: Value) -> Result<Plan, Problem> {
    Plan::from_json(&with(plan_json(), pointer, Some(value)))
}

fn report_with(pointer: &str, value: Value) -> Result<Report, Problem> {
    Report::from_json(&with(report_json(), pointer, Some(value)))
}

#[rstest]
#[case::next(Some(json!(2)), "2")]
#[case::none(None, "none")]
#[case::null(Some(json!(null)), "none")]
#[case::fraction(Some(json!(1.0)), "1.0")]
#[case::text(Some(json!("1")), "\"1\"")]
#[case::negative(Some(json!(-1)), "-1")]
#[case::list(Some(json!([1])), "[1]")]
#[case::huge(Some(json!(u64::MAX)), "18446744073709551615")]
fn a_document_of_another_version_is_told_as_that(
    #[case] version: Option<Value>,
    #[case] found: &str,
) {
    let expected = Problem::Version {
        found: found.to_owned(),
        known: 1,
    };
    let text = with(plan_json(), "/version", version.clone());
    assert_eq!(Plan::from_json(&text), Err(expected.clone()));
    let text = with(report_json(), "/version", version.clone());
    assert_eq!(Report::from_json(&text), Err(expected.clone()));
    let text = with(abort_json(), "/version", version);
    assert_eq!(Abort::from_json(&text), Err(expected));
}

#[test]
fn a_later_version_is_told_even_with_fields_that_nobody_knows_yet() {
    let text = r#"{"version": 2, "everything": {"is": ["new"]}}"#;
    let error = Plan::from_json(text).unwrap_err();
    assert!(matches!(error, Problem::Version { .. }), "{error}");
    assert!(error.to_string().contains("one release"), "{error}");
}

#[rstest]
#[case::zone("2026-11-25T11:00:00.123456789+01:00")]
#[case::zone_west("2026-11-25T04:30:00.123456789-05:30")]
#[case::small_letters("2026-11-25t10:00:00.123456789z")]
fn a_time_in_any_zone_is_the_same_instant(#[case] text: &str) {
    let plan = plan_with("/start_at", json!(text)).unwrap();
    assert_eq!(plan, samples::plan("plan-1"));
    assert!(plan.to_json().contains("2026-11-25T10:00:00.123456789Z"));
}

#[rstest]
#[case::leap_second("2026-12-31T23:59:60Z")]
#[case::leap_second_anywhere("2026-11-25T10:00:60Z")]
#[case::leap_second_in_a_zone("2027-01-01T00:59:60.5+01:00")]
#[case::no_such_second("2026-11-25T10:00:61Z")]
#[case::no_zone("2026-11-25T10:00:00")]
#[case::no_time("2026-11-25")]
#[case::no_such_day("2026-02-29T10:00:00Z")]
#[case::no_such_zone("2026-11-25T10:00:00+25:00")]
#[case::past("2019-12-31T23:59:59Z")]
#[case::past_by_its_zone("2020-01-01T00:00:00+00:01")]
#[case::future("2262-01-01T00:00:00Z")]
#[case::far_future("9999-12-31T23:59:59Z")]
#[case::five_digits("+12026-11-25T10:00:00Z")]
#[case::seconds("1795600800")]
#[case::space_around(" 2026-11-25T10:00:00Z ")]
#[case::empty("")]
fn a_bad_instant_is_named(#[case] text: &str) {
    match plan_with("/start_at", json!(text)) {
        Err(Problem::Value { field, detail }) => {
            assert_eq!(field, "start_at");
            assert!(detail.contains(text), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case("/runners_wanted", json!(0), "runners_wanted")]
#[case("/runners_wanted", json!(100_001), "runners_wanted")]
#[case("/quorum", json!(0), "quorum")]
#[case("/quorum", json!(4_000_000_000u32), "quorum")]
#[case("/late_tolerance_ns", json!(3_600_000_000_001u64), "late_tolerance_ns")]
#[case("/max_clock_error_ns", json!(u64::MAX), "max_clock_error_ns")]
fn a_plans_value_out_of_range_is_named(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] named: &str,
) {
    match plan_with(pointer, value) {
        Err(Problem::Value { field, .. }) => assert_eq!(field, named),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case("/clock/utc", json!("yesterday"), "clock.utc")]
#[case("/clock/error_ns", json!(u64::MAX), "clock.error_ns")]
#[case("/start/fired_at", json!("1970-01-01T00:00:00Z"), "start.fired_at")]
#[case("/start/running_at", json!(""), "start.running_at")]
#[case("/start/load_at", json!("2026-12-31T23:59:60Z"), "start.load_at")]
#[case("/start/clock_error_ns", json!(u64::MAX), "start.clock_error_ns")]
#[case("/setup_took_ns", json!(u64::MAX), "setup_took_ns")]
#[case::running_but_ended("/phase", json!("running"), "exit_code")]
#[case::ended_without_a_code("/exit_code", json!(null), "exit_code")]
#[case::armed_with_nothing("/plan", json!(null), "armed")]
fn a_reports_value_out_of_range_is_named(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] named: &str,
) {
    match report_with(pointer, value) {
        Err(Problem::Value { field, .. }) => assert_eq!(field, named),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::unknown("/surprise", json!(1))]
#[case::run("/run", json!("a b"))]
#[case::stage("/stage", json!("../main"))]
#[case::id("/plan", json!(""))]
#[case::state("/state", json!("Set"))]
#[case::late("/late", json!("maybe"))]
#[case::fraction("/runners_wanted", json!(4.0))]
#[case::negative("/runners_wanted", json!(-4))]
#[case::text("/quorum", json!("3"))]
#[case::number("/start_at", json!(1_795_600_800))]
#[case::both_states("/seconds_left", json!(3))]
#[case::set_without_instant("/start_at", json!(null))]
#[case::set_without_quorum("/quorum", json!(null))]
#[case::gathering_with_instant("/state", json!("gathering"))]
fn a_plan_of_wrong_form_is_refused(#[case] pointer: &str, #[case] value: Value) {
    let error = plan_with(pointer, value).unwrap_err();
    assert!(matches!(error, Problem::Form(_)), "{error:?}");
}

#[rstest]
#[case::unknown("/surprise", json!(1))]
#[case::unknown_inside("/clock/surprise", json!(1))]
#[case::unknown_inside_start("/start/surprise", json!(1))]
#[case::clock_as_a_list("/clock", json!(["2026-11-25T10:00:00Z", null, "a"]))]
#[case::start_as_a_list("/start", json!(["2026-11-25T10:00:00Z", 1, null, null, null]))]
#[case::code_too_large("/exit_code", json!(256))]
#[case::sequence("/sequence", json!(-1))]
#[case::phase("/phase", json!("exploded"))]
#[case::runner("/runner", json!("A/b"))]
#[case::lines("/k6_errors", json!("one"))]
fn a_report_of_wrong_form_is_refused(#[case] pointer: &str, #[case] value: Value) {
    let error = report_with(pointer, value).unwrap_err();
    assert!(matches!(error, Problem::Form(_)), "{error:?}");
}

#[rstest]
#[case::nothing("")]
#[case::space(" \n")]
#[case::word("plan")]
#[case::two("{}{}")]
#[case::byte_order_mark("\u{feff}{\"version\":1}")]
#[case::deep(&"[".repeat(4000))]
#[case::deep_version(&format!("{{\"version\":{}", "[".repeat(4000)))]
fn what_is_no_json_is_told_as_that(#[case] text: &str) {
    for problem in [
        Plan::from_json(text).unwrap_err(),
        Abort::from_json(text).unwrap_err(),
        Report::from_json(text).unwrap_err(),
    ] {
        let told = matches!(problem, Problem::Syntax(_) | Problem::Form(_));
        assert!(told, "{problem:?}");
    }
}

#[rstest]
#[case::null("null")]
#[case::number("1")]
#[case::text("\"plan\"")]
#[case::list("[1]")]
#[case::abort_as_a_list(r#"[1, "run-1", "me", "why"]"#)]
#[case::version_twice(r#"{"version": 1, "version": 1}"#)]
fn what_is_no_object_has_the_wrong_form(#[case] text: &str) {
    let problem = Abort::from_json(text).unwrap_err();
    assert!(matches!(problem, Problem::Form(_)), "{problem:?}");
}

#[test]
fn what_is_too_long_is_not_read() {
    let padded = |text: String, longest: u64| text + &" ".repeat(usize::try_from(longest).unwrap());
    for problem in [
        Plan::from_json(&padded(plan_json().to_string(), Plan::MOST_BYTES)).unwrap_err(),
        Abort::from_json(&padded(abort_json().to_string(), Abort::MOST_BYTES)).unwrap_err(),
        Report::from_json(&padded(report_json().to_string(), Report::MOST_BYTES)).unwrap_err(),
    ] {
        assert!(matches!(problem, Problem::TooLong { .. }), "{problem:?}");
    }
}

#[test]
fn an_error_neither_quotes_at_length_nor_repeats_control_characters() {
    for hostile in ["x".repeat(3000), "\u{1b}[2J\n".repeat(100)] {
        for text in [
            json!({ "version": hostile }).to_string(),
            with(plan_json(), "/state", Some(json!(hostile))),
            with(plan_json(), "/run", Some(json!(hostile))),
            with(plan_json(), "/start_at", Some(json!(hostile))),
            with(plan_json(), &format!("/{hostile}"), Some(json!(1))),
        ] {
            let error = Plan::from_json(&text).unwrap_err().to_string();
            assert!(error.len() < 700, "{} bytes", error.len());
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}

#[test]
fn a_document_cut_off_anywhere_is_an_error() {
    let set = samples::plan("plan-1").to_json();
    let gathering = samples::gathering("plan-1").to_json();
    let abort = samples::abort("why").to_json();
    let report = samples::full_report().to_json();
    for cut in 0..set.len() {
        Plan::from_json(&set[..cut]).unwrap_err();
    }
    for cut in 0..gathering.len() {
        Plan::from_json(&gathering[..cut]).unwrap_err();
    }
    for cut in 0..abort.len() {
        Abort::from_json(&abort[..cut]).unwrap_err();
    }
    for cut in 0..report.len() {
        Report::from_json(&report[..cut]).unwrap_err();
    }
}

/// A text with some of its characters replaced, inserted or removed.
fn edited(text: String) -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3, any::<char>()), 1..4);
    edits.prop_map(move |edits| {
        let mut chars: Vec<char> = text.chars().collect();
        for (index, edit, new) in edits {
            let at = index.index(chars.len());
            match edit {
                0 => chars[at] = new,
                1 => chars.insert(at, new),
                _ => drop(chars.remove(at)),
            }
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn an_edited_plan_is_an_error_or_a_plan_within_its_ranges(
        text in edited(samples::plan("plan-1").to_json()),
    ) {
        if let Ok(plan) = Plan::from_json(&text) {
            prop_assert_eq!(Plan::from_json(&plan.to_json()), Ok(plan.clone()));
            let PlanState::Set { quorum, .. } = plan.state else {
                return Err(TestCaseError::fail("it cannot have become a gathering plan"));
            };
            prop_assert!((1..=Plan::MOST_RUNNERS).contains(&quorum));
        }
    }

    #[test]
    fn an_edited_report_is_an_error_or_a_report(
        text in edited(samples::full_report().to_json()),
    ) {
        if let Ok(report) = Report::from_json(&text) {
            prop_assert_eq!(Report::from_json(&report.to_json()), Ok(report));
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>()) {
        prop_assert!(Plan::from_json(&text).is_err());
        prop_assert!(Abort::from_json(&text).is_err());
        prop_assert!(Report::from_json(&text).is_err());
    }
}
