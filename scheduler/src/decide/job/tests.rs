#![allow(clippy::unwrap_used)]
use super::*;
use rstest::rstest;
use serde_json::{Value, json};

fn job(spec: &Value, status: &Value) -> Job {
    serde_json::from_value(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "k6", "uid": "u1"},
        "spec": spec,
        "status": status,
    }))
    .unwrap()
}

fn of_spec(mut spec: Value) -> Job {
    spec["template"] = json!({"spec": {"containers": []}});
    job(&spec, &json!({}))
}

fn six(status: Value) -> Job {
    let spec = json!({
        "parallelism": 6, "completions": 6, "completionMode": "Indexed", "backoffLimitPerIndex": 0,
        "template": {"spec": {"containers": []}},
    });
    job(&spec, &status)
}

fn condition(kind: &str, reason: &str, message: &str) -> Value {
    json!({"conditions": [{"type": kind, "status": "True", "reason": reason, "message": message}]})
}

#[rstest]
#[case::by_default(json!({}), 1)]
#[case::as_many_as_completions(json!({"parallelism": 3, "completions": 2}), 2)]
#[case::as_many_as_at_once(json!({"parallelism": 3, "completions": 20}), 3)]
#[case::without_completions(json!({"parallelism": 4}), 4)]
#[case::none(json!({"parallelism": 0, "completions": 4}), 0)]
#[case::absurd(json!({"parallelism": 2_000_000_000, "completions": 2_000_000_000}), Plan::MOST_RUNNERS)]
fn as_many_runners_are_wanted_as_run_at_once(#[case] spec: Value, #[case] pods: u32) {
    assert_eq!(wanted(&of_spec(spec)), pods);
}

#[rstest]
#[case(json!({"parallelism": 3, "completions": 20}), Some(20))]
#[case(json!({"parallelism": 3, "completions": 3}), None)]
#[case(json!({"parallelism": 3}), None)]
fn pods_that_come_later_are_known(#[case] spec: Value, #[case] all: Option<u32>) {
    assert_eq!(more_later(&of_spec(spec)), all);
}

#[rstest]
#[case::fresh(json!({}), "wants 6 runners")]
#[case::complete(condition("Complete", "CompletionsReached", ""), "is complete already")]
#[case::nearly_complete(
    condition("SuccessCriteriaMet", "CompletionsReached", ""),
    "is complete already"
)]
#[case::failed(
    condition(
        "Failed",
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit"
    ),
    "has failed (BackoffLimitExceeded: Job has reached the specified backoff limit)"
)]
#[case::about_to_fail(
    condition(
        "FailureTarget",
        "DeadlineExceeded",
        "Job was active longer than specified deadline"
    ),
    "has failed (DeadlineExceeded: Job was active longer than specified deadline)"
)]
fn a_job_that_is_over_does_not_count_as_there(#[case] status: Value, #[case] told: &str) {
    assert_eq!(standing(Some(&six(status))).to_string(), told);
}

#[test]
fn a_job_that_is_absent_suspended_or_going_does_not_count_either() {
    assert_eq!(standing(None), Standing::Absent);
    let suspended = of_spec(json!({"parallelism": 4, "suspend": true}));
    assert_eq!(standing(Some(&suspended)), Standing::Idle("is suspended"));
    let mut going = of_spec(json!({"parallelism": 4}));
    going.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-03-01T12:00:00Z")).unwrap());
    assert_eq!(standing(Some(&going)).to_string(), "is being deleted");
    let none = of_spec(json!({"parallelism": 0}));
    assert!(matches!(standing(Some(&none)), Standing::Idle(_)));
}

#[test]
fn a_run_is_over_with_its_job() {
    let over = |job: Option<&Job>| match prospect(job, "u1") {
        Prospect::Over(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(over(None), "was deleted");
    let mut other = six(json!({}));
    other.metadata.uid = Some("u2".to_owned());
    assert_eq!(prospect(Some(&other), "u1"), Prospect::Replaced);
    let failed = six(condition("Failed", "PodFailurePolicy", ""));
    assert!(over(Some(&failed)).starts_with("has failed"));
}

#[rstest]
#[case::all(json!({"active": 6}), 6, None)]
#[case::one_replaced(json!({"active": 6, "failed": 1}), 6, None)]
#[case::two_given_up(json!({"failedIndexes": "1,4"}), 4, Some("it gave up index 1,4"))]
#[case::a_range_given_up(json!({"failedIndexes": "0,2-4"}), 2, Some("it gave up index 0,2-4"))]
#[case::one_done(json!({"succeeded": 1}), 5, Some("1 of its pods have ended well already"))]
#[case::nonsense(json!({"failedIndexes": "x-y"}), 5, Some("it gave up index x-y"))]
fn no_more_come_than_the_job_has_not_given_up(
    #[case] status: Value,
    #[case] runners: u32,
    #[case] why: Option<&str>,
) {
    let why = why.map(str::to_owned);
    let expected = Prospect::AtMost { runners, why };
    assert_eq!(prospect(Some(&six(status)), "u1"), expected);
}

#[test]
fn more_to_do_than_runs_at_once_takes_the_place_of_what_is_done() {
    let spec =
        json!({"parallelism": 3, "completions": 20, "template": {"spec": {"containers": []}}});
    let job = job(&spec, &json!({"succeeded": 4}));
    let why = None;
    assert_eq!(
        prospect(Some(&job), "u1"),
        Prospect::AtMost { runners: 3, why }
    );
}

#[test]
fn the_pods_have_the_default_account_unless_another_is_named() {
    assert_eq!(account(&of_spec(json!({}))), "default");
    let mut job = of_spec(json!({}));
    let pod = job.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
    pod.service_account_name = Some("tminus-agent".to_owned());
    assert_eq!(account(&job), "tminus-agent");
}
