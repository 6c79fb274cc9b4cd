//! The report as JSON.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{ClockReport, Phase, Report, StartReport};
use crate::document::Problem;
use crate::names::{Incarnation, PlanId, RunId, RunnerId, StageName};
use crate::wire::{self, Object};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportForm {
    version: u32,
    run: RunId,
    stage: StageName,
    runner: RunnerId,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    incarnation: Incarnation,
    sequence: u64,
    phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<PlanId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    armed: bool,
    clock: Object<ClockForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vus: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    setup_took_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Object<StartForm>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    k6_errors: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockForm {
    utc: String,
    /// Absent: unmeasured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_ns: Option<u64>,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    used: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartForm {
    fired_at: String,
    lateness_ns: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_error_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    running_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    load_at: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    clock_jumped: bool,
}

/// A pod's name has at most 253 characters (RFC 1123 subdomain).
const LONGEST_NAME: usize = 253;
/// A sentence or two.
const LONGEST_TEXT: usize = 500;
/// Enough for k6's message and its place in the script.
const LONGEST_ERROR_LINE: usize = 400;
/// A server's name and a short reason.
const LONGEST_SOURCE: usize = 120;

impl Report {
    /// The most bytes of a report: what one annotation may take, as thousands of
    /// runners share one store.
    pub const MOST_BYTES: u64 = 4096;

    /// The report as the JSON that stands in a store: never over
    /// [`Report::MOST_BYTES`]. What is too long is cut, the oldest of k6's lines
    /// first. A report that contradicts itself (see [`Report::from_json`]) is
    /// written as it is, and refused by every reader.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut form = self.form();
        loop {
            let text = wire::write(&form);
            if text.len() as u64 <= Self::MOST_BYTES {
                return text;
            }
            // Each turn takes something away, so this ends: at the latest with no
            // text left, as the names and numbers alone take some 1,000 bytes.
            if form.k6_errors.is_empty() {
                halve(&mut form.reason);
                halve(&mut form.waiting_for);
                form.name = halved(&form.name);
                form.clock.0.source = halved(&form.clock.0.source);
                halve(&mut form.node);
                halve(&mut form.container);
                form.clock.0.rejected.pop();
                form.clock.0.used.pop();
            } else {
                form.k6_errors.remove(0);
            }
        }
    }

    fn form(&self) -> ReportForm {
        let text = |text: &Option<String>| {
            text.as_deref()
                .map(|text| wire::clean_text(text, LONGEST_TEXT))
        };
        let name = |name: &Option<String>| {
            name.as_deref()
                .map(|name| wire::clean_text(name, LONGEST_NAME))
        };
        ReportForm {
            version: wire::VERSION,
            run: self.run.clone(),
            stage: self.stage.clone(),
            runner: self.runner.clone(),
            name: wire::clean_text(&self.name, LONGEST_NAME),
            node: name(&self.node),
            container: name(&self.container),
            incarnation: self.incarnation.clone(),
            sequence: self.sequence,
            phase: self.phase,
            plan: self.plan.clone(),
            armed: self.armed,
            clock: Object(ClockForm {
                utc: wire::write_time(self.clock.utc),
                error_ns: self.clock.error.map(wire::write_nanos),
                source: wire::clean_text(&self.clock.source, LONGEST_NAME),
                offset_ns: self.clock.offset.map(wire::write_delta),
                used: sources(&self.clock.used),
                rejected: sources(&self.clock.rejected),
            }),
            vus: self.vus,
            waiting_for: text(&self.waiting_for),
            setup_took_ns: self.setup_took.map(wire::write_nanos),
            start: self.start.as_ref().map(|start| {
                Object(StartForm {
                    fired_at: wire::write_time(start.fired_at),
                    lateness_ns: wire::write_delta(start.lateness),
                    clock_error_ns: start.clock_error.map(wire::write_nanos),
                    running_at: start.running_at.map(wire::write_time),
                    load_at: start.load_at.map(wire::write_time),
                    clock_jumped: start.clock_jumped,
                })
            }),
            exit_code: self.exit_code,
            reason: text(&self.reason),
            k6_errors: newest_lines(&self.k6_errors),
        }
    }

    /// Reads a report.
    ///
    /// # Errors
    /// A [`Problem`] that names what is wrong: the length, the syntax, the version,
    /// the form, the first field whose value is out of its range, an exit code
    /// without a final phase or the other way round, or `armed` without a plan.
    pub fn from_json(text: &str) -> Result<Self, Problem> {
        let form: ReportForm = wire::read_form(text, Self::MOST_BYTES)?;
        let Object(clock) = form.clock;
        if form.phase.is_final() != form.exit_code.is_some() {
            let detail = format!(
                "a report has one if and only if its phase is final, and this one is {}",
                form.phase
            );
            return Err(Problem::Value {
                field: "exit_code",
                detail,
            });
        }
        if form.armed && form.plan.is_none() {
            return Err(Problem::Value {
                field: "armed",
                detail: "there is no plan that it could be armed with".to_owned(),
            });
        }
        let text = |text: Option<String>| text.map(|text| wire::clean_text(&text, LONGEST_TEXT));
        let name = |name: Option<String>| name.map(|name| wire::clean_text(&name, LONGEST_NAME));
        Ok(Self {
            run: form.run,
            stage: form.stage,
            runner: form.runner,
            name: wire::clean_text(&form.name, LONGEST_NAME),
            node: name(form.node),
            container: name(form.container),
            incarnation: form.incarnation,
            sequence: form.sequence,
            phase: form.phase,
            plan: form.plan,
            armed: form.armed,
            clock: ClockReport {
                utc: wire::read_time("clock.utc", &clock.utc)?,
                error: read_duration("clock.error_ns", clock.error_ns)?,
                source: wire::clean_text(&clock.source, LONGEST_NAME),
                offset: clock.offset_ns.map(TimeDelta::nanoseconds),
                used: sources(&clock.used),
                rejected: sources(&clock.rejected),
            },
            vus: form.vus,
            waiting_for: text(form.waiting_for),
            setup_took: read_duration("setup_took_ns", form.setup_took_ns)?,
            start: form.start.map(read_start).transpose()?,
            exit_code: form.exit_code,
            reason: text(form.reason),
            k6_errors: newest_lines(&form.k6_errors),
        })
    }
}

