//! Words for people that several sentences share.

use std::time::Duration;

use chrono::TimeDelta;

/// How many names a line holds before the rest is only counted: more do not fit.
const NAMED: usize = 3;

/// So many runners.
#[must_use]
pub fn runners(number: usize) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} runner{s}")
}

/// The first of some names, and how many more there are.
#[must_use]
pub fn few(names: &[&str]) -> String {
    let (named, beyond) = names.split_at(names.len().min(NAMED));
    let named = named.join(", ");
    if beyond.is_empty() {
        named
    } else {
        format!("{named} and {} more", beyond.len())
    }
}

/// What a runner waits for, by its own word: a thing to wait for, or what is wrong with its clock.
#[must_use]
pub fn waits(what: &str) -> String {
    let is_complaint = what.starts_with("clock ") || what.starts_with("NTP ");
    if is_complaint {
        what.to_owned()
    } else {
        format!("waiting for {what}")
    }
}

/// A difference of times, to 10 µs: finer than that no start can be told from another. From
/// ten seconds on it is told in seconds, to 0.1 s.
#[must_use]
pub fn span(delta: TimeDelta) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people, to 10 µs")]
    let millis = delta.num_nanoseconds().map_or_else(
        || delta.num_milliseconds() as f64,
        |nanos| nanos as f64 / 1e6,
    );
    if millis.abs() < 10_000.0 {
        format!("{millis:.2} ms")
    } else {
        format!("{:.1} s", millis / 1e3)
    }
}

/// The same with its sign, always; what rounds to nothing is not negative.
#[must_use]
pub fn signed_span(delta: TimeDelta) -> String {
    let text = span(delta.abs());
    let is_nothing = !text.contains(|c: char| matches!(c, '1'..='9'));
    let sign = if delta < TimeDelta::zero() && !is_nothing {
        '-'
    } else {
        '+'
    };
    format!("{sign}{text}")
}

/// A bound, rounded up: whatever is shown holds.
#[must_use]
pub fn bound(most: Duration) -> String {
    let most = TimeDelta::from_std(most).unwrap_or(TimeDelta::MAX);
    let quantum = if most < TimeDelta::seconds(10) {
        10_000
    } else {
        100_000_000
    };
    match most.num_nanoseconds() {
        Some(nanos) => span(TimeDelta::nanoseconds(
            (nanos / quantum)
                .saturating_add(i64::from(nanos % quantum > 0))
                .saturating_mul(quantum),
        )),
        None => span(most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn one_is_one() {
        assert_eq!(
            [0, 1, 2].map(runners),
            ["0 runners", "1 runner", "2 runners"]
        );
    }

    #[test]
    fn a_crowd_is_counted() {
        assert_eq!(few(&["a", "b", "c"]), "a, b, c");
        assert_eq!(few(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[rstest]
    #[case(
        "k6 to build its VUs, 30 so far",
        "waiting for k6 to build its VUs, 30 so far"
    )]
    #[case(
        "clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer",
        "clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer"
    )]
    #[case(
        "NTP is required, and the time is from: kernel, unverified",
        "NTP is required, and the time is from: kernel, unverified"
    )]
    fn what_a_runner_waits_for_reads_well(#[case] what: &str, #[case] told: &str) {
        assert_eq!(waits(what), told);
    }

    #[rstest]
    #[case(0, "+0.00 ms")]
    #[case(-4_999, "+0.00 ms")]
    #[case(-5_004_999, "-5.00 ms")]
    #[case(1_500_000_000, "+1500.00 ms")]
    #[case(420_040_000_000, "+420.0 s")]
    #[case(i64::MIN, "-9223372036.9 s")]
    fn a_span_has_a_sensible_unit(#[case] nanos: i64, #[case] told: &str) {
        assert_eq!(signed_span(TimeDelta::nanoseconds(nanos)), told);
    }

    #[rstest]
    #[case(0, "0.00 ms")]
    #[case(1, "0.01 ms")]
    #[case(2_300, "0.01 ms")]
    #[case(50_000_000, "50.00 ms")]
    #[case(50_000_001, "50.01 ms")]
    #[case(420_000_000_001, "420.1 s")]
    #[case(u64::MAX, "18446744073.7 s")]
    fn a_bound_is_rounded_up(#[case] nanos: u64, #[case] told: &str) {
        assert_eq!(bound(Duration::from_nanos(nanos)), told);
    }
}
