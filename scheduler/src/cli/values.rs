//! Values on the command line, read and checked.

use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike, Utc};
use clap::builder::TypedValueParser;
use rendezvous::{Plan, Terms, duration_within};

use crate::decide::lead::LeastLead;

/// An hour: a longer lead is an instant, and there is `--at` for that.
const LONGEST_LEAD: Duration = Duration::from_secs(3600);

/// How many runners there are to be.
pub fn runners() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=i64::from(Plan::MOST_RUNNERS))
}

/// How long a quorum may be waited for.
pub fn max_wait(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_secs(1)..=Plan::LONGEST_WAIT)
}

/// How long the rest is waited for once the minimum is there.
pub fn grace_period(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=Plan::LONGEST_WAIT)
}

/// How far ahead the instant is set.
pub fn lead(text: &str) -> Result<Duration, String> {
    duration_within(text, LeastLead::IN_A_DIRECTORY.whole()..=LONGEST_LEAD)
}

/// How late is still on time.
pub fn tolerance(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=Terms::LONGEST_TOLERANCE)
}

/// How wide a clock's error may be: not nothing, for no clock is that good.
pub fn clock_error(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_nanos(1)..=Terms::LONGEST_TOLERANCE)
}

/// A duration that only has to be there and to be sensible.
pub fn positive(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(1)..=Plan::LONGEST_WAIT)
}

/// An instant: RFC 3339, so with a zone.
pub fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|error| {
        format!("{error}; give an RFC 3339 time with its zone, such as 2030-01-31T12:00:00Z")
    })?;
    let time = time.with_timezone(&Utc);
    if time.nanosecond() >= 1_000_000_000 {
        return Err("a leap second cannot be waited for: no clock here counts it".to_owned());
    }
    // What a plan can hold.
    if !(2020..=2261).contains(&time.year()) {
        return Err("it must be between the years 2020 and 2261".to_owned());
    }
    Ok(time)
}

/// Where a target can be asked for what it saw.
pub fn http_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    if url.scheme() == "http" {
        Ok(text.to_owned())
    } else {
        Err("give an http:// URL".to_owned())
    }
}
