//! What a clock says of itself, word by word.

use std::time::Duration;

use chrono::TimeDelta;

use super::super::knowledge::{Obstacle, Verdict};
use crate::kernel::KernelFailure;

const MS: Duration = Duration::from_millis(1);

#[test]
fn what_became_of_a_vote() {
    let by = TimeDelta::milliseconds(420);
    let told = [
        (Verdict::Falseticker { by }, "falseticker, +420 ms off"),
        (Verdict::NoMajority, "no majority"),
        (Verdict::TooWide, "clock error over budget"),
        (Verdict::ContradictsItself, "contradicts itself"),
        (Verdict::Silent, "no answer"),
        (Verdict::NotNeeded, "not needed"),
    ];
    for (verdict, words) in told {
        assert_eq!(verdict.to_string(), words);
    }
}

#[test]
fn why_a_clock_is_not_synchronised() {
    let by = TimeDelta::milliseconds(420);
    let (agreeing, wanted) = (1, 3);
    let far_off = |witness_disagrees| Obstacle::FarOff {
        offset: by,
        agreeing,
        wanted,
        witness_disagrees,
    };
    let told = [
        (Obstacle::NoAnswer, "no time source answers"),
        (Obstacle::NoVoter, "no time source is good enough"),
        (
            Obstacle::NoMajority,
            "no majority of the time sources agrees",
        ),
        (Obstacle::Withheld, "an answer came too late to be used"),
        (
            Obstacle::Contradicted {
                by,
                agreeing,
                wanted,
            },
            "the time jumped by +420 ms (1 of 3 answers agree)",
        ),
        (
            far_off(false),
            "the wall clock would be corrected by +420 ms (1 of 3 answers agree)",
        ),
        (
            far_off(true),
            "the wall clock would be corrected by +420 ms (1 of 3 answers agree, the API server's Date says otherwise)",
        ),
    ];
    for (obstacle, words) in told {
        assert_eq!(obstacle.to_string(), words);
    }
}

#[test]
fn why_the_kernels_word_is_not_taken() {
    let told = [
        (
            KernelFailure::Unavailable("not permitted".to_owned()),
            "the kernel does not say how good its clock is: not permitted",
        ),
        (
            KernelFailure::Unsynchronised,
            "the kernel's clock is not synchronised by any time daemon (STA_UNSYNC)",
        ),
        (
            KernelFailure::NoEstimate,
            "the kernel's clock is kept by a time daemon that does not state its error",
        ),
        (
            KernelFailure::OverBudget {
                bound: 51 * MS,
                budget: 50 * MS,
            },
            "the kernel's clock may be off by 51ms, which is over the budget of 50ms",
        ),
    ];
    for (failure, words) in told {
        assert_eq!(failure.to_string(), words);
    }
}
