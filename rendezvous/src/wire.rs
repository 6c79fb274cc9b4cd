//! The parts of a JSON document that all kinds share: its version, its times
//! and its durations, read strictly.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Timelike, Utc};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::document::Problem;

/// The version of all documents that this release reads and writes. A change of
/// form or meaning makes a new one: there is no reading "as far as we know it".
pub const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Header {
    version: Option<serde_json::Value>,
}

/// A JSON object and nothing else. Serde by itself also takes a list for a
/// struct and trusts the order of its items, which is no form of ours.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyObjects<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyObjects<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(OnlyObjects(PhantomData))
    }
}

/// Reads a document's form, of at most `longest` bytes: the version first, so
/// that a document of another release is told as that, and not as a list of
/// unknown fields.
pub fn read_form<T: DeserializeOwned>(text: &str, longest: u64) -> Result<T, Problem> {
    let bytes = text.len() as u64;
    if bytes > longest {
        return Err(Problem::TooLong { bytes, longest });
    }
    let Object(header): Object<Header> =
        serde_json::from_str(text).map_err(|error| problem(&error))?;
    match header.version {
        Some(serde_json::Value::Number(n)) if n.as_u64() == Some(u64::from(VERSION)) => {}
        found => {
            let found =
                found.map_or_else(|| "none".to_owned(), |value| shortened(&value.to_string()));
            return Err(Problem::Version {
                found,
                known: VERSION,
            });
        }
    }
    let Object(form) = serde_json::from_str(text).map_err(|error| problem(&error))?;
    Ok(form)
}

fn problem(error: &serde_json::Error) -> Problem {
    match error.classify() {
        serde_json::error::Category::Data => Problem::Form(shortened(&error.to_string())),
        _ => Problem::Syntax(shortened(&error.to_string())),
    }
}

/// An error quotes the input, and the input may be hostile: neither long nor
/// with control characters may it reach a log.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Nothing here is older than the program, and nanoseconds since 1970 leave an
/// i64 in 2262.
const YEARS: std::ops::RangeInclusive<i32> = 2020..=2261;

/// Reads an RFC 3339 time. A leap second (`:60`) is refused: no clock here
/// counts it, so the instant would be a matter of opinion.
pub fn read_time(field: &'static str, text: &str) -> Result<DateTime<Utc>, Problem> {
    let wrong = |detail: &str| Problem::Value {
        field,
        detail: format!("{:?} {detail}", shortened(text)),
    };
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| wrong("is no RFC 3339 time"))?
        .with_timezone(&Utc);
    if time.nanosecond() >= 1_000_000_000 {
        return Err(wrong("is a leap second, which cannot be waited for"));
    }
    if !YEARS.contains(&time.year()) {
        return Err(wrong("is not between the years 2020 and 2261"));
    }
    Ok(time)
}

/// Writes a time as RFC 3339 in UTC with nanoseconds.
pub fn write_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// The longest duration that is written or read unless a field says less: what
/// an i64 counts in nanoseconds, some 292 years. So any of them, and any
/// difference of two times, fits into a `TimeDelta` of nanoseconds.
pub const LONGEST: Duration = Duration::from_nanos(i64::MAX as u64);

/// Reads a whole number of nanoseconds, at most `longest`.
pub fn read_nanos(field: &'static str, nanos: u64, longest: Duration) -> Result<Duration, Problem> {
    let duration = Duration::from_nanos(nanos);
    if duration > longest {
        let detail = format!("{nanos} ns is over the limit of {} ns", longest.as_nanos());
        return Err(Problem::Value { field, detail });
    }
    Ok(duration)
}

/// A duration in nanoseconds, cut at [`LONGEST`].
pub fn write_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.min(LONGEST).as_nanos()).unwrap_or(u64::MAX)
}

/// A difference of two times in nanoseconds, cut at some 292 years either way.
pub fn write_delta(delta: TimeDelta) -> i64 {
    let limit = if delta < TimeDelta::zero() {
        i64::MIN
    } else {
        i64::MAX
    };
    delta.num_nanoseconds().unwrap_or(limit)
}

/// Reads a whole number within a range.
pub fn read_number(
    field: &'static str,
    number: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, Problem> {
    if range.contains(&number) {
        return Ok(number);
    }
    let detail = format!(
        "{number} is not between {} and {}",
        range.start(),
        range.end()
    );
    Err(Problem::Value { field, detail })
}

/// Text for people, such as a reason: one line of at most `longest` characters,
/// without control characters other than tabs. So it can neither forge a line of
/// a log nor reach a terminal's controls, and a character takes at most four bytes of JSON.
pub fn clean_text(text: &str, longest: usize) -> String {
    let mut clean: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .take(longest + 1)
        .collect();
    if clean.chars().count() > longest {
        let cut = clean
            .char_indices()
            .nth(longest.saturating_sub(1))
            .map_or(0, |(at, _)| at);
        clean.truncate(cut);
        clean.push('…');
    }
    clean
}

/// Writes a form of ours as JSON.
pub fn write(form: &impl Serialize) -> String {
    // A form is a struct of strings, numbers and lists with string keys, and
    // serde_json fails only on others.
    serde_json::to_string(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", 5, "")]
    #[case("12345", 5, "12345")]
    #[case("123456", 5, "1234…")]
    #[case("äöüßé!", 5, "äöüß…")]
    #[case("a\tb\r\n\u{1b}", 9, "a\tb   ")]
    #[case("123456", 1, "…")]
    fn a_text_is_one_line_of_limited_length(
        #[case] text: &str,
        #[case] longest: usize,
        #[case] clean: &str,
    ) {
        assert_eq!(clean_text(text, longest), clean);
        assert_eq!(clean_text(clean, longest), clean, "cleaned once, it stays");
    }

    #[test]
    fn what_is_beyond_the_range_of_a_field_is_written_as_its_end() {
        assert_eq!(write_nanos(Duration::MAX), i64::MAX as u64);
        assert_eq!(write_delta(TimeDelta::MAX), i64::MAX);
        assert_eq!(write_delta(TimeDelta::MIN), i64::MIN);
        assert_eq!(write_delta(TimeDelta::nanoseconds(-5)), -5);
    }
}
