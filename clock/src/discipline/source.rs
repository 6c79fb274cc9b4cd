//! One source of time: what its answers leave open between them.

use std::collections::VecDeque;

use super::{fix::Fix, interval::Interval, rates::Rates};
use crate::{Moment, ntp::Sample};

/// So many answers are kept, eight rounds of four. (RFC 5905 keeps eight, of
/// single packets.) Older ones have widened so far that they say nothing more.
const KEPT: usize = 32;

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A name whose server, or servers, answered over NTP.
    Ntp,
    /// What the kernel was told by the machine's own time daemon. Nobody has
    /// verified it.
    Kernel,
}

/// What one round got out of one source.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// The source's name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: SourceKind,
    /// The valid answers, in the order in which they came.
    pub(crate) samples: Vec<Sample>,
    /// What went wrong, in a few words. There may be samples all the same.
    pub(crate) troubles: Option<String>,
}

/// A source and its latest answers.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    name: String,
    kind: SourceKind,
    /// No two of them contradict each other.
    answers: VecDeque<Fix>,
    latest: Option<Latest>,
    contradicted_itself: bool,
    answered: bool,
    troubles: Option<String>,
}

/// The last round that got an answer.
#[derive(Debug, Clone, Copy)]
struct Latest {
    round: Moment,
    /// What the answers of that round, alone, leave open; nothing if they
    /// contradict each other.
    fix: Option<Fix>,
    /// The one with the least round trip.
    best: Sample,
}

impl Source {
    /// The source of what was `heard`, which has said nothing before.
    pub(crate) fn of(heard: &Heard) -> Self {
        Self {
            name: heard.name.clone(),
            kind: heard.kind,
            answers: VecDeque::new(),
            latest: None,
            contradicted_itself: false,
            answered: false,
            troubles: None,
        }
    }

    /// Hears what the round that ended at `round` got. The answer is whether the
    /// source contradicted itself: answers that leave no time that all of them
    /// allow, however fast or slow the raw clock runs.
    ///
    /// Then the newest ones rule: what it says from now on is one vote, and
    /// whether a clock may follow it is not decided here.
    pub(crate) fn hear(&mut self, heard: &Heard, round: Moment) -> bool {
        self.answered = !heard.samples.is_empty();
        self.troubles.clone_from(&heard.troubles);
        let best = heard.samples.iter().min_by_key(|sample| sample.round_trip);
        let Some(best) = best.copied() else {
            return false;
        };
        let fresh: VecDeque<_> = heard.samples.iter().map(Fix::of).collect();
        let interval = left_open_by(&fresh, round, Rates::ASSUMED);
        self.latest = Some(Latest {
            round,
            fix: interval.map(|interval| Fix {
                at: round,
                interval,
                leap: best.leap,
            }),
            best,
        });
        self.contradicted_itself = interval.is_none() || {
            let before = self.interval(round, Rates::ASSUMED);
            interval
                .zip(before)
                .is_some_and(|(now, before)| !now.overlaps(before))
        };
        if self.contradicted_itself {
            self.answers.clear();
        }
        if interval.is_some() {
            self.answers.extend(fresh);
            let stale = self.answers.len().saturating_sub(KEPT);
            self.answers.drain(..stale);
        }
        self.contradicted_itself
    }

    /// Where UTC lies at `moment` by all that this source says, if it says
    /// anything and the raw clock's rate lies in `rates`.
    pub(crate) fn interval(&self, moment: Moment, rates: Rates) -> Option<Interval> {
        left_open_by(&self.answers, moment, rates)
    }

    /// Whether its answers would contradict each other if the raw clock's rate lay
    /// in `rates`. It did not, then: they do not contradict each other otherwise.
    pub(crate) fn disproves(&self, rates: Rates, moment: Moment) -> bool {
        !self.answers.is_empty() && self.interval(moment, rates).is_none()
    }

    /// What the answers of the round that ended at `round`, alone, leave open.
    pub(crate) fn fresh(&self, round: Moment) -> Option<Fix> {
        self.latest
            .filter(|latest| latest.round == round)
            .and_then(|latest| latest.fix)
    }

    /// The answer with the least round trip of the last round that got one.
    pub(crate) fn best(&self) -> Option<&Sample> {
        self.latest.as_ref().map(|latest| &latest.best)
    }

    /// Whether this is the source of what was `heard`.
    pub(crate) fn has_said(&self, heard: &Heard) -> bool {
        self.name == heard.name && self.kind == heard.kind
    }

    /// Whether it is told of before the source of what was `heard`.
    pub(crate) fn is_before(&self, heard: &Heard) -> bool {
        (self.kind, self.name.as_str()) < (heard.kind, heard.name.as_str())
    }

    /// Its name, which is a vote.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub(crate) fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Whether it gave a valid answer in the last round that asked it.
    pub(crate) fn answered(&self) -> bool {
        self.answered
    }

    /// What went wrong in the last round that asked it.
    pub(crate) fn troubles(&self) -> Option<&str> {
        self.troubles.as_deref()
    }

    /// Whether its last answers contradict each other or those before.
    pub(crate) fn contradicted_itself(&self) -> bool {
        self.contradicted_itself
    }
}

fn left_open_by(answers: &VecDeque<Fix>, moment: Moment, rates: Rates) -> Option<Interval> {
    let mut carried = answers.iter().map(|answer| answer.carried(moment, rates));
    let first = carried.next()?;
    carried.try_fold(first, Interval::intersection)
}
