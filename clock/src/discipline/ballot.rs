//! A vote of the sources, at the end of a round.

use std::time::Duration;

use super::{
    agreement::{agree, majority},
    fix::Fix,
    interval::Interval,
    rates::Rates,
    source::{Source, SourceKind},
};
use crate::{Moment, ntp::Leap};

/// Who may vote, with what.
#[derive(Debug)]
pub(crate) struct Ballot<'a> {
    at: Moment,
    kind: SourceKind,
    /// Their places among the sources, and what they say.
    voters: Vec<(usize, &'a Source, Interval)>,
    /// How many more are asked and may still say something.
    awaited: usize,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tally {
    /// Nobody may vote.
    NoVoters,
    /// No time is covered by a majority.
    NoMajority {
        /// Where the voters see UTC, each for itself.
        votes: Vec<Interval>,
    },
    /// A majority agrees.
    Agreed {
        /// On this.
        fix: Fix,
        /// How many voted.
        voters: usize,
    },
}

impl<'a> Ballot<'a> {
    /// Those whose answers leave something open, but no more than `budget`: a
    /// wider one could not make a runner fit, only keep others from agreeing.
    ///
    /// The kernel never votes with, nor against, an NTP source. It votes alone,
    /// where there is nobody else.
    ///
    /// Those who are still `awaited` count as voters who have said nothing so far:
    /// what a majority agrees on without them they cannot overturn.
    pub(crate) fn hold(
        sources: &'a [Source],
        at: Moment,
        rates: Rates,
        budget: Duration,
        awaited: usize,
    ) -> Self {
        let voters = |kind| -> Vec<_> {
            let places = sources.iter().enumerate();
            let of_kind = places.filter(|(_, source)| source.kind() == kind);
            of_kind
                .filter_map(|(place, source)| {
                    let interval = source.interval(at, rates)?;
                    (interval.bound() <= budget).then_some((place, source, interval))
                })
                .collect()
        };
        let ntp = voters(SourceKind::Ntp);
        let (kind, voters) = if ntp.is_empty() {
            (SourceKind::Kernel, voters(SourceKind::Kernel))
        } else {
            (SourceKind::Ntp, ntp)
        };
        Self {
            at,
            kind,
            voters,
            awaited,
        }
    }

    /// What kind of source votes this time.
    pub(crate) fn kind(&self) -> SourceKind {
        self.kind
    }

    /// What the source in this place votes for, if it votes.
    pub(crate) fn vote_of(&self, place: usize) -> Option<Interval> {
        let mut voters = self.voters.iter();
        voters.find(|voter| voter.0 == place).map(|voter| voter.2)
    }

    /// What they agree on.
    pub(crate) fn tally(&self) -> Tally {
        let votes: Vec<_> = self.voters.iter().map(|(_, _, vote)| *vote).collect();
        if votes.is_empty() {
            return Tally::NoVoters;
        }
        match agree(&votes, self.quorum()) {
            None => Tally::NoMajority { votes },
            Some(interval) => Tally::Agreed {
                fix: self.fix(interval),
                voters: votes.len(),
            },
        }
    }

    /// Where UTC lies by this round's answers alone, older ones aside. None if too
    /// few answered to tell, or if they do not agree.
    ///
    /// It holds under the same terms: if at most m − q of the m voters lie, then at
    /// most so many of the n that answered do, and the others all cover the truth.
    pub(crate) fn fresh(&self) -> Option<Fix> {
        let answers = self.voters.iter().map(|(_, source, _)| source);
        let fresh: Vec<_> = answers
            .filter_map(|source| source.fresh(self.at))
            .map(|fix| fix.interval)
            .collect();
        let liars = (self.voters.len() + self.awaited).saturating_sub(self.quorum());
        let agreed = agree(&fresh, fresh.len().saturating_sub(liars));
        agreed.map(|interval| self.fix(interval))
    }

    /// Whether any voter has answered in this round.
    pub(crate) fn is_measured(&self) -> bool {
        let mut voters = self.voters.iter();
        voters.any(|(_, source, _)| source.fresh(self.at).is_some())
    }

    /// How many must agree.
    fn quorum(&self) -> usize {
        majority(self.voters.len() + self.awaited)
    }

    /// The leap second that a majority announces.
    fn leap(&self) -> Leap {
        let announced_by_a_majority = |leap: &Leap| {
            let announces = |source: &Source| source.best().is_some_and(|best| best.leap == *leap);
            let voters = self.voters.iter();
            voters.filter(|(_, source, _)| announces(source)).count() >= self.quorum()
        };
        [Leap::Insert, Leap::Delete]
            .into_iter()
            .find(announced_by_a_majority)
            .unwrap_or(Leap::None)
    }

    fn fix(&self, interval: Interval) -> Fix {
        Fix {
            at: self.at,
            interval,
            leap: self.leap(),
        }
    }
}
