//! The report: what a runner publishes about itself.

mod form;
mod phase;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::names::{Incarnation, PlanId, RunId, RunnerId, StageName};

pub use phase::Phase;

/// What a runner says of its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockReport {
    /// Its UTC when it wrote the report.
    pub utc: DateTime<Utc>,
    /// The most by which that may be wrong. `None`: nobody has measured it.
    pub error: Option<Duration>,
    /// Where the time comes from, for people.
    pub source: String,
    /// How far this machine's own clock is behind UTC (negative: ahead). `None`: nobody has
    /// measured it.
    pub offset: Option<TimeDelta>,
    /// The time sources that the time rests on, in a fixed order; at most
    /// [`ClockReport::MOST_SOURCES`].
    pub used: Vec<String>,
    /// The time sources that were asked and are not used, each with its reason, as
    /// `NAME: REASON`; at most [`ClockReport::MOST_SOURCES`].
    pub rejected: Vec<String>,
}

impl ClockReport {
    /// The most sources of either kind that a report names: more than anybody configures,
    /// and few enough that a report stays small.
    pub const MOST_SOURCES: usize = 8;
}

/// What a runner says of its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartReport {
    /// When the resume was sent, by the runner's corrected clock.
    pub fired_at: DateTime<Utc>,
    /// `fired_at` minus the instant; negative if early.
    pub lateness: TimeDelta,
    /// The most by which `fired_at` may be wrong. `None`: nobody has measured it.
    pub clock_error: Option<Duration>,
    /// When k6 was first seen past its pause (status 5 or more). k6 may have been there earlier.
    pub running_at: Option<DateTime<Utc>>,
    /// When the load itself was first seen running (status 7 or more): later than
    /// `running_at` by setup(), where that was left to k6.
    pub load_at: Option<DateTime<Utc>>,
    /// Whether the clock was found to have jumped when it was measured once more after the
    /// start: `fired_at` and its error are then worth nothing.
    pub clock_jumped: bool,
}

/// What a runner publishes about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The run that it takes part in.
    pub run: RunId,
    /// The stage that it takes part in.
    pub stage: StageName,
    /// Which runner.
    pub runner: RunnerId,
    /// Its name for people, such as the pod's.
    pub name: String,
    /// The machine that it runs on.
    pub node: Option<String>,
    /// The container of the pod that it runs in.
    pub container: Option<String>,
    /// Which process of this runner.
    pub incarnation: Incarnation,
    /// Grows by one with each report of this incarnation, so that a renewal is a change.
    pub sequence: u64,
    /// Where it stands.
    pub phase: Phase,
    /// The plan that it has seen last and would obey.
    pub plan: Option<PlanId>,
    /// Whether it has counted down to that plan's instant: from then on, and once
    /// the instant is past, the plan is used up for this runner, whatever its phase
    /// became. Only with a `plan`.
    pub armed: bool,
    /// Its clock.
    pub clock: ClockReport,
    /// How many VUs k6 has built.
    pub vus: Option<u64>,
    /// What it waits for, for people: why it is not ready yet.
    pub waiting_for: Option<String>,
    /// How long the early setup() took, once it has run.
    pub setup_took: Option<Duration>,
    /// Its start, once it fired.
    pub start: Option<StartReport>,
    /// What it will exit with, or has, once the phase is final.
    pub exit_code: Option<u8>,
    /// Why the phase is what it is, for people.
    pub reason: Option<String>,
    /// The last lines that k6 wrote to its standard error, the newest last.
    pub k6_errors: Vec<String>,
}
