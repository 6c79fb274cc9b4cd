//! The result for machines: one JSON object, whose form is part of the interface.
//! Times are RFC 3339 in UTC with nanoseconds, durations whole numbers with their
//! unit in the name; what is not known is null.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rendezvous::ClockReport;
use serde::Serialize;

use crate::decide::loss::Loss;
use crate::decide::outcome::{Fate, Outcome, Row};

/// Grows when a field changes its meaning or goes; a new field does not count.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct ResultForm<'a> {
    version: u32,
    run: &'a str,
    stage: &'a str,
    result: &'a str,
    message: &'a str,
    exit_code: u8,
    plan: Option<&'a str>,
    start_at: Option<String>,
    wanted: u32,
    started: usize,
    lost: usize,
    lost_share: f64,
    spread_ns: Option<i64>,
    spread_of: usize,
    spread_at_most_ns: Option<i64>,
    spread_at_most_of: usize,
    first_request_spread_ns: Option<i64>,
    faults: &'a [String],
    warnings: &'a [String],
    runners: Vec<RunnerForm<'a>>,
}

#[derive(Serialize)]
struct RunnerForm<'a> {
    runner: &'a str,
    name: &'a str,
    state: &'static str,
    what: String,
    flaw: Option<String>,
    lost: Option<LossForm>,
    fired_at: Option<String>,
    lateness_ns: Option<i64>,
    clock_error_ns: Option<u64>,
    clock_jumped: Option<bool>,
    clock: Option<ClockForm<'a>>,
    running_at: Option<String>,
    load_at: Option<String>,
    first_request_at: Option<String>,
    requests: Option<u64>,
    exit_code: Option<u8>,
    k6_errors: &'a [String],
}

/// How a runner was lost after the start.
#[derive(Serialize)]
struct LossForm {
    by: &'static str,
    at: Option<String>,
    after_ns: Option<u64>,
}

/// What a runner said last of its clock.
#[derive(Serialize)]
pub struct ClockForm<'a> {
    source: &'a str,
    offset_ns: Option<i64>,
    error_ns: Option<u64>,
    used: &'a [String],
    rejected: &'a [String],
}

/// The result as one line of JSON.
#[must_use]
pub fn result(outcome: &Outcome) -> String {
    let spread = outcome.spread;
    let form = ResultForm {
        version: VERSION,
        run: outcome.run.as_str(),
        stage: outcome.stage.as_str(),
        result: outcome.kind,
        message: &outcome.ending,
        exit_code: outcome.code.number(),
        plan: outcome.plan.as_ref().map(|plan| plan.as_str()),
        start_at: outcome.start_at.map(time),
        wanted: outcome.wanted,
        started: outcome.started,
        lost: outcome.lost,
        lost_share: outcome.lost_share,
        spread_ns: spread.and_then(|spread| nanos(spread.measured)),
        spread_of: spread.map_or(0, |spread| spread.starts),
        spread_at_most_ns: spread.and_then(|spread| nanos(spread.at_most?)),
        spread_at_most_of: spread.map_or(0, |spread| spread.bounded),
        first_request_spread_ns: outcome
            .first_request_spread()
            .and_then(|(spread, _)| nanos(spread)),
        faults: &outcome.faults,
        warnings: &outcome.warnings,
        runners: outcome
            .rows
            .iter()
            .map(|row| runner(row, outcome.start_at))
            .collect(),
    };
    line(&form)
}

/// A form of ours as a line of JSON.
pub fn line(form: &impl Serialize) -> String {
    // A form is a struct of strings, numbers and lists with string keys, and
    // serde_json fails only on others.
    let mut text = serde_json::to_string(form).unwrap_or_default();
    text.push('\n');
    text
}

fn runner(row: &Row, start_at: Option<DateTime<Utc>>) -> RunnerForm<'_> {
    let start = row.start.as_ref();
    RunnerForm {
        runner: row.runner.as_str(),
        name: &row.name,
        state: state(&row.fate),
        what: row.fate.to_string(),
        flaw: row.flaw.as_ref().map(ToString::to_string),
        lost: row.loss.map(|loss| loss_form(loss, start_at)),
        fired_at: start.map(|start| time(start.fired_at)),
        lateness_ns: start.and_then(|start| nanos(start.lateness)),
        clock_error_ns: start.and_then(|start| whole_nanos(start.clock_error?)),
        clock_jumped: start.map(|start| start.clock_jumped),
        clock: row.clock.as_ref().map(clock),
        running_at: start.and_then(|start| start.running_at).map(time),
        load_at: start.and_then(|start| start.load_at).map(time),
        first_request_at: row.first_request.map(|first| time(first.at)),
        requests: row.first_request.map(|first| first.count),
        exit_code: row.exit_code,
        k6_errors: &row.k6_errors,
    }
}

fn loss_form(loss: Loss, start_at: Option<DateTime<Utc>>) -> LossForm {
    let at = start_at.zip(loss.after);
    LossForm {
        by: loss.by.word(),
        at: at.map(|(start_at, after)| time(start_at + after)),
        after_ns: loss.after.and_then(whole_nanos),
    }
}

/// A clock for machines.
#[must_use]
pub fn clock(clock: &ClockReport) -> ClockForm<'_> {
    ClockForm {
        source: &clock.source,
        offset_ns: clock.offset.and_then(nanos),
        error_ns: clock.error.and_then(whole_nanos),
        used: &clock.used,
        rejected: &clock.rejected,
    }
}

fn state(fate: &Fate) -> &'static str {
    match fate {
        Fate::Waiting(_) => "waiting",
        Fate::Missing(_) => "missing",
        Fate::Fired => "fired",
        Fate::Running => "running",
        Fate::Ended(..) => "ended",
        Fate::Lost(_) | Fate::Removed => "lost",
    }
}

/// A time for machines.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

fn whole_nanos(duration: Duration) -> Option<u64> {
    u64::try_from(duration.as_nanos()).ok()
}

fn nanos(delta: TimeDelta) -> Option<i64> {
    delta.num_nanoseconds()
}
