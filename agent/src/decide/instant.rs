//! The instant is here: may the resume be sent?

use std::time::Duration;

use chrono::{DateTime, Utc};
use clock::{Reading, Status, Unfit};
use rendezvous::LatePolicy;

use super::admission::is_late;
use super::machine::Triggered;

/// When to start, and how late is still on time.
#[derive(Debug, Clone, Copy)]
pub struct Instant {
    /// When to resume k6.
    pub start_at: DateTime<Utc>,
    /// What to do when late.
    pub late: LatePolicy,
    /// How late is still on time.
    pub tolerance: Duration,
}

/// Whether the resume may be sent at `now`, by a clock of this `fitness` then.
///
/// Lateness that is certain comes before a clock that is not good enough: after a suspend the error is seconds, and
/// the instant is past by minutes all the same.
///
/// # Errors
/// [`Triggered::TooLate`] or [`Triggered::Unfit`].
pub fn may_fire(
    instant: &Instant,
    now: &Reading,
    fitness: Result<(), Unfit>,
) -> Result<(), Triggered> {
    let is_late = |at: DateTime<Utc>| {
        instant.late != LatePolicy::Join && is_late(at - instant.start_at, instant.tolerance)
    };
    let too_late = Triggered::TooLate(now.midpoint() - instant.start_at);
    let may_show_anything = matches!(now.status, Status::Unsynchronised | Status::InDoubt);
    if !may_show_anything && is_late(now.earliest) {
        return Err(too_late);
    }
    fitness.map_err(|unfit| Triggered::Unfit(unfit.to_string()))?;
    if is_late(now.midpoint()) {
        return Err(too_late);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeDelta;
    use clock::{Knowledge, SourceKind, Terms, fit, ntp::Leap};
    use rstest::rstest;

    const NTP: Status = Status::Synchronised {
        by: SourceKind::Ntp,
    };

    fn start_at() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    /// What comes of it `late_ms` after the instant by a clock that may be off by `bound_ms`, of which 50 are allowed.
    fn at(late: LatePolicy, status: Status, late_ms: i64, bound_ms: i64) -> Result<(), Triggered> {
        let utc = start_at() + TimeDelta::milliseconds(late_ms);
        let now = Reading {
            earliest: utc - TimeDelta::milliseconds(bound_ms),
            latest: utc + TimeDelta::milliseconds(bound_ms),
            held: utc,
            status,
        };
        let knowledge = Knowledge {
            reading: now,
            offset: None,
            by: Vec::new(),
            sources: Vec::new(),
            obstacle: None,
            leap: Leap::None,
            witness_disagrees: None,
            firing: None,
        };
        let terms = Terms {
            budget: Duration::from_millis(50),
            require_ntp: false,
        };
        let instant = Instant {
            start_at: start_at(),
            late,
            tolerance: Duration::from_secs(1),
        };
        may_fire(&instant, &now, fit(&now, &knowledge, terms))
    }

    #[rstest]
    #[case(0)]
    #[case(1000)]
    fn on_time_by_a_good_clock_it_is_sent(#[case] late_ms: i64) {
        assert_eq!(at(LatePolicy::Refuse, NTP, late_ms, 50), Ok(()));
    }

    #[rstest]
    #[case::by_a_good_clock(1001, 10)]
    #[case::after_a_suspend_of_five_minutes(300_000, 3_000)]
    #[case::just_certain(4_001, 3_000)]
    fn lateness_that_is_certain_is_lateness_however_wide_the_clock(
        #[case] late_ms: i64,
        #[case] bound_ms: i64,
        #[values(LatePolicy::Refuse, LatePolicy::Skip)] late: LatePolicy,
    ) {
        let too_late = Triggered::TooLate(TimeDelta::milliseconds(late_ms));
        assert_eq!(at(late, NTP, late_ms, bound_ms), Err(too_late));
    }

    #[rstest]
    #[case::it_may_be_on_time(NTP, 4_000)]
    #[case::in_doubt(Status::InDoubt, 300_000)]
    #[case::not_measured(Status::Unsynchronised, 300_000)]
    fn where_lateness_is_not_certain_the_clock_is_the_reason(
        #[case] status: Status,
        #[case] late_ms: i64,
    ) {
        let refused = at(LatePolicy::Skip, status, late_ms, 3_000);
        assert!(matches!(refused, Err(Triggered::Unfit(_))), "{refused:?}");
    }

    #[test]
    fn who_joins_is_never_late_and_still_needs_a_clock() {
        assert_eq!(at(LatePolicy::Join, NTP, 300_000, 50), Ok(()));
        let refused = at(LatePolicy::Join, NTP, 300_000, 51);
        assert!(matches!(refused, Err(Triggered::Unfit(_))), "{refused:?}");
    }
}
