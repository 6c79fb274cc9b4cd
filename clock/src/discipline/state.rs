//! What is held to be true, and what it takes to give it up.

use super::{
    ballot::Tally, fix::Fix, interval::Interval, rates::Rates, source::SourceKind, trial::Trial,
};
use crate::Moment;

/// What is held to be true of UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing.
    Unsynchronised {
        /// The answers so far that nobody would believe at once.
        trial: Trial,
    },
    /// One thing.
    Held(Held),
    /// Several things that contradict each other.
    InDoubt(InDoubt),
}

/// What is held while nothing contradicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Where UTC lay at the end of the last round that brought anything.
    pub(crate) anchor: Fix,
    /// Who says so.
    pub(crate) by: SourceKind,
    /// Whether later rounds brought nothing.
    pub(crate) running_free: bool,
}

/// What is left when it is contradicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InDoubt {
    /// What was held before.
    pub(crate) before: Held,
    /// From the earliest to the latest of all that was said since, and that.
    pub(crate) hull: Fix,
    /// The answers so far, of which enough must agree.
    pub(crate) trial: Trial,
}

/// What a round has brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News<'a> {
    /// When the round ended.
    pub(crate) at: Moment,
    /// Who voted.
    pub(crate) by: SourceKind,
    /// What all answers say, older ones among them.
    pub(crate) tally: &'a Tally,
    /// What a majority says by this round's answers alone.
    pub(crate) fresh: Option<Fix>,
    /// Whether a voter answered at all.
    pub(crate) measured: bool,
    /// The rates by which older things are carried to now.
    pub(crate) rates: Rates,
}

/// How far what is agreed may be believed where nothing confirms it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credit {
    /// At once.
    Full,
    /// When it was said often enough.
    Little,
    /// Not at all.
    None,
}

impl State {
    /// What is held at first.
    pub(crate) fn new() -> Self {
        Self::Unsynchronised {
            trial: Trial::default(),
        }
    }

    /// What is held after `news`, of which what is agreed deserves `credit`.
    pub(crate) fn after(self, news: &News<'_>, credit: Credit) -> Self {
        // What the kernel says neither confirms nor contradicts what NTP said.
        let silence = News {
            tally: &Tally::NoVoters,
            ..*news
        };
        let news = if self.outranks(news.by) {
            &silence
        } else {
            news
        };
        match self {
            Self::Unsynchronised { trial } => unsynchronised(trial, news, credit),
            Self::Held(held) => held.after(news, credit),
            Self::InDoubt(in_doubt) => in_doubt.after(news, credit),
        }
    }

    /// What is held, if anything: the anchor, or the hull of what is in doubt.
    pub(crate) fn fix(&self) -> Option<&Fix> {
        match self {
            Self::Unsynchronised { .. } => None,
            Self::Held(held) => Some(&held.anchor),
            Self::InDoubt(in_doubt) => Some(&in_doubt.hull),
        }
    }

    /// The answers heard so far, where several must agree.
    pub(crate) fn trial(&self) -> Option<&Trial> {
        match self {
            Self::Unsynchronised { trial } => (trial.count() > 0).then_some(trial),
            Self::Held(_) => None,
            Self::InDoubt(in_doubt) => Some(&in_doubt.trial),
        }
    }

    fn outranks(&self, other: SourceKind) -> bool {
        match self {
            Self::Unsynchronised { .. } => false,
            Self::Held(before) | Self::InDoubt(InDoubt { before, .. }) => {
                before.by == SourceKind::Ntp && other == SourceKind::Kernel
            }
        }
    }
}

impl Held {
    fn by(anchor: Fix, by: SourceKind) -> State {
        State::Held(Self {
            anchor,
            by,
            running_free: false,
        })
    }

    fn after(self, news: &News<'_>, credit: Credit) -> State {
        let running_free = State::Held(Self {
            running_free: true,
            ..self
        });
        let expected = self.anchor.moved(news.at, news.rates);
        match news.tally {
            Tally::Agreed { fix, .. } if news.measured => {
                // NTP replaces what the kernel said: nobody had verified that.
                if self.by != news.by && credit == Credit::Full {
                    return Self::by(*fix, news.by);
                }
                match expected.interval.intersection(fix.interval) {
                    Some(interval) => Self::by(Fix { interval, ..*fix }, news.by),
                    None => self.doubted(&expected, &[fix.interval], trial_of(news)),
                }
            }
            Tally::NoMajority { votes } => {
                let contradicts = |vote: &Interval| !vote.overlaps(expected.interval);
                if votes.iter().any(contradicts) {
                    self.doubted(&expected, votes, Trial::default())
                } else {
                    running_free
                }
            }
            Tally::Agreed { .. } | Tally::NoVoters => running_free,
        }
    }

    fn doubted(self, expected: &Fix, votes: &[Interval], trial: Trial) -> State {
        State::InDoubt(InDoubt {
            before: self,
            hull: hull(expected, votes),
            trial,
        })
    }
}

impl InDoubt {
    fn after(mut self, news: &News<'_>, credit: Credit) -> State {
        let known = self.hull.moved(news.at, Rates::ASSUMED);
        self.hull = match news.tally {
            Tally::Agreed { fix, .. } if news.measured => {
                hear(&mut self.trial, news);
                if self.trial.passed() && credit != Credit::None {
                    return Held::by(*fix, news.by);
                }
                hull(&known, &[fix.interval])
            }
            Tally::NoMajority { votes } => {
                self.trial = Trial::default();
                hull(&known, votes)
            }
            Tally::Agreed { .. } | Tally::NoVoters => known,
        };
        State::InDoubt(self)
    }
}

fn unsynchronised(mut trial: Trial, news: &News<'_>, credit: Credit) -> State {
    match news.tally {
        Tally::Agreed { fix, .. } if news.measured => {
            hear(&mut trial, news);
            let believed = match credit {
                Credit::Full => true,
                Credit::Little => trial.passed(),
                Credit::None => false,
            };
            if believed {
                return Held::by(*fix, news.by);
            }
        }
        Tally::NoMajority { .. } => trial = Trial::default(),
        Tally::Agreed { .. } | Tally::NoVoters => {}
    }
    State::Unsynchronised { trial }
}

fn trial_of(news: &News<'_>) -> Trial {
    let mut trial = Trial::default();
    hear(&mut trial, news);
    trial
}

/// A round in which too few answered for a majority says nothing, and does not
/// break the row either: a lost packet proves nothing.
fn hear(trial: &mut Trial, news: &News<'_>) {
    if let Some(fresh) = news.fresh {
        trial.hear(fresh);
    }
}

fn hull(known: &Fix, votes: &[Interval]) -> Fix {
    Fix {
        interval: votes.iter().copied().fold(known.interval, Interval::hull),
        ..*known
    }
}
