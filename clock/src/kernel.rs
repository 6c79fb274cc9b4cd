//! What the kernel knows of its clock from the machine's own time daemon.
//!
//! It is hearsay: a daemon that keeps the clock well may leave it marked as
//! unsynchronised (chronyd without `rtcsync`), and another writes errors of zero
//! whatever the truth is. So it is taken only where no time server can be asked
//! and what is said is plausible; the name it goes by is *kernel, unverified*.

use std::{io, mem::MaybeUninit, time::Duration};

use thiserror::Error;

use crate::{
    Clock,
    ntp::{Leap, Sample},
    wall::WallReading,
};

/// What is added to the kernel's own maximum error. The kernel raises that by
/// 500 ppm from one update to the next, but once a second, and does not count
/// what is still being slewed.
const MARGIN: Duration = Duration::from_millis(10);

/// Why the kernel's word is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KernelFailure {
    /// It does not answer: a sandbox forbids to ask (EPERM), or does not know the
    /// question (ENOSYS).
    #[error("the kernel does not say how good its clock is: {0}")]
    Unavailable(String),
    /// Nobody says that the clock is kept right.
    #[error("the kernel's clock is not synchronised by any time daemon (STA_UNSYNC)")]
    Unsynchronised,
    /// An error of zero is none that was measured.
    #[error("the kernel's clock is kept by a time daemon that does not state its error")]
    NoEstimate,
    /// The clock may be off by too much.
    #[error("the kernel's clock may be off by {bound:?}, which is over the budget of {budget:?}")]
    OverBudget {
        /// The most that it may be off.
        bound: Duration,
        /// The most that it may.
        budget: Duration,
    },
}

/// What the kernel says of its clock (`adjtimex(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KernelClock {
    /// STA_UNSYNC, or the state TIME_ERROR.
    unsynchronised: bool,
    estimated_error: Duration,
    maximum_error: Duration,
    leap: Leap,
}

impl KernelClock {
    /// How far the clock may be off.
    fn bound(&self, budget: Duration) -> Result<Duration, KernelFailure> {
        if self.unsynchronised {
            return Err(KernelFailure::Unsynchronised);
        }
        if self.estimated_error.is_zero() {
            return Err(KernelFailure::NoEstimate);
        }
        let bound = self.maximum_error + MARGIN;
        if bound > budget {
            return Err(KernelFailure::OverBudget { bound, budget });
        }
        Ok(bound)
    }
}

/// What the kernel says of UTC now: the wall clock, and how far it may be off, if
/// that is within `budget`. Its stratum is 0: nobody knows it.
///
/// # Errors
///
/// If it says nothing that can be relied on.
pub fn ask(clock: &Clock, budget: Duration) -> Result<Sample, KernelFailure> {
    let state = read().map_err(|error| KernelFailure::Unavailable(error.to_string()))?;
    let bound = state.bound(budget)?;
    let reading = WallReading::take(clock.timebase());
    Ok(Sample {
        at: reading.at,
        utc: reading.wall,
        bound: bound + reading.width,
        round_trip: Duration::ZERO,
        root_delay: Duration::ZERO,
        root_dispersion: state.maximum_error,
        stratum: 0,
        leap: state.leap,
    })
}

