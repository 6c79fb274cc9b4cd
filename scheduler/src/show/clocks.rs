//! The runners' clocks, in lines.

use rendezvous::ClockReport;

use crate::decide::sources::Sources;
use crate::decide::words::{bound, signed_span};

/// Where there is nothing to show.
const NOTHING: &str = "-";

/// Where the runners take their time from: whom they ask, whom they do not believe or reach, and
/// what to be warned of. Nothing where nobody is asked.
#[must_use]
pub fn lines(sources: &Sources<'_>) -> Vec<String> {
    if !sources.are_worth_telling() {
        return Vec::new();
    }
    let mut lines = match sources.warning() {
        Some(warning) => vec![format!("warning: {warning}")],
        None => vec![format!("time from {}", sources.line())],
    };
    lines.extend(sources.unused());
    lines.iter().map(|line| super::in_one_line(line)).collect()
}

/// What a machine's own clock is corrected by.
#[must_use]
pub fn correction(clock: &ClockReport) -> String {
    clock.offset.map_or_else(|| NOTHING.to_owned(), signed_span)
}

/// How wrong a clock may be.
#[must_use]
pub fn error(error: Option<std::time::Duration>) -> String {
    error.map_or_else(|| "unmeasured".to_owned(), bound)
}
