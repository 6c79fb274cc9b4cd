//! What to do with the time that is left.

use std::time::Duration;

/// The longest sleep: a step or a suspend is noticed within this.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// From here on the rest is slept in one piece. A slew by a tenth, the most that
/// Linux allows, can misplace the end of it by 0.1 ms, which is what waking up
/// costs anyway; shorter pieces would each cost that again.
const LAST_SLEEP: Duration = Duration::from_millis(1);

/// The next thing for a waiter to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Sleep this long, then look again.
    Sleep(Duration),
    /// Look again at once.
    Spin,
    /// It is time.
    Return,
}

/// Decides by what is `left` until the instant, of which the last `spin` are to
/// be spun through.
pub(super) fn next(left: Duration, spin: Duration) -> Next {
    let to_sleep = left.saturating_sub(spin);
    if left.is_zero() {
        Next::Return
    } else if to_sleep.is_zero() {
        Next::Spin
    } else if to_sleep <= LAST_SLEEP {
        Next::Sleep(to_sleep)
    } else {
        Next::Sleep((to_sleep - to_sleep / 10).min(LONGEST_SLEEP))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const NS: Duration = Duration::from_nanos(1);

    #[test]
    fn nothing_left_is_time_to_return() {
        assert_eq!(next(Duration::ZERO, MS), Next::Return);
        assert_eq!(next(Duration::ZERO, Duration::ZERO), Next::Return);
    }

    #[test]
    fn a_long_wait_is_slept_in_slices_of_a_quarter_second() {
        let slice = Next::Sleep(250 * MS);
        assert_eq!(next(Duration::MAX, MS), slice);
        assert_eq!(next(600_000 * MS, Duration::ZERO), slice);
        assert_eq!(next(279 * MS, MS), slice);
    }

    #[test]
    fn below_that_nine_tenths_are_slept_at_a_time() {
        assert_eq!(next(101 * MS, MS), Next::Sleep(90 * MS));
        assert_eq!(next(11 * MS, MS), Next::Sleep(9 * MS));
        assert_eq!(next(10 * MS, Duration::ZERO), Next::Sleep(9 * MS));
    }

    #[test]
    fn the_last_sleep_is_all_that_is_left_before_the_spin() {
        assert_eq!(next(2 * MS, MS), Next::Sleep(MS));
        assert_eq!(next(MS + NS, MS), Next::Sleep(NS));
    }

    #[test]
    fn the_last_stretch_is_spun() {
        assert_eq!(next(MS, MS), Next::Spin);
        assert_eq!(next(NS, MS), Next::Spin);
    }

    #[test]
    fn without_a_spin_the_rest_is_slept_to_the_end() {
        assert_eq!(next(MS, Duration::ZERO), Next::Sleep(MS));
        assert_eq!(next(NS, Duration::ZERO), Next::Sleep(NS));
    }

    proptest! {
        /// A tenth is what a slew can add to a sleep: even then it ends in time.
        #[test]
        fn no_sleep_but_the_last_reaches_into_the_spin_at_the_fastest_slew(
            left_ns in 0..u64::MAX,
            spin_ns in 0..2_000_000_u64,
        ) {
            let (left, spin) = (Duration::from_nanos(left_ns), Duration::from_nanos(spin_ns));
            match next(left, spin) {
                Next::Sleep(duration) => {
                    prop_assert!(!duration.is_zero());
                    prop_assert!(duration <= LONGEST_SLEEP);
                    let to_sleep = left - spin;
                    let longest = if to_sleep > LAST_SLEEP { duration / 9 * 10 } else { duration };
                    prop_assert!(longest <= to_sleep);
                }
                Next::Spin => prop_assert!(!left.is_zero() && left <= spin),
                Next::Return => prop_assert!(left.is_zero()),
            }
        }
    }
}
