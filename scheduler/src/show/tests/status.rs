use rendezvous::{Board, DirectoryStore, Store};

use super::*;
use crate::show::status::{self, Status};
use crate::testing::gathering_plan;

/// What stands in a store while one runner is wanted and these have reported.
async fn status(reports: Vec<Report>) -> Status {
    let mut plan = gathering_plan();
    plan.runners_wanted = 1;
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).unwrap();
    let empty = store.read(&stage()).await.unwrap();
    Status {
        location: "/s".to_owned(),
        run: run_id(),
        stage: stage(),
        board: Board {
            plan: Ok(Some(plan)),
            ..empty
        },
        reports,
        unreadable: Vec::new(),
    }
}

#[tokio::test]
async fn it_says_what_a_runner_waits_for_and_keeps_to_its_lines() {
    let mut waiting = a_report("r1", Phase::Starting);
    waiting.waiting_for = Some("k6 to build its VUs".to_owned());
    let mut ended = a_report("r2", Phase::Failed);
    ended.reason = Some("failed: with a\ttab".to_owned());
    let expected = "\
run run-1, stage main, in /s
plan plan-1: gathering 1 runner, 1m left when it was written
not aborted
runners, each as of its last report, the age of which is not known:

| runner | phase    | reported at (UTC)        | exit | what it says                    |
|--------|----------|--------------------------|------|---------------------------------|
| r1     | starting | 2026-03-01T12:00:00.000Z |    - | waiting for k6 to build its VUs |
| r2     | failed   | 2026-03-01T12:00:00.000Z |    0 | with a tab                      |

clocks: system clock, unmeasured
";
    assert_eq!(status::text(&status(vec![waiting, ended]).await), expected);
}

#[tokio::test]
async fn it_says_what_each_clock_is_worth_and_from_whom() {
    let reports = vec![
        measured("k6-1", 0, 0),
        measured("k6-2", 0, 0),
        a_report("k6-3", Phase::Ready),
    ];
    let mut reports = reports;
    reports[1].clock = a_clock(
        &["10.0.0.2"],
        &["10.0.0.3: no answer (UDP 123 blocked? egress NetworkPolicy)"],
    );
    reports[1].clock.offset = Some(TimeDelta::seconds(-420));
    let expected = "\
run run-1, stage main, in /s
plan plan-1: gathering 1 runner, 1m left when it was written
not aborted
runners, each as of its last report, the age of which is not known:

| runner | phase    | reported at (UTC)        | exit | what it says |
|--------|----------|--------------------------|------|--------------|
| k6-1   | finished | 2026-03-01T12:00:00.000Z |    0 |              |
| k6-2   | finished | 2026-03-01T12:00:00.000Z |    0 |              |
| k6-3   | ready    | 2026-03-01T12:00:00.000Z |    - |              |

clocks:

| runner | corrected by | clock error | time from              |
|--------|--------------|-------------|------------------------|
| k6-1   |    +20.00 ms |     1.00 ms | NTP 10.0.0.2, 10.0.0.3 |
| k6-2   |     -420.0 s |     1.00 ms | NTP 10.0.0.2 (single)  |
| k6-3   |            - |  unmeasured | system clock           |

warning: runners use different time sources, whose difference no bound shows: 10.0.0.2, 10.0.0.3 (k6-1); 10.0.0.2 (single) (k6-2); system clock, unmeasured (k6-3)
10.0.0.3 is not used by k6-2: no answer (UDP 123 blocked? egress NetworkPolicy)
";
    assert_eq!(status::text(&status(reports).await), expected);
}

#[tokio::test]
async fn a_long_reason_stands_whole_below_the_table() {
    let mut waiting = a_report("r1", Phase::Starting);
    let what = "a clock good enough: clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer; NTP 10.0.0.3: no answer";
    waiting.waiting_for = Some(what.to_owned());
    let text = status::text(&status(vec![waiting]).await);
    let whole = format!("r1: waiting for {what}");
    assert!(text.lines().any(|line| line == whole), "{text}");
}

#[tokio::test]
async fn machines_get_the_clocks_too() {
    let mut report = a_report("r1", Phase::Ready);
    report.clock = a_clock(&["10.0.0.2"], &["10.0.0.3: no answer"]);
    let json: serde_json::Value =
        serde_json::from_str(&status::json(&status(vec![report]).await)).unwrap();
    let expected = serde_json::json!({
        "source": "NTP 10.0.0.2 (single)",
        "offset_ns": 20_000_000,
        "error_ns": 1_000_000,
        "used": ["10.0.0.2"],
        "rejected": ["10.0.0.3: no answer"],
    });
    assert_eq!(json["runners"][0]["clock"], expected);
}

#[tokio::test]
async fn a_plan_of_another_run_is_told_as_that() {
    let mut status = status(vec![finished("r1", 0)]).await;
    status.run = rendezvous::RunId::new("run-2").unwrap();
    let told = status::text(&status);
    assert!(told.contains("a plan of another run, run-1"), "{told}");
    assert!(told.contains("clocks: system clock, unmeasured"), "{told}");
}
