//! The fixed-point times of NTP (RFC 5905 §6), in whole nanoseconds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::span;

/// 1900-01-01 to 1970-01-01 in seconds: where NTP and Unix start to count.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// When this was written, 2026-01-01, in seconds since 1900: no server that
/// tells the time truly says an earlier one. A timestamp has room for 136 years
/// only and means the first such time after this, so it is read rightly until
/// 2162, also on a machine that believes itself in 1970.
const WRITTEN_S: u64 = 1_767_225_600 + NTP_TO_UNIX_S;

const NS_PER_S: u64 = 1_000_000_000;

/// The NTP short format: seconds and 65,536ths of a second, 16 bits each, for
/// root delay and root dispersion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Short(u32);

impl Short {
    /// From the bits on the wire.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits on the wire.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The duration, rounded up to a nanosecond; below 65,536 s.
    pub const fn duration(self) -> Duration {
        let ns = (self.0 as u64 * NS_PER_S).div_ceil(1 << 16);
        Duration::from_nanos(ns)
    }
}

/// The NTP timestamp format: seconds since 1900 (modulo 2³², the *era*) and a
/// fraction, 32 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// All zero: no time is known.
    pub const ZERO: Self = Self(0);

    /// From the bits on the wire.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits on the wire.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The timestamp of `utc`, whatever its era, within a nanosecond.
    pub fn from_utc(utc: DateTime<Utc>) -> Self {
        // Two's complement is the arithmetic of eras.
        let seconds = utc.timestamp().cast_unsigned().wrapping_add(NTP_TO_UNIX_S);
        // chrono counts a leap second as nanoseconds beyond the last second.
        let ns = u64::from(utc.timestamp_subsec_nanos());
        let fraction = ((ns << 32) + NS_PER_S / 2) / NS_PER_S;
        Self((seconds << 32).wrapping_add(fraction))
    }

    /// The first time that this can mean after the constant date at which this
    /// was written; to the nearest nanosecond.
    pub fn utc(self) -> DateTime<Utc> {
        let era_seconds = self.0 >> 32;
        let since_written = era_seconds.wrapping_sub(WRITTEN_S) & 0xffff_ffff;
        let fraction = self.0 & 0xffff_ffff;
        let ns = (fraction * NS_PER_S + (1 << 31)) >> 32;
        let unix = Duration::from_secs(WRITTEN_S - NTP_TO_UNIX_S + since_written);
        span::after(
            DateTime::UNIX_EPOCH,
            span::signed(unix + Duration::from_nanos(ns)),
        )
    }

    /// How long after `earlier` this is, negative if before: the shorter way
    /// round the era, so right for two times less than 68 years apart. To the
    /// nearest nanosecond.
    pub fn since(self, earlier: Self) -> TimeDelta {
        let fractions = i128::from(self.0.wrapping_sub(earlier.0).cast_signed());
        let ns = (fractions * i128::from(NS_PER_S) + (1 << 31)) >> 32;
        // Within ±2³¹ s, so within ±2⁶³ ns.
        TimeDelta::nanoseconds(i64::try_from(ns).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn known_timestamps_are_read() {
        for (bits, expected) in [
            // The second before the constant date is only met 136 years on.
            (0xed00_3780_0000_0000, "2026-01-01T00:00:00Z"),
            (0xed00_377f_0000_0000, "2162-02-07T06:28:15Z"),
            (0xed00_3780_8000_0000, "2026-01-01T00:00:00.5Z"),
            (0xed00_3780_0000_0001, "2026-01-01T00:00:00Z"),
            (0xed00_3780_ffff_ffff, "2026-01-01T00:00:01Z"),
            // The era ends, and the next one begins.
            (0xffff_ffff_0000_0000, "2036-02-07T06:28:15Z"),
            (0x0000_0000_0000_0001, "2036-02-07T06:28:16Z"),
            (0x0000_0001_4000_0000, "2036-02-07T06:28:17.25Z"),
        ] {
            assert_eq!(Timestamp::from_bits(bits).utc(), utc(expected), "{bits:x}");
        }
    }

    #[test]
    fn times_of_any_era_are_written() {
        for (time, expected) in [
            ("1900-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00Z", 0x83aa_7e80_0000_0000),
            ("2036-02-07T06:28:16Z", 0),
            ("2026-01-01T00:00:00.75Z", 0xed00_3780_c000_0000),
            ("2172-03-15T12:56:31.5Z", 0xffff_ffff_8000_0000),
        ] {
            assert_eq!(Timestamp::from_utc(utc(time)).to_bits(), expected, "{time}");
        }
    }

    #[test]
    fn a_difference_goes_the_shorter_way_round_the_era() {
        let last = Timestamp::from_bits(0xffff_ffff_0000_0000);
        let first = Timestamp::from_bits(0x0000_0000_8000_0000);
        assert_eq!(first.since(last), TimeDelta::milliseconds(1_500));
        assert_eq!(last.since(first), TimeDelta::milliseconds(-1_500));
        let half_an_era = Timestamp::from_bits(1 << 63);
        assert_eq!(
            half_an_era.since(Timestamp::ZERO),
            TimeDelta::seconds(-(1 << 31))
        );
    }

    #[test]
    fn short_durations_are_rounded_up_to_a_nanosecond() {
        for (bits, ns) in [
            (0, 0),
            (1, 15_259),
            (0x8000, 500_000_000),
            (0x0001_0000, 1_000_000_000),
            (u32::MAX, 65_535_999_984_742),
        ] {
            assert_eq!(
                Short::from_bits(bits).duration(),
                Duration::from_nanos(ns),
                "{bits:x}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_time_of_the_next_136_years_survives_the_wire(
            seconds in 0..1_u64 << 32,
            ns in 0..1_000_000_000_u32,
        ) {
            let unix = (WRITTEN_S - NTP_TO_UNIX_S + seconds).cast_signed();
            let utc = DateTime::from_timestamp(unix, ns).expect("a time");
            prop_assert_eq!(Timestamp::from_utc(utc).utc(), utc);
        }

        #[test]
        fn a_timestamp_is_within_a_nanosecond_of_itself(bits: u64) {
            let timestamp = Timestamp::from_bits(bits);
            let off = Timestamp::from_utc(timestamp.utc()).since(timestamp);
            prop_assert!(off.abs() <= TimeDelta::nanoseconds(1));
        }

        #[test]
        fn a_difference_is_that_of_the_times(bits: u64, ns in -1_000_000_000_000_i64..1_000_000_000_000) {
            let delta = TimeDelta::nanoseconds(ns);
            let timestamp = Timestamp::from_bits(bits);
            let later = Timestamp::from_utc(timestamp.utc() + delta);
            let off = later.since(timestamp) - delta;
            prop_assert!(off.abs() <= TimeDelta::nanoseconds(1), "{}", off);
        }
    }
}
