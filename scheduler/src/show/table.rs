//! The result for people: who started when, how far apart, and what was not well.

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use crate::decide::outcome::{Outcome, Row};
use crate::decide::spread::{Spread, millis};
use crate::decide::words::runners;
use crate::exit::Code;

/// Where there is nothing to show.
const NOTHING: &str = "-";

type Show = fn(&Outcome, &Row) -> String;

struct Column {
    header: &'static str,
    right: bool,
    show: Show,
}

/// The result as lines of text.
#[must_use]
pub fn result(outcome: &Outcome) -> String {
    let mut text = headline(outcome);
    if !outcome.rows.is_empty() {
        text.push_str("\n\n");
        text.push_str(&table(outcome).trim_fmt());
        text.push('\n');
        for line in long_reasons(outcome) {
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

fn table(outcome: &Outcome) -> Table {
    let columns = columns(outcome);
    let cell = |column: &Column, text: String| {
        let cell = Cell::new(text);
        if column.right {
            cell.set_alignment(CellAlignment::Right)
        } else {
            cell
        }
    };
    let header = columns.iter().map(|one| cell(one, one.header.to_owned()));
    let mut table = Table::new();
    // As wide as needed and no wider, whatever the terminal: a log is not cut.
    table
        .load_style(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for row in &outcome.rows {
        let show = |one: &Column| cell(one, (one.show)(outcome, row));
        table.add_row(columns.iter().map(show));
    }
    table
}

fn columns(outcome: &Outcome) -> Vec<Column> {
    let column = |header, right, show| Column {
        header,
        right,
        show,
    };
    let any = |has: fn(&Row) -> bool| outcome.rows.iter().any(has);
    let mut columns = vec![column("runner", false, |_, row| {
        super::in_one_line(&row.name)
    })];
    if any(|row| row.start.is_some()) {
        columns.push(column("fired at (UTC)", true, fired_at));
        columns.push(column("late", true, lateness));
        columns.push(column("clock error", true, clock_error));
        columns.push(column("running", true, running));
    }
    if any(load_came_later) {
        columns.push(column("load", true, load));
    }
    if any(|row| row.first_request.is_some()) {
        columns.push(column("first request", true, first_request));
    }
    columns.push(column("exit", true, exit_code));
    columns.push(column("what happened", false, what_happened));
    columns
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

/// The day is in the headline.
fn fired_at(_: &Outcome, row: &Row) -> String {
    let time = |time: DateTime<Utc>| time.format("%H:%M:%S%.3f").to_string();
    or_nothing(row.start.as_ref().map(|start| time(start.fired_at)))
}

fn lateness(_: &Outcome, row: &Row) -> String {
    or_nothing(row.start.as_ref().map(|start| signed(start.lateness)))
}

fn clock_error(_: &Outcome, row: &Row) -> String {
    or_nothing(row.start.as_ref().map(|start| {
        let bound = start
            .clock_error
            .and_then(|error| TimeDelta::from_std(error).ok());
        bound.map_or_else(
            || "unmeasured".to_owned(),
            |bound| format!("{} ms", millis(bound)),
        )
    }))
}

fn running(outcome: &Outcome, row: &Row) -> String {
    after_the_instant(
        outcome,
        row.start.as_ref().and_then(|start| start.running_at),
    )
}

fn load(outcome: &Outcome, row: &Row) -> String {
    after_the_instant(outcome, row.start.as_ref().and_then(|start| start.load_at))
}

/// Where setup() is left to k6, the load begins when that is over.
fn load_came_later(row: &Row) -> bool {
    row.start
        .as_ref()
        .is_some_and(|start| start.load_at != start.running_at)
}

fn first_request(outcome: &Outcome, row: &Row) -> String {
    after_the_instant(outcome, row.first_request.map(|first| first.at))
}

fn after_the_instant(outcome: &Outcome, time: Option<DateTime<Utc>>) -> String {
    or_nothing(
        time.zip(outcome.start_at)
            .map(|(time, start_at)| signed(time - start_at)),
    )
}

fn exit_code(_: &Outcome, row: &Row) -> String {
    or_nothing(row.exit_code.map(|code| code.to_string()))
}

/// The most of a reason that a table shows; the whole of it stands below.
const LONGEST_REASON: usize = 60;

fn what_happened(_: &Outcome, row: &Row) -> String {
    let text = super::in_one_line(&row.fate.to_string());
    if is_long(&text) {
        let cut: String = text.chars().take(LONGEST_REASON - 1).collect();
        cut + "…"
    } else {
        text
    }
}

fn is_long(text: &str) -> bool {
    text.chars().count() > LONGEST_REASON
}

/// What the table had to cut: the end of a reason is often its cure.
fn long_reasons(outcome: &Outcome) -> Vec<String> {
    let reasons = outcome
        .rows
        .iter()
        .map(|row| (&row.name, row.fate.to_string()));
    let long = reasons.filter(|(_, text)| is_long(text));
    long.map(|(name, text)| super::in_one_line(&format!("{name}: {text}")))
        .collect()
}

fn signed(delta: TimeDelta) -> String {
    let sign = if delta < TimeDelta::zero() { "" } else { "+" };
    format!("{sign}{} ms", millis(delta))
}

fn summary(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    if outcome.start_at.is_some() {
        let spread = outcome.spread.map_or_else(String::new, spread_text);
        let (started, wanted) = (outcome.started, runners(outcome.wanted as usize));
        lines.push(format!("{started} of {wanted} started{spread}"));
    }
    if let Some((spread, seen)) = outcome.first_request_spread() {
        lines.push(format!(
            "first requests of {} as the target saw them: spread {} ms",
            runners(seen),
            millis(spread)
        ));
    }
    if outcome.kind != "started" {
        lines.push(outcome.ending.clone());
    }
    lines.extend(
        outcome
            .faults
            .iter()
            .map(|fault| format!("not well: {fault}")),
    );
    lines.push(format!(
        "exit code {}: {}",
        outcome.code,
        meaning(outcome.code)
    ));
    lines
}

fn spread_text(spread: Spread) -> String {
    let measured = millis(spread.measured);
    match spread.at_most {
        Some(at_most) => format!(
            "; spread {measured} ms as measured, {} ms at most with the clocks' errors",
            millis(at_most)
        ),
        None => format!("; spread {measured} ms by the runners' clocks, whose error is unmeasured"),
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
