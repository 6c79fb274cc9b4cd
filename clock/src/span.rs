//! Arithmetic on times in whole nanoseconds that stops at the ends of the
//! range instead of overflowing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// `duration` with a sign, at most [`TimeDelta::MAX`].
pub(crate) fn signed(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// `delta` without its sign: 0 if it is negative.
pub(crate) fn positive(delta: TimeDelta) -> Duration {
    delta.to_std().unwrap_or(Duration::ZERO)
}

/// `a + b`, within the range of [`TimeDelta`].
pub(crate) fn sum(a: TimeDelta, b: TimeDelta) -> TimeDelta {
    a.checked_add(&b).unwrap_or(if b < TimeDelta::zero() {
        TimeDelta::MIN
    } else {
        TimeDelta::MAX
    })
}

/// `a − b`, within the range of [`TimeDelta`].
pub(crate) fn difference(a: TimeDelta, b: TimeDelta) -> TimeDelta {
    // MIN is −MAX in chrono, so every value has a negative.
    sum(a, -b)
}

/// The time `delta` after `utc`, within the range of [`DateTime<Utc>`].
pub(crate) fn after(utc: DateTime<Utc>, delta: TimeDelta) -> DateTime<Utc> {
    utc.checked_add_signed(delta)
        .unwrap_or(if delta < TimeDelta::zero() {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences_stop_at_the_ends_of_the_range() {
        let tick = TimeDelta::nanoseconds(1);
        assert_eq!(sum(TimeDelta::MAX, tick), TimeDelta::MAX);
        assert_eq!(sum(TimeDelta::MIN, -tick), TimeDelta::MIN);
        assert_eq!(difference(TimeDelta::MIN, tick), TimeDelta::MIN);
        assert_eq!(difference(TimeDelta::MAX, TimeDelta::MIN), TimeDelta::MAX);
        assert_eq!(difference(TimeDelta::MIN, TimeDelta::MAX), TimeDelta::MIN);
    }

    #[test]
    fn times_stop_at_the_ends_of_the_range() {
        let day = TimeDelta::days(1);
        assert_eq!(
            after(DateTime::<Utc>::MAX_UTC, day),
            DateTime::<Utc>::MAX_UTC
        );
        assert_eq!(
            after(DateTime::<Utc>::MIN_UTC, -day),
            DateTime::<Utc>::MIN_UTC
        );
        assert_eq!(
            after(DateTime::<Utc>::MIN_UTC, TimeDelta::MAX),
            DateTime::<Utc>::MAX_UTC
        );
    }

    #[test]
    fn conversions_stop_at_the_ends_of_the_range() {
        assert_eq!(signed(Duration::MAX), TimeDelta::MAX);
        assert_eq!(positive(TimeDelta::MIN), Duration::ZERO);
        assert_eq!(
            positive(signed(Duration::from_nanos(7))),
            Duration::from_nanos(7)
        );
    }
}
