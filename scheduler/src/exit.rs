//! What the scheduler exits with, and which of several codes is the worst.

use std::fmt;
use std::process::ExitCode;

use rendezvous::code;

/// What the scheduler exits with. Its own codes stay clear of k6's (0–2, 97–110,
/// 255) and of the shell's (126–165).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Everything was as it should be.
    Well,
    /// The command line makes no sense.
    Usage,
    /// No access to the rendezvous, or what stands there cannot be used.
    NoAccess,
    /// No majority of runners agrees on the time.
    NoTime,
    /// The quorum was not reached.
    NoQuorum,
    /// The run was aborted.
    Aborted,
    /// Started, but not well: missing or lost runners, lateness over the tolerance, or a clock that
    /// jumped around the start or contradicts the others.
    NotWell,
    /// A runner's own code.
    Runner(u8),
}

impl Code {
    /// The number that the process exits with.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Usage => code::USAGE,
            Self::NoAccess => code::NO_ACCESS,
            Self::NoTime => code::NO_TIME,
            Self::NoQuorum => code::GAVE_UP,
            Self::Aborted => code::ABORTED,
            Self::NotWell => code::NOT_WELL,
            Self::Runner(code) => code,
        }
    }

    /// What a runner's final code makes of the whole run. An agent's own codes
    /// (it was late, its clock was lost, k6 never got ready) say that the runner
    /// was missing; an abort is an abort; all others are k6's and pass through.
    #[must_use]
    pub fn of_runner(code: u8) -> Self {
        match code {
            0 => Self::Well,
            code::ABORTED => Self::Aborted,
            code::USAGE..=code::NOT_WELL => Self::NotWell,
            k6 => Self::Runner(k6),
        }
    }

    /// Whether it is k6's own code for something that went wrong.
    #[must_use]
    pub fn is_k6s(self) -> bool {
        matches!(self, Self::Runner(_))
    }

    /// Whether it is 128 + n of something that a signal killed.
    #[must_use]
    pub fn is_a_signals(self) -> bool {
        SIGNALLED.contains(&self.number())
    }

    /// The worse of two, in the order 0 < 78 < not started < 99 < other k6 codes < 76 < 128+n:
    /// the less a code says about the target and the more about the test itself,
    /// the worse it is. Within a rank the higher number, so that the order of the
    /// runners does not matter.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if (other.rank(), other.number()) > (self.rank(), self.number()) {
            other
        } else {
            self
        }
    }

    fn rank(self) -> u8 {
        match self.number() {
            0 => 0,
            code::NOT_WELL => 1,
            code::ABORTED => 5,
            code::USAGE..=code::NOT_WELL => 2,
            99 => 3,
            _ if self.is_a_signals() => 6,
            _ => 4,
        }
    }
}

/// 128 + n for the signals of Linux, 1 to 64. k6's own 255 lies above.
const SIGNALLED: std::ops::RangeInclusive<u8> = 129..=192;

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn worst(codes: &[u8]) -> u8 {
        codes
            .iter()
            .map(|&code| Code::of_runner(code))
            .fold(Code::Well, Code::worse)
            .number()
    }

    #[rstest]
    #[case::all_well(&[0, 0, 0], 0)]
    #[case::late_and_refused(&[0, 74], 78)]
    #[case::k6_never_ready(&[73, 0], 78)]
    #[case::used_up(&[0, 77], 78)]
    #[case::threshold_beats_missing(&[74, 99], 99)]
    #[case::script_error_beats_threshold(&[107, 99, 0], 107)]
    #[case::k6_usage_is_no_signal(&[255, 76], 76)]
    #[case::abort_beats_k6(&[110, 76, 255], 76)]
    #[case::killed_beats_all(&[76, 137, 107], 137)]
    #[case::cannot_be_run(&[126, 99], 126)]
    #[case::the_higher_of_a_rank(&[107, 110, 97], 110)]
    fn the_worst_of_the_runners_codes(#[case] codes: &[u8], #[case] expected: u8) {
        assert_eq!(worst(codes), expected);
    }

    #[test]
    fn a_later_stage_that_did_not_start_is_worse_than_an_earlier_one_that_was_not_well() {
        assert_eq!(Code::NotWell.worse(Code::NoQuorum), Code::NoQuorum);
        assert_eq!(Code::NoQuorum.worse(Code::NotWell), Code::NoQuorum);
    }

    proptest! {
        #[test]
        fn the_order_of_the_runners_does_not_matter(mut codes in prop::collection::vec(any::<u8>(), 1..8)) {
            let forwards = worst(&codes);
            codes.reverse();
            prop_assert_eq!(worst(&codes), forwards);
            codes.sort_unstable();
            prop_assert_eq!(worst(&codes), forwards);
        }

        #[test]
        fn one_more_runner_never_makes_it_better(codes in prop::collection::vec(any::<u8>(), 0..8), one: u8) {
            let before = codes.iter().map(|&c| Code::of_runner(c)).fold(Code::Well, Code::worse);
            let after = before.worse(Code::of_runner(one));
            prop_assert!(after.rank() >= before.rank());
        }

        #[test]
        fn only_a_zero_is_well(code in 1u8..) {
            prop_assert_ne!(worst(&[0, code]), 0);
        }
    }
}
