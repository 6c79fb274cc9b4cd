//! What a clock knows, and from whom: a snapshot for reports and for people.

use std::{fmt, time::Duration};

use chrono::TimeDelta;

use super::{
    figure::{Figure, Signed},
    firing::Firing,
    source::SourceKind,
};
use crate::{Reading, Status, ntp::Leap};

/// What a clock knew at the end of the last round of measurements.
///
/// It is told in a few words by its `Display`: `NTP 10.0.0.2, 10.0.0.3`,
/// `NTP 10.0.0.2 (single)`, `kernel, unverified`, `system clock`.
#[derive(Debug, Clone, PartialEq)]
pub struct Knowledge {
    /// The time then.
    pub reading: Reading,
    /// What has to be added to the wall clock to get UTC, as it stood then
    /// (RFC 5905's θ: positive if the wall clock is behind). None if unknown.
    pub offset: Option<TimeDelta>,
    /// The names of the sources that what is held comes from, in order.
    pub by: Vec<String>,
    /// Every source that was asked, in the order of their names, the kernel last.
    pub sources: Vec<SourceKnowledge>,
    /// Why the clock is not synchronised, if it ought to be and is not.
    pub obstacle: Option<Obstacle>,
    /// The leap second that a majority announces for the end of the UTC day.
    pub leap: Leap,
    /// How far, at least, the witness (an HTTP server's `Date`) is outside of what
    /// the sources agree on; positive if the sources are ahead of it. It proves
    /// nothing: a warning is what it is good for.
    pub witness_disagrees: Option<TimeDelta>,
    /// The time of the firing, once there was one.
    pub firing: Option<Firing>,
}

/// What is known of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceKnowledge {
    /// Its name as it was given. Each has one vote.
    pub name: String,
    /// What it is.
    pub kind: SourceKind,
    /// What became of its vote.
    pub verdict: Verdict,
    /// Whether it gave a valid answer when it was last asked. If not it may still
    /// vote by what it said before.
    pub answered: bool,
    /// What went wrong when it was last asked, in a few words. There may have been
    /// a valid answer all the same.
    pub troubles: Option<String>,
    /// What it says, if it ever said anything.
    pub figures: Option<Figures>,
}

/// What one source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// What has to be added to the wall clock by this source alone.
    pub offset: TimeDelta,
    /// How far that may be off.
    pub bound: Duration,
    /// The least round trip of the last round that it answered.
    pub round_trip: Duration,
    /// 1 (has a reference clock itself) to 15.
    pub stratum: u8,
    /// How long its answers take to its primary source and back.
    pub root_delay: Duration,
    /// How far it may be off that primary source, delay aside.
    pub root_dispersion: Duration,
}

/// What became of a source's vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is one of the majority.
    Used,
    /// It lies wholly outside of what the majority agrees on.
    Falseticker {
        /// By how much at least; positive if it is ahead.
        by: TimeDelta,
    },
    /// There is no majority, so that nobody can say which one is right.
    NoMajority,
    /// It may be off by more than the budget, so it does not vote.
    TooWide,
    /// Its answers contradict each other: it has no vote until it answers again.
    ContradictsItself,
    /// It has never given a valid answer.
    Silent,
    /// There are better ones: the kernel is not asked to vote beside NTP.
    NotNeeded,
}

/// Why a clock is not synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// No source answered the last time.
    NoAnswer,
    /// No source may vote: each contradicts itself or may be off by more than the
    /// budget.
    NoVoter,
    /// The sources contradict each other, and no majority agrees.
    NoMajority,
    /// What they agree on now contradicts what they agreed on before.
    Contradicted {
        /// By how much it has moved, from midpoint to midpoint.
        by: TimeDelta,
        /// How many answers in a row agree by now.
        agreeing: usize,
        /// How many have to.
        wanted: usize,
    },
    /// The wall clock is so far off that one answer is not believed.
    FarOff {
        /// What would have to be added to it.
        offset: TimeDelta,
        /// How many answers in a row agree by now.
        agreeing: usize,
        /// How many have to.
        wanted: usize,
        /// Whether the witness says otherwise, which is why nothing is believed.
        witness_disagrees: bool,
    },
    /// An answer came in the last second before the instant, in which nothing
    /// that is held is replaced.
    Withheld,
}

