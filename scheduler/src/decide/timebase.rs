//! What time it is, by the runners' word: this machine's own clock is not asked.
//!
//! A report that says "it is u, ± b" and whose change was seen live at the moment
//! s of this process proves that UTC(s) ≥ u − b, however long it was under way.
//! The time base is the median of these lower bounds, carried on by this process's
//! monotonic clock: while a majority is right it is never ahead of UTC, and late by the
//! error of the clocks and a watch's delay.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{ClockReport, RunnerId};
use tokio::time::Instant;

/// How far a runner may be off the others before it contradicts them. A report is
/// seen as late as the watch delivers it, and that differs from runner to runner by
/// up to about a second (a poll, and a store that is busy).
pub const AT_ODDS: TimeDelta = TimeDelta::seconds(1);

/// What one report says of the time, moved to the origin of the time base.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    seen: Instant,
    /// Whether its error is measured.
    measured: bool,
    /// The earliest that UTC can have been at the origin.
    earliest: DateTime<Utc>,
    /// The latest, if the report had not been under way at all.
    latest: DateTime<Utc>,
}

impl Bounds {
    /// Whether the same runner has gone back behind what it said before, by more than a report may be under way. One
    /// such report was seen late; two in a row say that its time was put back, as by a server that was wrong.
    fn contradicts(&self, before: &Self) -> bool {
        before.earliest - self.latest > AT_ODDS
    }
}

/// What the runners' live reports say of the time.
#[derive(Debug, Clone)]
pub struct TimeBase {
    origin: Instant,
    /// How long what a runner said is believed.
    fresh: Duration,
    /// For each runner what it said lately and has not taken back. Only lately: so a clock that was put right
    /// is believed again, and no drift of our own clock adds up.
    said: BTreeMap<RunnerId, VecDeque<Bounds>>,
}

/// What the runners agree on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The time; `None` if nobody said any, or no majority agrees.
    pub clock: Option<AgreedClock>,
    /// How many runners were heard.
    pub voters: usize,
    /// Those that contradict the others, and by how much at least they are ahead of them
    /// (negative: behind).
    pub at_odds: BTreeMap<RunnerId, TimeDelta>,
}

/// UTC as a majority of the runners has it, on this process's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgreedClock {
    origin: Instant,
    utc: DateTime<Utc>,
}

impl AgreedClock {
    /// A clock that shows `utc` at `origin`.
    #[must_use]
    pub fn new(origin: Instant, utc: DateTime<Utc>) -> Self {
        Self { origin, utc }
    }

    /// UTC at a moment of this process.
    #[must_use]
    pub fn utc(&self, at: Instant) -> DateTime<Utc> {
        moved(self.utc, since(self.origin, at)).unwrap_or(self.utc)
    }

    /// How long it is from a moment of this process to a time; negative if it is past.
    #[must_use]
    pub fn until(&self, time: DateTime<Utc>, from: Instant) -> TimeDelta {
        time - self.utc(from)
    }

    /// The moment of this process at which a time comes; the present if it is past.
    #[must_use]
    pub fn moment(&self, time: DateTime<Utc>, now: Instant) -> Instant {
        now + self.until(time, now).to_std().unwrap_or(Duration::ZERO)
    }
}

impl TimeBase {
    /// An empty one. `origin`: any moment before the first report. `fresh`: how long what a
    /// runner said is believed.
    #[must_use]
    pub fn new(origin: Instant, fresh: Duration) -> Self {
        Self {
            origin,
            fresh,
            said: BTreeMap::new(),
        }
    }

    /// Takes in what a runner says of the time, in a report whose change was seen live at `seen`.
    pub fn hear(&mut self, runner: &RunnerId, clock: &ClockReport, seen: Instant) {
        let error = clock
            .error
            .and_then(|error| TimeDelta::from_std(error).ok());
        let error = error.unwrap_or(TimeDelta::zero());
        let elapsed = since(self.origin, seen);
        let bounds = moved(clock.utc, -elapsed - error).zip(moved(clock.utc, error - elapsed));
        if let Some((earliest, latest)) = bounds {
            let measured = clock.error.is_some();
            let said = self.said.entry(runner.clone()).or_default();
            let new = Bounds {
                seen,
                measured,
                earliest,
                latest,
            };
            let last = said.back().copied();
            let is_taken_back = |old: &Bounds| {
                new.contradicts(old) && last.is_some_and(|last| last.contradicts(old))
            };
            // Once a clock is measured, what it took itself for before proves nothing more.
            said.retain(|old| {
                old.seen + self.fresh >= seen && (old.measured || !measured) && !is_taken_back(old)
            });
            said.push_back(new);
        }
    }

    /// Believes what runners say for so long from now on.
    pub fn believe_for(&mut self, fresh: Duration) {
        self.fresh = fresh;
    }

    /// Forgets what a runner said: another process reports in its place.
    pub fn forget(&mut self, runner: &RunnerId) {
        self.said.remove(runner);
    }

    /// What the runners that `may_vote` agree on, by what they said lately.
    #[must_use]
    pub fn read(&self, now: Instant, may_vote: impl Fn(&RunnerId) -> bool) -> Reading {
        let votes: BTreeMap<_, _> = self
            .said
            .iter()
            .filter(|(runner, _)| may_vote(runner))
            .filter_map(|(runner, said)| {
                let fresh = said.iter().filter(|bounds| bounds.seen + self.fresh >= now);
                fresh
                    .max_by_key(|bounds| bounds.earliest)
                    .map(|bounds| (runner, *bounds))
            })
            .collect();
        let earliest = lower_median(votes.values().map(|vote| vote.earliest));
        let latest = lower_median(votes.values().map(|vote| vote.latest));
        let Some((earliest, latest)) = earliest.zip(latest) else {
            return Reading::default();
        };
        let by = |vote: &Bounds| ahead(vote, earliest, latest);
        let at_odds: BTreeMap<_, _> = votes
            .iter()
            .filter_map(|(runner, vote)| by(vote).map(|by| ((*runner).clone(), by)))
            .collect();
        let agreeing = votes.len() - at_odds.len();
        Reading {
            clock: (2 * agreeing > votes.len()).then(|| AgreedClock::new(self.origin, earliest)),
            voters: votes.len(),
            at_odds,
        }
    }
}

/// The lower of the two in the middle where their number is even: then a strict
/// majority of honest runners keeps it from being ahead.
fn lower_median(times: impl Iterator<Item = DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let middle = times.len().checked_sub(1)? / 2;
    times.get(middle).copied()
}

/// By how much a runner is ahead of the others (negative: behind), if by so much that
/// neither its own error nor theirs explains it. `earliest` and `latest`: the lower medians of
/// what all say.
///
/// While a majority is right and seen within [`AT_ODDS`], no runner that is right is named. The
/// median of the earliest is no later than UTC, or a majority would be ahead of it; the
/// median of the latest is no earlier than UTC less that delay, for the same reason.
fn ahead(vote: &Bounds, earliest: DateTime<Utc>, latest: DateTime<Utc>) -> Option<TimeDelta> {
    let (before, after) = (vote.earliest - latest, vote.latest - earliest);
    if before > AT_ODDS {
        Some(before)
    } else if after < -AT_ODDS {
        Some(after)
    } else {
        None
    }
}

fn since(origin: Instant, at: Instant) -> TimeDelta {
    TimeDelta::from_std(at.saturating_duration_since(origin)).unwrap_or(TimeDelta::MAX)
}

fn moved(time: DateTime<Utc>, by: TimeDelta) -> Option<DateTime<Utc>> {
    time.checked_add_signed(by)
}

#[cfg(test)]
mod tests;
