//! Values that the tests of this crate share.
#![allow(clippy::unwrap_used)]

pub mod api_server;
pub mod fake_agent;
pub mod faulty_store;
pub mod logged;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rendezvous::{
    ClockReport, Incarnation, Phase, Plan, PlanId, PlanState, Report, RunId, RunnerId, StageName,
    StartReport, StoreError, Terms,
};
use tokio::time::Instant;

use crate::decide::muster::Aim;
use crate::decide::started::Sight;
use crate::decide::timebase::{AgreedClock, Reading};

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Noon of some day: the time at which everything in the tests happens.
pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

pub fn run_id() -> RunId {
    RunId::new("run-1").unwrap()
}

pub fn stage() -> StageName {
    StageName::new("main").unwrap()
}

pub fn runner(name: &str) -> RunnerId {
    RunnerId::new(name).unwrap()
}

pub fn a_plan_id() -> PlanId {
    PlanId::new("plan-1").unwrap()
}

pub fn gathering_plan() -> Plan {
    Plan {
        run: run_id(),
        stage: stage(),
        id: a_plan_id(),
        state: PlanState::Gathering { left: seconds(60) },
        runners_wanted: 2,
        terms: Terms::default(),
    }
}

/// A plan whose instant is noon, set with two runners of two.
pub fn a_set_plan() -> Plan {
    Plan {
        state: PlanState::Set {
            start_at: noon(),
            quorum: 2,
        },
        ..gathering_plan()
    }
}

/// What runners are mustered for: the plan above, on no terms.
pub fn aim() -> Aim<'static> {
    static PLAN: LazyLock<PlanId> = LazyLock::new(a_plan_id);
    Aim {
        plan: Some(&PLAN),
        max_clock_error: None,
    }
}

/// A report of the run and plan above, well-formed for its phase. Two of one runner are
/// of one incarnation.
pub fn a_report(name: &str, phase: Phase) -> Report {
    Report {
        run: run_id(),
        stage: stage(),
        runner: runner(name),
        name: name.to_owned(),
        node: None,
        container: None,
        incarnation: Incarnation::new(format!("{name}-process")).unwrap(),
        sequence: 1,
        phase,
        plan: Some(a_plan_id()),
        armed: matches!(phase, Phase::Armed | Phase::Fired | Phase::Running),
        clock: a_clock(&[], &[]),
        vus: Some(10),
        waiting_for: None,
        setup_took: None,
        start: None,
        exit_code: phase.is_final().then_some(0),
        reason: None,
        k6_errors: Vec::new(),
    }
}

/// A clock at noon that these sources say, to within a millisecond and 20 ms behind, as a
/// report would have it; the machine's own, unmeasured, where there are none.
pub fn a_clock(used: &[&str], rejected: &[&str]) -> ClockReport {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (is_measured, names) = (!used.is_empty(), used.join(", "));
    let source = match used {
        [] => "system clock".to_owned(),
        [_] => format!("NTP {names} (single)"),
        _ => format!("NTP {names}"),
    };
    ClockReport {
        utc: noon(),
        error: is_measured.then(|| Duration::from_millis(1)),
        source,
        offset: is_measured.then(|| TimeDelta::milliseconds(20)),
        used: list(used),
        rejected: list(rejected),
    }
}

/// A start so many microseconds after noon, k6 seen running 2 ms later.
pub fn a_start(late_us: i64) -> StartReport {
    let lateness = TimeDelta::microseconds(late_us);
    let running_at = noon() + lateness + TimeDelta::milliseconds(2);
    StartReport {
        fired_at: noon() + lateness,
        lateness,
        clock_error: None,
        running_at: Some(running_at),
        load_at: Some(running_at),
        clock_jumped: false,
    }
}

/// How long reports are fresh where few runners are wanted.
pub const FRESH: Duration = Duration::from_secs(36);

/// How long a runner may be silent where few runners are wanted.
pub const OVERDUE: Duration = Duration::from_secs(24);

/// What this process knows when the store has been readable all the time.
pub fn sight(now: Instant) -> Sight {
    Sight {
        now,
        clear_since: Some(now),
        fresh: FRESH,
        overdue: OVERDUE,
    }
}

/// A time base on which everybody agrees: it is noon now.
pub fn agreed(now: Instant) -> Reading {
    Reading {
        clock: Some(AgreedClock::new(now, noon())),
        voters: 1,
        at_odds: BTreeMap::new(),
    }
}

pub fn unavailable() -> StoreError {
    StoreError::Unavailable {
        action: "read the plan".to_owned(),
        detail: "no route to host".to_owned(),
    }
}
