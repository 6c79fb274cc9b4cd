//! Documents to test with.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{
    Abort, ClockReport, DirectoryStore, Incarnation, LatePolicy, Phase, Plan, PlanId, PlanState,
    Report, RunId, RunnerId, StageName, StartReport, Terms,
};
use tempfile::TempDir;

pub fn run() -> RunId {
    RunId::new("run-1").unwrap()
}

pub fn stage() -> StageName {
    StageName::new("main").unwrap()
}

pub fn runner(name: &str) -> RunnerId {
    RunnerId::new(name).unwrap()
}

pub fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// A set plan with this id.
pub fn plan(id: &str) -> Plan {
    Plan {
        run: run(),
        stage: stage(),
        id: PlanId::new(id).unwrap(),
        state: PlanState::Set {
            start_at: at("2026-11-25T10:00:00.123456789Z"),
            quorum: 3,
        },
        runners_wanted: 4,
        terms: Terms {
            late: Some(LatePolicy::Refuse),
            late_tolerance: Some(Duration::from_secs(1)),
            max_clock_error: Some(Duration::from_micros(500)),
        },
    }
}

/// A gathering plan with this id.
pub fn gathering(id: &str) -> Plan {
    Plan {
        state: PlanState::Gathering {
            left: Duration::from_secs(30),
        },
        ..plan(id)
    }
}

pub fn abort(why: &str) -> Abort {
    Abort::new(run(), "a test", why)
}

/// A report with all its parts.
pub fn full_report() -> Report {
    Report {
        node: Some("node-7".to_owned()),
        container: Some("z-warmup".to_owned()),
        clock: ClockReport {
            error: Some(Duration::from_micros(40)),
            offset: Some(TimeDelta::milliseconds(-130)),
            used: vec!["10.0.0.1".to_owned()],
            rejected: vec!["10.0.0.2: no answer".to_owned()],
            ..report("k6-1", 7).clock
        },
        phase: Phase::Finished,
        plan: Some(PlanId::new("plan-1").unwrap()),
        armed: true,
        vus: Some(50),
        setup_took: Some(Duration::from_nanos(1_234_567_891)),
        start: Some(StartReport {
            fired_at: at("2026-11-25T10:00:00.000123456Z"),
            lateness: TimeDelta::nanoseconds(-123_456),
            clock_error: Some(Duration::from_nanos(99)),
            running_at: Some(at("2026-11-25T10:00:00.002Z")),
            load_at: None,
            clock_jumped: true,
        }),
        exit_code: Some(99),
        reason: Some("thresholds were crossed".to_owned()),
        k6_errors: vec!["one\ttab".to_owned(), "\"two\"".to_owned()],
        ..report("k6-1", 7)
    }
}

/// A small report of this runner.
pub fn report(name: &str, sequence: u64) -> Report {
    Report {
        run: run(),
        stage: stage(),
        runner: runner(name),
        name: name.to_owned(),
        node: None,
        container: None,
        incarnation: Incarnation::new("first").unwrap(),
        sequence,
        phase: Phase::Starting,
        plan: None,
        armed: false,
        clock: ClockReport {
            utc: at("2026-11-25T09:59:00Z"),
            error: None,
            source: "system clock".to_owned(),
            offset: None,
            used: Vec::new(),
            rejected: Vec::new(),
        },
        vus: None,
        waiting_for: Some("k6 builds its VUs".to_owned()),
        setup_took: None,
        start: None,
        exit_code: None,
        reason: None,
        k6_errors: Vec::new(),
    }
}

/// A store in a directory of its own, removed with the first of the two.
pub fn store() -> (TempDir, DirectoryStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).unwrap();
    (directory, store)
}

/// Names of what is in a directory, sorted.
pub fn names_in(path: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What comes of it, within a bound that only a hang reaches.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("it has not happened for 30 s")
}
