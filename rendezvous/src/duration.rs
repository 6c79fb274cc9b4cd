//! A duration, as it stands on a command line.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Reads a duration such as `90s` or `10m` that has to lie within a range.
///
/// # Errors
/// A sentence for whoever gave it.
pub fn duration_within(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; give a duration such as 90s or 10m"))?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = range.into_inner();
    let (least, most) = (
        humantime::format_duration(least),
        humantime::format_duration(most),
    );
    Err(format!("it must be between {least} and {most}"))
}
