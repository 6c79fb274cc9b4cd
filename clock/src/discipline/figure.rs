//! Durations for people: three digits and a unit.

use std::{fmt, time::Duration};

use chrono::TimeDelta;

use crate::span;

/// A duration as `2.34 µs`, `180 ms`, `1.25 s`, `10800 s`. Rounded up, as bounds
/// are: what is over a limit looks so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure(pub(crate) Duration);

/// From here on seconds are told, whole ones if there are many of them.
const SECOND: u128 = 1_000_000_000;

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        let digits = nanoseconds.checked_ilog10().unwrap_or(0);
        let quantum = 10_u128.pow(digits.saturating_sub(2)).min(SECOND);
        let rounded = nanoseconds.div_ceil(quantum) * quantum;
        let (unit, name) = match rounded {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            1_000_000..SECOND => (1_000_000, "ms"),
            _ => (SECOND, "s"),
        };
        write!(f, "{}", rounded / unit)?;
        let hundredths = format!("{:02}", rounded % unit * 100 / unit);
        match hundredths.trim_end_matches('0') {
            "" => write!(f, " {name}"),
            hundredths => write!(f, ".{hundredths} {name}"),
        }
    }
}

/// The same with a sign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed(pub(crate) TimeDelta);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < TimeDelta::zero() { '-' } else { '+' };
        write!(f, "{sign}{}", Figure(span::positive(self.0.abs())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_three_digits_and_a_unit() {
        for (nanoseconds, told) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (2_340, "2.34 µs"),
            (42_000, "42 µs"),
            (180_000_000, "180 ms"),
            (49_960_000, "50 ms"),
            (999_001, "1 ms"),
            (50_000_000, "50 ms"),
            (50_000_001, "50.1 ms"),
            (1_250_000_000, "1.25 s"),
            (420_000_000_000, "420 s"),
            (10_800_999_000_000, "10801 s"),
        ] {
            assert_eq!(Figure(Duration::from_nanos(nanoseconds)).to_string(), told);
        }
    }

    #[test]
    fn a_difference_has_a_sign() {
        assert_eq!(Signed(TimeDelta::milliseconds(-130)).to_string(), "-130 ms");
        assert_eq!(Signed(TimeDelta::seconds(2)).to_string(), "+2 s");
        assert_eq!(Signed(TimeDelta::zero()).to_string(), "+0 ns");
        assert!(Signed(TimeDelta::MIN).to_string().starts_with('-'));
    }
}
