//! What stands in the store, for people and for machines.

use chrono::{DateTime, Utc};
use rendezvous::{Board, PlanState, Report, RunId, StageName};
use serde::Serialize;

use super::grid::{Column, Grid};
use super::{clocks, json};
use crate::decide::muster::without;
use crate::decide::natural;
use crate::decide::sources::{Clock, Sources};
use crate::decide::words::{runners, waits};

/// What stands in the store for a stage of a run.
#[derive(Debug, Clone)]
pub struct Status {
    /// Where the store is.
    pub location: String,
    /// The run that was asked for.
    pub run: RunId,
    /// The stage that was asked for.
    pub stage: StageName,
    /// Plan and abort, of whichever run.
    pub board: Board,
    /// The reports of the run and stage. Their age is not known.
    pub reports: Vec<Report>,
    /// What could not be read.
    pub unreadable: Vec<String>,
}

impl Status {
    /// Sorts the runners the way people look for them.
    pub fn sort(&mut self) {
        self.reports
            .sort_by_cached_key(|report| natural::key(&report.name));
    }
}

/// It as lines of text.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut lines = vec![
        format!(
            "run {}, stage {}, in {}",
            status.run, status.stage, status.location
        ),
        plan(status),
        abort(status),
    ];
    lines.extend(status.unreadable.iter().cloned());
    if status.reports.is_empty() {
        lines.push("no runner has reported".to_owned());
    } else {
        lines
            .push("runners, each as of its last report, the age of which is not known:".to_owned());
        lines.push(String::new());
        lines.extend(table(&status.reports));
        lines.push(String::new());
        lines.extend(clocks_of(&status.reports));
    }
    lines.join("\n") + "\n"
}

fn plan(status: &Status) -> String {
    match &status.board.plan {
        Err(error) => error.to_string(),
        Ok(None) => "no plan".to_owned(),
        Ok(Some(plan)) if plan.run != status.run => format!("a plan of another run, {}", plan.run),
        Ok(Some(plan)) => match &plan.state {
            PlanState::Gathering { left } => format!(
                "plan {}: gathering {}, {} left when it was written",
                plan.id,
                runners(plan.runners_wanted as usize),
                humantime::format_duration(*left)
            ),
            PlanState::Set { start_at, quorum } => format!(
                "plan {}: start set for {} with {quorum} of {}",
                plan.id,
                super::time(*start_at),
                runners(plan.runners_wanted as usize)
            ),
        },
    }
}

fn abort(status: &Status) -> String {
    match &status.board.abort {
        Err(error) => error.to_string(),
        Ok(Some(abort)) if abort.run == status.run => {
            format!("aborted by {}: {}", abort.by, abort.why)
        }
        Ok(_) => "not aborted".to_owned(),
    }
}

fn table(reports: &[Report]) -> Vec<String> {
    let mut grid = Grid::new(vec![
        Column::left("runner"),
        Column::left("phase"),
        Column::left("reported at (UTC)"),
        Column::right("exit"),
        Column::left("what it says"),
    ]);
    for report in reports {
        grid.row([
            report.name.clone(),
            report.phase.to_string(),
            super::time(report.clock.utc),
            report
                .exit_code
                .map_or_else(|| "-".to_owned(), |code| code.to_string()),
            says(report),
        ]);
    }
    let (table, cut) = grid.text();
    let cut = reports.iter().zip(cut).filter(|(_, is_cut)| *is_cut);
    let whole: Vec<_> = cut
        .map(|(report, _)| super::in_one_line(&format!("{}: {}", report.name, says(report))))
        .collect();
    let mut lines = vec![table];
    if !whole.is_empty() {
        lines.push(String::new());
        lines.extend(whole);
    }
    lines
}

