//! Telling what a round came to.

use super::{
    ballot::{Ballot, Tally},
    knowledge::{Figures, Obstacle, SourceKnowledge, Verdict},
    source::{Source, SourceKind},
    state::{Credit, News, State},
    trial,
};
use crate::wall::WallReading;

/// What there is to tell.
pub(crate) struct Summary<'a> {
    /// All sources.
    pub(crate) sources: &'a [Source],
    /// Who of them voted, for what.
    pub(crate) ballot: &'a Ballot<'a>,
    /// What came of it.
    pub(crate) news: &'a News<'a>,
    /// The wall clock, and when that was.
    pub(crate) end: &'a WallReading,
}

impl Summary<'_> {
    /// What each source says, and what became of it.
    pub(crate) fn sources(&self) -> Vec<SourceKnowledge> {
        let places = self.sources.iter().enumerate();
        places
            .map(|(place, source)| SourceKnowledge {
                name: source.name().to_owned(),
                kind: source.kind(),
                verdict: self.verdict(place, source),
                answered: source.answered(),
                troubles: source.troubles().map(str::to_owned),
                figures: self.figures(source),
            })
            .collect()
    }

    /// Why this is not being synchronised, if it is not.
    pub(crate) fn obstacle(&self, state: &State, credit: Credit) -> Option<Obstacle> {
        let agreeing = state.trial().map_or(0, trial::Trial::count);
        let wanted = trial::ANSWERS;
        let fix = match self.news.tally {
            Tally::NoVoters if self.sources.iter().all(|source| source.best().is_none()) => {
                return Some(Obstacle::NoAnswer);
            }
            Tally::NoVoters => return Some(Obstacle::NoVoter),
            Tally::NoMajority { .. } => return Some(Obstacle::NoMajority),
            Tally::Agreed { .. } if !self.news.measured => return Some(Obstacle::NoAnswer),
            Tally::Agreed { fix, .. } => fix,
        };
        match state {
            State::Held(_) => None,
            State::Unsynchronised { .. } => Some(Obstacle::FarOff {
                offset: fix.interval.midpoint() - self.end.wall,
                agreeing,
                wanted,
                witness_disagrees: credit == Credit::None,
            }),
            State::InDoubt(doubt) => {
                let before = doubt.before.anchor.carried(self.news.at, self.news.rates);
                Some(Obstacle::Contradicted {
                    by: fix.interval.midpoint() - before.midpoint(),
                    agreeing,
                    wanted,
                })
            }
        }
    }

    fn verdict(&self, place: usize, source: &Source) -> Verdict {
        let beside_ntp = self.ballot.kind() == SourceKind::Ntp;
        if source.kind() == SourceKind::Kernel && beside_ntp {
            return Verdict::NotNeeded;
        }
        if source.interval(self.news.at, self.news.rates).is_none() {
            return if source.contradicted_itself() {
                Verdict::ContradictsItself
            } else {
                Verdict::Silent
            };
        }
        let Some(vote) = self.ballot.vote_of(place) else {
            return Verdict::TooWide;
        };
        match self.news.tally {
            Tally::Agreed { fix, .. } => match vote.distance_from(fix.interval) {
                Some(by) => Verdict::Falseticker { by },
                None => Verdict::Used,
            },
            Tally::NoMajority { .. } | Tally::NoVoters => Verdict::NoMajority,
        }
    }

    fn figures(&self, source: &Source) -> Option<Figures> {
        let interval = source.interval(self.news.at, self.news.rates)?;
        let best = source.best()?;
        Some(Figures {
            offset: interval.midpoint() - self.end.wall,
            bound: interval.bound(),
            round_trip: best.round_trip,
            stratum: best.stratum,
            root_delay: best.root_delay,
            root_dispersion: best.root_dispersion,
        })
    }
}
