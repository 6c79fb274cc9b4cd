#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use rendezvous::{Board, DirectoryStore, Phase, Store};

use super::{json, status, table};
use crate::decide::outcome::{Fate, FirstRequest, Outcome, Row};
use crate::decide::spread;
use crate::exit::Code;
use crate::testing::{a_plan_id, a_report, a_start, gathering_plan, noon, run_id, runner, stage};

fn row(name: &str, late_us: i64) -> Row {
    Row {
        runner: runner(name),
        name: name.to_owned(),
        start: Some(a_start(late_us)),
        exit_code: Some(0),
        fate: Fate::Ended(Some(Phase::Finished), None),
        k6_errors: Vec::new(),
        first_request: None,
    }
}

fn outcome(rows: Vec<Row>) -> Outcome {
    let starts: Vec<_> = rows.iter().filter_map(|row| row.start.as_ref()).collect();
    Outcome {
        run: run_id(),
        stage: stage(),
        code: Code::Well,
        kind: "started",
        ending: "started".to_owned(),
        plan: Some(a_plan_id()),
        start_at: Some(noon()),
        wanted: 2,
        started: starts.len(),
        spread: spread::of(&starts),
        faults: Vec::new(),
        rows,
    }
}

fn first_requests() -> BTreeMap<String, FirstRequest> {
    [("runner-1", 2_310), ("runner-2", 3_000)]
        .into_iter()
        .map(|(name, us)| {
            let at = noon() + TimeDelta::microseconds(us);
            (name.to_owned(), FirstRequest { at, count: 7 })
        })
        .collect()
}

#[test]
fn the_table_of_a_good_start() {
    let mut outcome = outcome(vec![row("runner-1", 120), row("runner-2", 400)]);
    outcome.add_first_requests(&first_requests());
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner   | fired at (UTC) |     late | clock error |  running | first request | exit | what happened |
|----------|----------------|----------|-------------|----------|---------------|------|---------------|
| runner-1 |   12:00:00.000 | +0.12 ms |  unmeasured | +2.12 ms |      +2.31 ms |    0 | finished      |
| runner-2 |   12:00:00.000 | +0.40 ms |  unmeasured | +2.40 ms |      +3.00 ms |    0 | finished      |

2 of 2 runners started; spread 0.28 ms by the runners' clocks, whose error is unmeasured
first requests of 2 runners as the target saw them: spread 0.69 ms
exit code 0: all is well
";
    assert_eq!(table::result(&outcome), expected);
}

#[test]
fn the_table_of_a_start_that_was_not_well() {
    let mut failed = row("runner-2", 0);
    failed.start = None;
    failed.exit_code = Some(74);
    failed.fate = Fate::Ended(Some(Phase::Refused), Some("came 3 s late".to_owned()));
    let mut measured = row("runner-1", 1_500_000);
    let start = measured.start.as_mut().unwrap();
    start.clock_error = Some(Duration::from_micros(250));
    start.load_at = Some(noon() + TimeDelta::seconds(3));
    measured.exit_code = None;
    measured.fate = Fate::Running;
    let mut outcome = outcome(vec![measured, failed]);
    outcome.code = Code::NotWell;
    outcome.faults = vec!["only 1 of 2 runners started".to_owned()];
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner   | fired at (UTC) |        late | clock error |     running |        load | exit | what happened          |
|----------|----------------|-------------|-------------|-------------|-------------|------|------------------------|
| runner-1 |   12:00:01.500 | +1500.00 ms |     0.25 ms | +1502.00 ms | +3000.00 ms |    - | running                |
| runner-2 |              - |           - |           - |           - |           - |   74 | refused: came 3 s late |

1 of 2 runners started; spread 0.00 ms as measured, 0.00 ms at most with the clocks' errors
not well: only 1 of 2 runners started
exit code 78: started, but not well
";
    assert_eq!(table::result(&outcome), expected);
}

