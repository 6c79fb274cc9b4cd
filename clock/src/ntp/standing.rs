//! How one address wants to be treated, by what it has said so far.

use super::{
    Kiss, Reason, Rejection,
    exchange::Answers,
    pace::{Distance, Occasion},
};
use crate::{Moment, span};

/// Rounds come a fifth early at times, so that the runners of a cluster do not
/// ask in step.
const EARLY: (i32, i32) = (4, 5);

/// Doubled this often, the interval is longer than any wait (4 h for a near
/// server).
const MOST_DOUBLINGS: u32 = 10;

/// Whether it is the turn of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    NotYet,
    Never(Kiss),
}

/// What is known of an address, for as long as this process runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    asked: Option<Moment>,
    doublings: u32,
    refused: Option<Kiss>,
}

impl Standing {
    pub(super) fn turn(&self, distance: Distance, occasion: Occasion, now: Moment) -> Turn {
        if let Some(kiss) = self.refused {
            return Turn::Never(kiss);
        }
        let Some(asked) = self.asked else {
            return Turn::Now;
        };
        let interval = match distance.interval(occasion) {
            Some(interval) if self.doublings == 0 => interval,
            None if self.doublings == 0 => return Turn::Now,
            // It wants to be asked less, whatever the occasion.
            _ => distance.usual_interval() * (1 << self.doublings),
        };
        let (numerator, denominator) = EARLY;
        let due = span::signed(interval) * numerator / denominator;
        if now.since(asked) >= due {
            Turn::Now
        } else {
            Turn::NotYet
        }
    }

    /// What is known after the address was asked at `asked`.
    pub(super) fn after(self, asked: Moment, answers: &Answers) -> Self {
        let kisses = || {
            answers
                .troubles
                .iter()
                .filter_map(|trouble| match trouble.reason {
                    Reason::Rejected(Rejection::Kiss(kiss)) => Some(kiss),
                    _ => None,
                })
        };
        let slower = u32::from(kisses().any(|kiss| kiss == Kiss::Rate));
        Self {
            asked: Some(asked),
            doublings: (self.doublings + slower).min(MOST_DOUBLINGS),
            refused: self
                .refused
                .or_else(|| kisses().find(|kiss| kiss.is_final())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::{
        ntp::{Stray, Trouble},
        simulation::SimulatedTimebase,
    };

    fn start() -> Moment {
        Moment::read(&SimulatedTimebase::at(DateTime::UNIX_EPOCH))
    }

    fn after_s(seconds: u64) -> Moment {
        // A little more than the simulated clock takes to be read.
        start().plus(Duration::from_secs(seconds) + Duration::from_micros(1))
    }

    fn answers(reason: impl Into<Reason>) -> Answers {
        Answers {
            troubles: vec![Trouble {
                address: None,
                reason: reason.into(),
                times: 1,
            }],
            ..Answers::default()
        }
    }

    fn kissed(kisses: &[Kiss]) -> Standing {
        kisses.iter().fold(Standing::default(), |standing, kiss| {
            standing.after(start(), &answers(Rejection::Kiss(*kiss)))
        })
    }

    /// The first second after which it is the turn of a near server.
    fn waits_s(standing: Standing, occasion: Occasion) -> Option<u64> {
        (0..100_000)
            .find(|seconds| standing.turn(Distance::Near, occasion, after_s(*seconds)) == Turn::Now)
    }

    #[test]
    fn who_was_never_asked_is_asked() {
        for occasion in Occasion::ALL {
            assert_eq!(waits_s(Standing::default(), occasion), Some(0));
        }
    }

    #[test]
    fn while_waiting_each_is_asked_at_its_interval_less_a_fifth() {
        let asked = Standing::default().after(start(), &Answers::default());
        assert_eq!(waits_s(asked, Occasion::Waiting), Some(13));
        let public = |seconds| asked.turn(Distance::Public, Occasion::Waiting, after_s(seconds));
        assert_eq!((public(51), public(52)), (Turn::NotYet, Turn::Now));
    }

    #[test]
    fn while_nothing_is_known_near_servers_are_asked_at_once_and_public_ones_are_not() {
        let asked = Standing::default().after(start(), &Answers::default());
        assert_eq!(waits_s(asked, Occasion::Retry), Some(0));
        let public = |seconds| asked.turn(Distance::Public, Occasion::Retry, after_s(seconds));
        assert_eq!((public(12), public(13)), (Turn::NotYet, Turn::Now));
    }

    #[test]
    fn the_final_round_asks_whoever_does_not_mind() {
        let asked = Standing::default().after(start(), &Answers::default());
        assert_eq!(waits_s(asked, Occasion::Final), Some(0));
    }

    #[test]
    fn each_rate_kiss_doubles_the_interval() {
        for occasion in Occasion::ALL {
            assert_eq!(waits_s(kissed(&[Kiss::Rate]), occasion), Some(26));
            assert_eq!(waits_s(kissed(&[Kiss::Rate; 2]), occasion), Some(52));
        }
        let hours = waits_s(kissed(&[Kiss::Rate; 100]), Occasion::Waiting);
        assert_eq!(hours, Some(16 * 1024 * 4 / 5 + 1));
    }

    #[test]
    fn who_refuses_is_never_asked_again() {
        for kiss in [Kiss::Deny, Kiss::Restricted] {
            let standing = kissed(&[kiss]).after(start(), &Answers::default());
            for occasion in Occasion::ALL {
                let turn = standing.turn(Distance::Near, occasion, after_s(100_000));
                assert_eq!(turn, Turn::Never(kiss));
            }
        }
    }

    #[test]
    fn other_troubles_change_nothing() {
        for trouble in [
            Reason::Refused,
            Stray::Duplicate.into(),
            Rejection::Unsynchronised.into(),
            Rejection::Kiss(Kiss::Other(*b"INIT")).into(),
        ] {
            let standing = Standing::default().after(start(), &answers(trouble));
            assert_eq!(waits_s(standing, Occasion::Final), Some(0));
            assert_eq!(waits_s(standing, Occasion::Waiting), Some(13));
        }
    }
}
