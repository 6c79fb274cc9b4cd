//! What people and machines get to read: progress and news on standard error, the
//! result on standard output.

mod clocks;
pub mod console;
mod grid;
pub mod json;
pub mod news;
pub mod progress;
pub mod status;
pub mod table;
pub mod view;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;
use rendezvous::Terms;

use crate::decide::words::runners;

/// How a result looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// One JSON object in one line.
    Json,
}

/// The terms of a start for people, with the number of runners that it is for.
#[must_use]
pub fn terms(wanted: u32, terms: &Terms) -> String {
    let duration = |what: &str, duration: Option<Duration>| {
        duration.map(|duration| format!("{what} {}", humantime::format_duration(duration)))
    };
    let parts = [
        Some(runners(wanted as usize)),
        terms.late.map(|late| format!("late ones {late}")),
        duration("late tolerance", terms.late_tolerance),
        duration("clock error at most", terms.max_clock_error),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

/// A text that keeps to its line and its column: what agents report may hold a tab, which is
/// as wide as the terminal likes.
#[must_use]
pub fn in_one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A time for people: UTC, to the millisecond.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