#[test]
fn where_nothing_started_the_reason_is_told_without_empty_columns() {
    let mut waiting = row("runner-1", 0);
    (waiting.start, waiting.exit_code) = (None, None);
    waiting.fate = Fate::Waiting(Phase::Ready);
    let mut outcome = outcome(vec![waiting]);
    (outcome.start_at, outcome.plan, outcome.code) = (None, None, Code::NoQuorum);
    outcome.kind = "quorum_timed_out";
    outcome.ending = "the quorum did not come within 15m".to_owned();
    let expected = "\
run run-1, stage main: not started

| runner   | exit | what happened |
|----------|------|---------------|
| runner-1 |    - | ready         |

the quorum did not come within 15m
exit code 75: not started
";
    assert_eq!(table::result(&outcome), expected);
    outcome.rows.clear();
    let expected = "\
run run-1, stage main: not started
the quorum did not come within 15m
exit code 75: not started
";
    assert_eq!(table::result(&outcome), expected);
}

#[test]
fn a_long_reason_is_cut_in_the_table_and_whole_below() {
    let mut failed = row("runner-1", 0);
    let reason = format!(
        "setup()\tdid not work{}; use --setup k6",
        " at all".repeat(20)
    );
    failed.fate = Fate::Ended(Some(Phase::Failed), Some(reason.clone()));
    let text = table::result(&outcome(vec![failed]));
    assert!(!text.contains('\t'), "{text}");
    let lines: Vec<_> = text.lines().collect();
    let whole = format!("runner-1: failed: {}", reason.replace('\t', " "));
    assert!(lines.contains(&whole.as_str()), "{text}");
    let of_the_table = lines.iter().filter(|line| line.starts_with('|'));
    assert!(
        of_the_table.clone().all(|line| line.chars().count() < 170),
        "{text}"
    );
    assert!(
        of_the_table
            .clone()
            .any(|line| line.contains("| failed: setup() did")),
        "{text}"
    );
}

#[tokio::test]
async fn a_status_says_what_a_runner_waits_for_and_keeps_to_its_lines() {
    let mut waiting = a_report("r1", Phase::Starting);
    waiting.waiting_for = Some("k6 to build its VUs".to_owned());
    let mut ended = a_report("r2", Phase::Failed);
    ended.reason = Some("failed: with a\ttab".to_owned());
    let mut plan = gathering_plan();
    plan.runners_wanted = 1;
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).unwrap();
    let empty = store.read(&stage()).await.unwrap();
    let shown = status::text(&status::Status {
        location: "/s".to_owned(),
        run: run_id(),
        stage: stage(),
        board: Board {
            plan: Ok(Some(plan)),
            ..empty
        },
        reports: vec![waiting, ended],
        unreadable: Vec::new(),
    });
    assert!(shown.contains("gathering 1 runner, 1m left"), "{shown}");
    assert!(
        shown.contains("| waiting for k6 to build its VUs |"),
        "{shown}"
    );
    assert!(shown.contains("| with a tab "), "{shown}");
}

#[test]
fn the_json_of_a_good_start() {
    let mut outcome = outcome(vec![row("runner-1", 120), row("runner-2", 400)]);
    outcome.add_first_requests(&first_requests());
    let text = json::result(&outcome);
    assert_eq!(text.lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "version": 1,
        "run": "run-1",
        "stage": "main",
        "result": "started",
        "message": "started",
        "exit_code": 0,
        "plan": "plan-1",
        "start_at": "2026-03-01T12:00:00.000000000Z",
        "wanted": 2,
        "started": 2,
        "spread_ns": 280_000,
        "spread_at_most_ns": null,
        "first_request_spread_ns": 690_000,
        "faults": [],
        "runners": [
            {
                "runner": "runner-1",
                "name": "runner-1",
                "state": "ended",
                "what": "finished",
                "fired_at": "2026-03-01T12:00:00.000120000Z",
                "lateness_ns": 120_000,
                "clock_error_ns": null,
                "running_at": "2026-03-01T12:00:00.002120000Z",
                "load_at": "2026-03-01T12:00:00.002120000Z",
                "first_request_at": "2026-03-01T12:00:00.002310000Z",
                "requests": 7,
                "exit_code": 0,
                "k6_errors": [],
            },
            {
                "runner": "runner-2",
                "name": "runner-2",
                "state": "ended",
                "what": "finished",
                "fired_at": "2026-03-01T12:00:00.000400000Z",
                "lateness_ns": 400_000,
                "clock_error_ns": null,
                "running_at": "2026-03-01T12:00:00.002400000Z",
                "load_at": "2026-03-01T12:00:00.002400000Z",
                "first_request_at": "2026-03-01T12:00:00.003000000Z",
                "requests": 7,
                "exit_code": 0,
                "k6_errors": [],
            },
        ],
    });
    assert_eq!(json, expected);
}
