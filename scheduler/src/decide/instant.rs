//! When is the instant?

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rendezvous::Plan;

/// Why an instant cannot be set, or cannot stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotSet {
    /// Too little time is left to reach all runners, or none.
    #[error(
        "the instant that was asked for ({}) is {} by the runners' clocks, and {} are needed to reach them all: \
         ask for a later one",
        show(*at), side(*left), humantime::format_duration(*least)
    )]
    TooSoon {
        /// The instant that was asked for.
        at: DateTime<Utc>,
        /// How far off it is; negative if past.
        left: TimeDelta,
        /// How far off it has to be.
        least: Duration,
    },
    /// So far off that it must be a mistake, as no runner waits that long.
    #[error(
        "the instant that was asked for ({}) is {} by the runners' clocks, more than a day: \
         ask for an earlier one",
        show(*at), side(*left)
    )]
    TooFar {
        /// The instant that was asked for.
        at: DateTime<Utc>,
        /// How far off it is.
        left: TimeDelta,
    },
    /// It was written, but so slowly that too little time is left.
    #[error(
        "the instant ({}) was {} by the runners' clocks when the store had it at last, too late for all of them \
         to hear of it: give a longer --lead, or a later --at",
        show(*at), side(*left)
    )]
    PublishedLate {
        /// The instant.
        at: DateTime<Utc>,
        /// How far off it was then; negative if past.
        left: TimeDelta,
    },
}

fn show(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn side(left: TimeDelta) -> String {
    let whole = Duration::from_millis(left.num_milliseconds().unsigned_abs());
    let whole = humantime::format_duration(whole);
    if left < TimeDelta::zero() {
        format!("{whole} past")
    } else {
        format!("{whole} away")
    }
}

/// The instant for a start that is decided now.
///
/// Without `at` it is the first whole second that is at least `lead` away. `at`
/// is taken as it is. `least`: the least time in which all runners hear of it.
///
/// # Errors
/// [`CannotSet`] if `at` is less than `least` or more than a day away.
pub fn instant(
    now: DateTime<Utc>,
    lead: Duration,
    at: Option<DateTime<Utc>>,
    least: Duration,
) -> Result<DateTime<Utc>, CannotSet> {
    match at {
        None => Ok(round_up(now + lead)),
        Some(at) => {
            fits(now, at, least)?;
            Ok(at)
        }
    }
}

/// Whether an instant that is asked for can still be set. `least`: the least time in which all
/// runners hear of it.
///
/// # Errors
/// [`CannotSet`] if it is less than `least` or more than a day away.
pub fn fits(now: DateTime<Utc>, at: DateTime<Utc>, least: Duration) -> Result<(), CannotSet> {
    let left = at - now;
    if left < delta(least) {
        return Err(CannotSet::TooSoon { at, left, least });
    }
    if left > delta(Plan::LONGEST_WAIT) {
        return Err(CannotSet::TooFar { at, left });
    }
    Ok(())
}

/// Whether an instant that stands in the store since just now can be kept by all runners.
/// `hearing`: the least time in which all of them hear of it.
///
/// # Errors
/// [`CannotSet::PublishedLate`] if it is less than that away.
pub fn published(
    now: DateTime<Utc>,
    at: DateTime<Utc>,
    hearing: Duration,
) -> Result<(), CannotSet> {
    let left = at - now;
    if left < delta(hearing) {
        return Err(CannotSet::PublishedLate { at, left });
    }
    Ok(())
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn round_up(time: DateTime<Utc>) -> DateTime<Utc> {
    let whole = time.trunc_subsecs(0);
    if whole == time {
        whole
    } else {
        whole + TimeDelta::seconds(1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::noon;
    use chrono::Timelike;
    use proptest::prelude::*;
    use rstest::rstest;

    const LEAST_LEAD: Duration = Duration::from_secs(1);

    #[rstest]
    #[case::already_whole(0, 3_000)]
    #[case::a_hair_over(1, 4_000)]
    #[case::a_hair_under(999, 4_000)]
    fn it_is_rounded_up_to_a_whole_second(#[case] ms: i64, #[case] expected: i64) {
        let now = noon() + TimeDelta::milliseconds(ms);
        let set = instant(now, Duration::from_secs(3), None, LEAST_LEAD).unwrap();
        assert_eq!(set, noon() + TimeDelta::milliseconds(expected));
    }

    #[test]
    fn one_that_is_asked_for_is_taken_as_it_is() {
        let at = noon() + TimeDelta::milliseconds(1_250);
        assert_eq!(
            instant(noon(), Duration::from_secs(3), Some(at), LEAST_LEAD),
            Ok(at)
        );
    }

    #[rstest]
    #[case::past(-90_000, "1m 30s past")]
    #[case::now(0, "0s away")]
    #[case::too_soon(999, "999ms away")]
    #[case::too_far(86_400_001, "more than a day")]
    fn one_that_cannot_be_set_is_refused(#[case] ms: i64, #[case] says: &str) {
        let at = noon() + TimeDelta::milliseconds(ms);
        let error = instant(noon(), LEAST_LEAD, Some(at), LEAST_LEAD).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }

    #[rstest]
    #[case::in_good_time(980, None)]
    #[case::just_in_time(500, None)]
    #[case::slowly(499, Some("was 499ms away"))]
    #[case::too_slowly(-2_000, Some("was 2s past"))]
    fn a_write_that_took_too_long_is_told(#[case] left_ms: i64, #[case] says: Option<&str>) {
        let now = noon() - TimeDelta::milliseconds(left_ms);
        let published = published(now, noon(), Duration::from_millis(500));
        let told = published.err().map(|error| error.to_string());
        assert_eq!(told.is_some(), says.is_some(), "{told:?}");
        assert!(
            told.unwrap_or_default().contains(says.unwrap_or_default()),
            "{says:?}"
        );
    }

    proptest! {
        #[test]
        fn it_is_whole_and_never_below_the_lead(
            ns in 0i64..4_000_000_000_000_000_000,
            lead_ms in 1_000u64..3_600_000,
        ) {
            let now = DateTime::<Utc>::from_timestamp_nanos(ns);
            let lead = Duration::from_millis(lead_ms);
            let set = instant(now, lead, None, LEAST_LEAD).unwrap();
            prop_assert_eq!(set.nanosecond(), 0);
            prop_assert!(set >= now + lead);
            prop_assert!(set < now + lead + TimeDelta::seconds(1));
        }
    }
}