impl Knowledge {
    /// Of a clock that takes, for now or for good, the wall clock at its word.
    pub(crate) fn of_wall_clock(reading: Reading) -> Self {
        Self {
            reading,
            offset: None,
            by: Vec::new(),
            sources: Vec::new(),
            obstacle: None,
            leap: Leap::None,
            witness_disagrees: None,
            firing: None,
        }
    }

    /// The names of the majority.
    pub(crate) fn majority(&self) -> Vec<String> {
        let used = self.sources.iter();
        let used = used.filter(|source| source.verdict == Verdict::Used);
        used.map(|source| source.name.clone()).collect()
    }

    /// The sources that gave no valid answer when they were last asked, or
    /// that are rejected: `NTP 10.0.0.2: no answer; NTP 10.0.0.3: …`. Empty if
    /// there is none.
    pub fn complaints(&self) -> String {
        let complaints = self.sources.iter().filter_map(SourceKnowledge::complaint);
        complaints.collect::<Vec<_>>().join("; ")
    }
}

impl SourceKnowledge {
    /// Why the time does not rest on this source, in a few words; none where it does.
    pub fn why_not_used(&self) -> Option<String> {
        match (self.verdict, self.figures, &self.troubles) {
            (Verdict::Used, ..) => None,
            (Verdict::TooWide, Some(figures), _) => {
                Some(format!("clock error {}", Figure(figures.bound)))
            }
            (Verdict::Silent, _, Some(troubles)) => Some(troubles.clone()),
            (verdict, ..) => Some(verdict.to_string()),
        }
    }

    fn complaint(&self) -> Option<String> {
        let what = match (self.verdict, &self.troubles) {
            (Verdict::NotNeeded, _) => return None,
            // What it says still counts, or would; what it does not say now is the news.
            (Verdict::Used | Verdict::TooWide, Some(troubles)) if !self.answered => {
                troubles.clone()
            }
            (Verdict::TooWide, _) if !self.answered => return None,
            _ => self.why_not_used()?,
        };
        Some(format!("{}{}: {what}", self.kind, self.named()))
    }

    /// The kernel is the only one of its kind.
    fn named(&self) -> String {
        match self.kind {
            SourceKind::Ntp => format!(" {}", self.name),
            SourceKind::Kernel => String::new(),
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ntp => "NTP",
            Self::Kernel => "kernel",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used => f.write_str("used"),
            Self::Falseticker { by } => write!(f, "falseticker, {} off", Signed(*by)),
            Self::NoMajority => f.write_str("no majority"),
            Self::TooWide => f.write_str("clock error over budget"),
            Self::ContradictsItself => f.write_str("contradicts itself"),
            Self::Silent => f.write_str("no answer"),
            Self::NotNeeded => f.write_str("not needed"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("no time source answers"),
            Self::NoVoter => f.write_str("no time source is good enough"),
            Self::Withheld => f.write_str("an answer came too late to be used"),
            Self::NoMajority => f.write_str("no majority of the time sources agrees"),
            Self::Contradicted {
                by,
                agreeing,
                wanted,
            } => write!(
                f,
                "the time jumped by {} ({agreeing} of {wanted} answers agree)",
                Signed(*by)
            ),
            Self::FarOff {
                offset,
                agreeing,
                wanted,
                witness_disagrees,
            } => {
                write!(
                    f,
                    "the wall clock would be corrected by {} ({agreeing} of {wanted} answers agree",
                    Signed(*offset)
                )?;
                if *witness_disagrees {
                    f.write_str(", the API server's Date says otherwise")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |f: &mut fmt::Formatter<'_>, by: SourceKind| match by {
            SourceKind::Kernel => f.write_str("kernel, unverified"),
            SourceKind::Ntp => {
                let single = if self.by.len() == 1 { " (single)" } else { "" };
                write!(f, "NTP {}{single}", self.by.join(", "))
            }
        };
        match self.reading.status {
            Status::SystemClock => f.write_str("system clock"),
            Status::Synchronised { by: kind } => by(f, kind),
            Status::FreeRunning { by: kind, since } => {
                by(f, kind)?;
                write!(f, ", free running since {}", since.format("%H:%M:%SZ"))
            }
            Status::Unsynchronised => f.write_str("unsynchronised"),
            Status::InDoubt => f.write_str("in doubt"),
        }
    }
}