fn read() -> io::Result<KernelClock> {
    let mut timex = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: the pointer is valid for a whole timex. All of it being zero,
    // `modes` among it, asks for nothing to be set.
    let state = unsafe { libc::adjtimex(timex.as_mut_ptr()) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it consists of integers, which were all initialised to zero.
    let timex = unsafe { timex.assume_init() };
    Ok(said(state, &timex))
}

fn said(state: libc::c_int, timex: &libc::timex) -> KernelClock {
    let is_set = |flag| timex.status & flag != 0;
    KernelClock {
        unsynchronised: state == libc::TIME_ERROR || is_set(libc::STA_UNSYNC),
        estimated_error: microseconds(timex.esterror),
        maximum_error: microseconds(timex.maxerror),
        leap: if is_set(libc::STA_INS) {
            Leap::Insert
        } else if is_set(libc::STA_DEL) {
            Leap::Delete
        } else {
            Leap::None
        },
    }
}

/// Nobody's error is negative.
fn microseconds(count: libc::c_long) -> Duration {
    Duration::from_micros(count.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::simulation::SimulatedTimebase;

    const MS: Duration = Duration::from_millis(1);

    const BUDGET: Duration = Duration::from_millis(50);

    fn kept_well() -> KernelClock {
        KernelClock {
            unsynchronised: false,
            estimated_error: MS,
            maximum_error: 20 * MS,
            leap: Leap::None,
        }
    }

    #[test]
    fn a_clock_that_is_kept_well_is_as_good_as_its_maximum_error_and_a_margin() {
        assert_eq!(kept_well().bound(BUDGET), Ok(30 * MS));
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_not_taken() {
        let clock = KernelClock {
            unsynchronised: true,
            ..kept_well()
        };
        assert_eq!(clock.bound(BUDGET), Err(KernelFailure::Unsynchronised));
    }

    #[test]
    fn a_daemon_that_states_no_error_is_not_believed() {
        let clock = KernelClock {
            estimated_error: Duration::ZERO,
            maximum_error: Duration::ZERO,
            ..kept_well()
        };
        assert_eq!(clock.bound(BUDGET), Err(KernelFailure::NoEstimate));
    }

    #[test]
    fn the_margin_counts_against_the_budget() {
        let clock = |ms: u32| KernelClock {
            maximum_error: ms * MS,
            ..kept_well()
        };
        assert_eq!(clock(40).bound(BUDGET), Ok(BUDGET));
        let expected = KernelFailure::OverBudget {
            bound: 51 * MS,
            budget: BUDGET,
        };
        assert_eq!(clock(41).bound(BUDGET), Err(expected.clone()));
        assert_eq!(
            expected.to_string(),
            "the kernel's clock may be off by 51ms, which is over the budget of 50ms"
        );
    }

    fn timex(status: libc::c_int) -> libc::timex {
        // SAFETY: it consists of integers, for all of which zero is a value.
        let mut timex: libc::timex = unsafe { std::mem::zeroed() };
        timex.status = status;
        timex.esterror = 1_000;
        timex.maxerror = 20_000;
        timex
    }

    #[test]
    fn what_the_kernel_says_is_in_microseconds() {
        assert_eq!(said(libc::TIME_OK, &timex(0)), kept_well());
    }

    #[test]
    fn either_sign_of_being_unsynchronised_counts() {
        let unsynchronised = |state, status| said(state, &timex(status)).unsynchronised;
        assert!(unsynchronised(libc::TIME_OK, libc::STA_UNSYNC));
        assert!(unsynchronised(libc::TIME_ERROR, 0));
        assert!(!unsynchronised(
            libc::TIME_OK,
            libc::STA_PLL | libc::STA_NANO
        ));
    }

    #[test]
    fn leap_seconds_are_told() {
        let leap = |state, status| said(state, &timex(status)).leap;
        assert_eq!(leap(libc::TIME_INS, libc::STA_INS), Leap::Insert);
        assert_eq!(leap(libc::TIME_DEL, libc::STA_DEL), Leap::Delete);
    }

    #[test]
    fn errors_below_zero_count_as_none() {
        assert_eq!(microseconds(-1), Duration::ZERO);
    }

    /// Whatever this machine's state is, to ask changes nothing of it.
    #[test]
    fn this_machine_can_be_asked() {
        let clock = Clock::system(SimulatedTimebase::at(DateTime::UNIX_EPOCH));
        match ask(&clock, Duration::MAX) {
            Ok(sample) => {
                assert!(sample.utc - DateTime::UNIX_EPOCH < TimeDelta::seconds(1));
                assert!(sample.bound >= MARGIN);
            }
            Err(KernelFailure::Unsynchronised | KernelFailure::NoEstimate) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