fn read_duration(field: &'static str, nanos: Option<u64>) -> Result<Option<Duration>, Problem> {
    nanos
        .map(|nanos| wire::read_nanos(field, nanos, wire::LONGEST))
        .transpose()
}

fn read_start(Object(form): Object<StartForm>) -> Result<StartReport, Problem> {
    let time =
        |field, text: Option<String>| text.map(|text| wire::read_time(field, &text)).transpose();
    Ok(StartReport {
        fired_at: wire::read_time("start.fired_at", &form.fired_at)?,
        lateness: TimeDelta::nanoseconds(form.lateness_ns),
        clock_error: read_duration("start.clock_error_ns", form.clock_error_ns)?,
        running_at: time("start.running_at", form.running_at)?,
        load_at: time("start.load_at", form.load_at)?,
        clock_jumped: form.clock_jumped,
    })
}

fn sources(sources: &[String]) -> Vec<String> {
    sources
        .iter()
        .take(ClockReport::MOST_SOURCES)
        .map(|source| wire::clean_text(source, LONGEST_SOURCE))
        .collect()
}

/// The newest lines, cleaned, that could stand in a report if nothing else did:
/// however many there are, what is left to be cut is soon cut.
fn newest_lines(lines: &[String]) -> Vec<String> {
    let mut bytes = 0;
    let mut newest: Vec<String> = lines
        .iter()
        .rev()
        .map(|line| wire::clean_text(line, LONGEST_ERROR_LINE))
        .take_while(|line| {
            // Two quotes and a comma.
            bytes += line.len() as u64 + 3;
            bytes <= Report::MOST_BYTES
        })
        .collect();
    newest.reverse();
    newest
}

fn halve(text: &mut Option<String>) {
    if let Some(text) = text {
        *text = halved(text);
    }
}

fn halved(text: &str) -> String {
    text.chars().take(text.chars().count() / 2).collect()
}