/// The runners' clocks: a line where nobody measures any and all are the same, else a table.
fn clocks_of(reports: &[Report]) -> Vec<String> {
    let clocks: Vec<_> = reports.iter().map(Clock::of).collect();
    let sources = Sources::of(&clocks);
    if !sources.are_worth_telling() {
        return vec![super::in_one_line(&format!("clocks: {}", sources.line()))];
    }
    let mut grid = Grid::new(vec![
        Column::left("runner"),
        Column::right("corrected by"),
        Column::right("clock error"),
        Column::left("time from"),
    ]);
    for report in reports {
        let clock = &report.clock;
        grid.row([
            report.name.clone(),
            clocks::correction(clock),
            clocks::error(clock.error),
            clock.source.clone(),
        ]);
    }
    let mut lines = vec!["clocks:".to_owned(), String::new(), grid.text().0];
    lines.push(String::new());
    lines.extend(clocks::lines(&sources));
    lines
}

fn says(report: &Report) -> String {
    match (&report.reason, &report.waiting_for) {
        (Some(reason), _) => without(reason, Some(report.phase)).to_owned(),
        (None, waiting_for) => waiting_for.as_deref().map(waits).unwrap_or_default(),
    }
}

#[derive(Serialize)]
struct StatusForm<'a> {
    version: u32,
    store: &'a str,
    run: &'a str,
    stage: &'a str,
    plan: Option<PlanForm<'a>>,
    plan_error: Option<String>,
    abort: Option<AbortForm<'a>>,
    abort_error: Option<String>,
    unreadable: &'a [String],
    runners: Vec<RunnerForm<'a>>,
}

#[derive(Serialize)]
struct PlanForm<'a> {
    run: &'a str,
    plan: &'a str,
    start_at: Option<String>,
    quorum: Option<u32>,
    seconds_left: Option<u64>,
    wanted: u32,
}

#[derive(Serialize)]
struct AbortForm<'a> {
    run: &'a str,
    by: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct RunnerForm<'a> {
    runner: &'a str,
    name: &'a str,
    phase: String,
    plan: Option<&'a str>,
    reported_at: String,
    clock: json::ClockForm<'a>,
    waiting_for: Option<&'a str>,
    vus: Option<u64>,
    fired_at: Option<String>,
    exit_code: Option<u8>,
    reason: Option<&'a str>,
    k6_errors: &'a [String],
}

/// It as one line of JSON, in the style of the result.
#[must_use]
pub fn json(status: &Status) -> String {
    let plan = status.board.plan.as_ref();
    let abort = status.board.abort.as_ref();
    json::line(&StatusForm {
        version: json::VERSION,
        store: &status.location,
        run: status.run.as_str(),
        stage: status.stage.as_str(),
        plan: plan.ok().and_then(Option::as_ref).map(plan_form),
        plan_error: plan.err().map(ToString::to_string),
        abort: abort.ok().and_then(Option::as_ref).map(|abort| AbortForm {
            run: abort.run.as_str(),
            by: &abort.by,
            why: &abort.why,
        }),
        abort_error: abort.err().map(ToString::to_string),
        unreadable: &status.unreadable,
        runners: status.reports.iter().map(runner_form).collect(),
    })
}

fn plan_form(plan: &rendezvous::Plan) -> PlanForm<'_> {
    let (quorum, seconds_left) = match &plan.state {
        PlanState::Set { quorum, .. } => (Some(*quorum), None),
        PlanState::Gathering { left } => (None, Some(left.as_secs())),
    };
    PlanForm {
        run: plan.run.as_str(),
        plan: plan.id.as_str(),
        start_at: plan.start_at().map(json::time),
        quorum,
        seconds_left,
        wanted: plan.runners_wanted,
    }
}

fn runner_form(report: &Report) -> RunnerForm<'_> {
    let time = |time: DateTime<Utc>| json::time(time);
    RunnerForm {
        runner: report.runner.as_str(),
        name: &report.name,
        phase: report.phase.to_string(),
        plan: report.plan.as_ref().map(|plan| plan.as_str()),
        reported_at: time(report.clock.utc),
        clock: json::clock(&report.clock),
        waiting_for: report.waiting_for.as_deref(),
        vus: report.vus,
        fired_at: report.start.as_ref().map(|start| time(start.fired_at)),
        exit_code: report.exit_code,
        reason: report.reason.as_deref(),
        k6_errors: &report.k6_errors,
    }
}
