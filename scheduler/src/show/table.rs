//! The result for people: who started when, how far apart, and what was not well.

use chrono::{DateTime, Utc};

use super::clocks;
use super::grid::{Column, Grid};
use crate::decide::flaw::Flaw;
use crate::decide::outcome::{Outcome, Row};
use crate::decide::spread::Spread;
use crate::decide::words::{bound, runners, signed_span, span};
use crate::exit::Code;

/// Where there is nothing to show.
const NOTHING: &str = "-";

/// Where there is something, and it is worth nothing.
const WORTHLESS: &str = "?";

type Show = fn(&Outcome, &Row) -> String;

/// The result as lines of text.
#[must_use]
pub fn result(outcome: &Outcome) -> String {
    let mut text = headline(outcome);
    if !outcome.rows.is_empty() {
        let (table, cut) = table(outcome);
        text.push_str("\n\n");
        text.push_str(&table);
        text.push('\n');
        for line in whole_reasons(outcome, &cut) {
            text.push('\n');
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.push('\n');
    for line in summary(outcome) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn headline(outcome: &Outcome) -> String {
    let (run, stage) = (&outcome.run, &outcome.stage);
    match outcome.start_at {
        Some(start_at) => {
            let start_at = super::time(start_at);
            format!("run {run}, stage {stage}: start set for {start_at}")
        }
        None => format!("run {run}, stage {stage}: not started"),
    }
}

fn table(outcome: &Outcome) -> (String, Vec<bool>) {
    let columns = columns(outcome);
    let mut grid = Grid::new(columns.iter().map(|(column, _)| *column).collect());
    for row in &outcome.rows {
        grid.row(columns.iter().map(|(_, show)| show(outcome, row)));
    }
    grid.text()
}

fn columns(outcome: &Outcome) -> Vec<(Column, Show)> {
    let any = |has: fn(&Row) -> bool| outcome.rows.iter().any(has);
    let mut columns: Vec<(Column, Show)> =
        vec![(Column::left("runner"), |_, row| row.name.clone())];
    if any(|row| row.start.is_some()) {
        columns.push((Column::right("late"), lateness));
        columns.push((Column::right("clock error"), clock_error));
        if any(|row| correction_of_start(row).is_some()) {
            columns.push((Column::right("corrected by"), correction));
        }
        columns.push((Column::right("ran by"), running));
    }
    if any(load_came_later) {
        columns.push((Column::right("load"), load));
    }
    if any(|row| row.first_request.is_some()) {
        columns.push((Column::right("first request"), first_request));
    }
    columns.push((Column::right("exit"), exit_code));
    columns.push((Column::left("what happened"), |_, row| what_happened(row)));
    columns
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

/// A figure by the runner's clock, which may be worth nothing.
fn by_its_clock(row: &Row, figure: Option<String>) -> String {
    match (&row.start, row.believable_start()) {
        (Some(_), None) => WORTHLESS.to_owned(),
        _ => or_nothing(figure),
    }
}

fn lateness(_: &Outcome, row: &Row) -> String {
    let lateness = row.start.as_ref().map(|start| signed_span(start.lateness));
    by_its_clock(row, lateness)
}

fn clock_error(_: &Outcome, row: &Row) -> String {
    match (&row.start, &row.flaw) {
        (Some(_), Some(Flaw::ClockJumped)) => "jumped".to_owned(),
        (Some(_), Some(Flaw::ClockAtOdds(_))) => "wrong".to_owned(),
        (Some(start), _) => clocks::error(start.clock_error),
        (None, _) => NOTHING.to_owned(),
    }
}

fn correction_of_start(row: &Row) -> Option<String> {
    row.start.as_ref()?;
    let offset = row.clock.as_ref()?.offset?;
    Some(signed_span(offset))
}

fn correction(_: &Outcome, row: &Row) -> String {
    or_nothing(correction_of_start(row))
}

fn running(outcome: &Outcome, row: &Row) -> String {
    let running_at = row.start.as_ref().and_then(|start| start.running_at);
    by_its_clock(row, after_the_instant(outcome, running_at))
}

fn load(outcome: &Outcome, row: &Row) -> String {
    let load_at = row.start.as_ref().and_then(|start| start.load_at);
    by_its_clock(row, after_the_instant(outcome, load_at))
}

/// Where setup() is left to k6, the load begins when that is over.
fn load_came_later(row: &Row) -> bool {
    row.start
        .as_ref()
        .is_some_and(|start| start.load_at != start.running_at)
}

/// By the target's clock.
fn first_request(outcome: &Outcome, row: &Row) -> String {
    or_nothing(after_the_instant(
        outcome,
        row.first_request.map(|first| first.at),
    ))
}

fn after_the_instant(outcome: &Outcome, time: Option<DateTime<Utc>>) -> Option<String> {
    Some(signed_span(time? - outcome.start_at?))
}

fn exit_code(_: &Outcome, row: &Row) -> String {
    or_nothing(row.exit_code.map(|code| code.to_string()))
}

fn what_happened(row: &Row) -> String {
    match &row.flaw {
        Some(flaw) => format!("{}; {flaw}", row.fate),
        None => row.fate.to_string(),
    }
}

/// What the table had to cut and nothing below says: the end of a reason is often its cure.
fn whole_reasons(outcome: &Outcome, cut: &[bool]) -> Vec<String> {
    let rows = outcome.rows.iter().zip(cut);
    rows.filter(|(_, is_cut)| **is_cut)
        .map(|(row, _)| (row, what_happened(row)))
        .filter(|(_, reason)| !outcome.faults.iter().any(|fault| fault.contains(reason)))
        .map(|(row, reason)| super::in_one_line(&format!("{}: {reason}", row.name)))
        .collect()
}

fn summary(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    if outcome.start_at.is_some() {
        let spread = spread(outcome).map_or_else(String::new, |spread| format!("; {spread}"));
        let (started, wanted) = (outcome.started, runners(outcome.wanted as usize));
        lines.push(format!("{started} of {wanted} started{spread}"));
    }
    if let Some((spread, seen)) = outcome.first_request_spread() {
        lines.push(format!(
            "first requests of {} as the target saw them: spread {}",
            runners(seen),
            span(spread)
        ));
    }
    let sources = outcome.sources();
    lines.extend(clocks::lines(&sources));
    let told = sources.warning();
    let others = outcome
        .warnings
        .iter()
        .filter(|one| told.as_ref() != Some(one));
    lines.extend(others.map(|warning| super::in_one_line(&format!("warning: {warning}"))));
    if outcome.kind != "started" {
        lines.push(outcome.ending.clone());
    }
    lines.extend(
        outcome
            .faults
            .iter()
            .map(|fault| super::in_one_line(&format!("not well: {fault}"))),
    );
    lines.push(format!(
        "exit code {}: {}",
        outcome.code,
        meaning(outcome.code)
    ));
    lines
}

/// How far apart they started. A runner alone has no spread.
fn spread(outcome: &Outcome) -> Option<String> {
    if outcome.started < 2 {
        return None;
    }
    let Some(spread) = outcome.spread.filter(|spread| spread.starts > 1) else {
        return Some("spread unknown, as of no two of them can the clocks be believed".to_owned());
    };
    let of_whom = if spread.starts < outcome.started {
        format!(
            "spread of the {} whose clocks can be believed:",
            spread.starts
        )
    } else {
        "spread".to_owned()
    };
    let (measured, truly) = (span(spread.measured), truly(spread));
    Some(format!("{of_whom} measured {measured}, truly {truly}"))
}

fn truly(spread: Spread) -> String {
    let at_most = spread.at_most.and_then(|at_most| at_most.to_std().ok());
    match (at_most, spread.bounded) {
        (Some(at_most), bounded) if bounded == spread.starts => {
            format!("at most {}", bound(at_most))
        }
        (Some(at_most), bounded) => format!(
            "at most {} over the {bounded} whose clock's error is measured",
            bound(at_most)
        ),
        (None, 0) => "unknown, as no clock's error is measured".to_owned(),
        (None, _) => "unknown, as only one clock's error is measured".to_owned(),
    }
}

fn meaning(code: Code) -> &'static str {
    match code {
        Code::Well => "all is well",
        Code::Usage => "usage",
        Code::NoAccess => "the rendezvous cannot be used",
        Code::NoTime => "no agreement on the time",
        Code::NoQuorum => "not started",
        Code::Aborted => "aborted",
        Code::NotWell => "started, but not well",
        Code::Runner(99) => "a threshold of the test failed",
        Code::Runner(_) => "the worst of the runners' own codes",
    }
}
