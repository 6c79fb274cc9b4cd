//! What to make of the answers of time servers: pure, without any I/O.
//!
//! [`Discipline`] is a state machine: rounds of answers, the instant and the firing
//! go in; when to ask next, what to count the time from, and what is known come
//! out. It holds together
//!
//! - `fix`: where UTC lies at one moment, and carrying that to others,
//! - `rates`: how fast it may run in between, assumed or proven,
//! - `source`: what the answers of one source leave open between them,
//! - `agreement`, `ballot`: what a majority of the sources says,
//! - `state`, `trial`: what is held to be true, and what it takes to give it up,
//! - `belief`: all of these, from one round to the next,
//! - `schedule`: when to ask next,
//! - `firing`: what time it was when the instant came,
//! - `gate`: whether a clock is good enough to start by,
//! - `knowledge`, `summary`: all of it, for people.

mod agreement;
mod ballot;
mod belief;
mod figure;
mod firing;
mod fix;
mod gate;
mod interval;
mod knowledge;
mod rates;
mod schedule;
mod source;
mod state;
mod summary;
mod trial;
mod witness;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{ErrorBound, Moment, Status, anchor::Anchor, wall::WallReading};
use belief::Belief;
use schedule::{Held, Need, Schedule};

pub use firing::{Closing, Firing};
pub(crate) use fix::Fix;
pub use gate::{Terms, Unfit, fit};
pub(crate) use interval::Interval;
pub use knowledge::{Figures, Knowledge, Obstacle, SourceKnowledge, Verdict};
pub(crate) use rates::Rates;
pub(crate) use schedule::{Next, Purpose};
pub(crate) use source::Heard;
pub use source::SourceKind;
pub(crate) use witness::Witness;

/// In this last stretch before the instant nothing replaces the anchor, so that
/// whoever waits for the instant does not see it jump, and no round begins.
const LAST_SECOND: TimeDelta = TimeDelta::seconds(1);

/// One round of measurements.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// The wall clock at its end, and with it when that was.
    pub(crate) end: WallReading,
    /// What was said.
    pub(crate) answers: Answers,
}

/// What was said in a round.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    /// By each source that was asked; it may not have been the turn of all.
    pub(crate) heard: Vec<Heard>,
    /// How many of those that are asked may still say something: none once the round
    /// is over.
    pub(crate) awaited: usize,
    /// Whether there are no others from now on.
    pub(crate) nobody_else: bool,
}

/// Measuring the time from the start of a process to its end.
///
/// Whatever is left to chance is decided by a `luck`, evenly from 0 to 1.
#[derive(Debug, Clone)]
pub(crate) struct Discipline {
    belief: Belief,
    schedule: Schedule,
}

impl Discipline {
    /// Nothing is known yet but what the wall clock shows. A source whose own bound
    /// exceeds `budget` is not going to vote.
    pub(crate) fn new(budget: Duration, wall: WallReading) -> Self {
        Self {
            belief: Belief::new(budget, wall),
            schedule: Schedule::default(),
        }
    }

    /// What to do next.
    pub(crate) fn next(&self, now: Moment) -> Next {
        let reading = self.anchor().reading_at(now);
        self.schedule.next(now, &reading, self.need(now))
    }

    /// Hears a round that was held for `purpose`.
    ///
    /// One in which nobody's turn had come changes nothing but when the next one is.
    pub(crate) fn hear(&mut self, purpose: Purpose, round: &Round, luck: f64) {
        let mut heard = round.answers.heard.iter();
        let answered = heard.any(|heard| !heard.samples.is_empty());
        if !round.answers.heard.is_empty() {
            self.belief.hear(round);
        }
        let held = Held {
            purpose,
            end: round.end.at,
            answered,
            in_vain: self.is_lost(),
        };
        self.schedule.held(held, luck);
        if purpose == Purpose::Closing {
            self.belief.close(round.end.at);
        }
    }

    /// Hears what has been said so far in a round that goes on. It counts only if a
    /// majority of all that are asked, those that are still awaited among them, makes
    /// a clock synchronised by it that was not; the answer is whether it did. The
    /// whole round is to be heard all the same.
    pub(crate) fn hear_so_far(&mut self, round: &Round) -> bool {
        let is_synchronised = |belief: &Belief| {
            let status = belief.anchor().reading_at(round.end.at).status;
            matches!(status, Status::Synchronised { .. })
        };
        if is_synchronised(&self.belief) {
            return false;
        }
        let mut belief = self.belief.clone();
        belief.hear(round);
        let synchronised = is_synchronised(&belief);
        if synchronised {
            self.belief = belief;
        }
        synchronised
    }

    /// The instant is set.
    pub(crate) fn set_instant(&mut self, instant: DateTime<Utc>, luck: f64) {
        self.belief.set_instant(instant);
        self.schedule.set_instant(instant, luck);
    }

    /// The instant has come, and was acted upon at `at`.
    pub(crate) fn fire(&mut self, at: Moment, luck: f64) {
        self.belief.fire(at);
        self.schedule.fire(at, luck);
    }

    /// What was fired is over: the closing round may be `now`.
    pub(crate) fn close(&mut self, now: Moment) {
        self.schedule.close(now);
    }

    /// From now on a source's bound may be no more than this to vote.
    pub(crate) fn set_budget(&mut self, budget: Duration) {
        self.belief.set_budget(budget);
    }

    /// A source's bound may be no more than this to vote.
    pub(crate) fn budget(&self) -> Duration {
        self.belief.budget()
    }

    /// Hears what somebody says who has no vote. It is thought of in the next
    /// round.
    pub(crate) fn hear_witness(&mut self, witness: Witness) {
        self.belief.hear_witness(witness);
    }

    /// What to count the time from.
    pub(crate) fn anchor(&self) -> Anchor {
        self.belief.anchor()
    }

    /// What is known, as of the last round.
    pub(crate) fn knowledge(&self) -> &Knowledge {
        self.belief.knowledge()
    }

    /// Whether no doubt is left that further rounds are to settle.
    pub(crate) fn is_settled(&self, now: Moment) -> bool {
        self.need(now) != Need::Urgent
    }

    /// Whether nothing is known.
    fn is_lost(&self) -> bool {
        matches!(self.anchor(), Anchor::WallClock { .. })
    }

    fn need(&self, now: Moment) -> Need {
        if self.belief.is_urgent(now) {
            return Need::Urgent;
        }
        if self.is_lost() {
            return Need::Lost;
        }
        let later = self.anchor().reading_at(now.plus(Schedule::horizon()));
        match (later.status, later.bound()) {
            (Status::Synchronised { .. }, ErrorBound::Within(bound)) if bound > self.budget() => {
                Need::Thin
            }
            _ => Need::Ordinary,
        }
    }
}

#[cfg(test)]
mod tests;
