//! What people and machines get to read: progress and news on standard error, the
//! result on standard output.

pub mod console;
pub mod json;
pub mod news;
pub mod progress;
pub mod status;
pub mod table;
pub mod view;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;

/// How a result looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// One JSON object in one line.
    Json,
}

/// A time for people: UTC, to the millisecond.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
