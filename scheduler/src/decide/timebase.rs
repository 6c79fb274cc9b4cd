//! What time it is, by the runners' word: this machine's own clock is not asked.
//!
//! A report that says "it is u, ± b" and whose change was seen live at the moment
//! s of this process proves that UTC(s) ≥ u − b, however long it was under way.
//! The time base is the median of these lower bounds, carried on by this process's
//! monotonic clock: right while a majority is right, late by a watch's delay,
//! never ahead of the latest that an honest runner proves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{ClockReport, RunnerId};
use tokio::time::Instant;

use super::FRESH;

/// How far a runner may be off the others before it contradicts them. A report is
/// seen as late as the watch delivers it, and that differs from runner to runner by
/// up to about a second (a poll, and a store that is busy).
pub const AT_ODDS: TimeDelta = TimeDelta::seconds(1);

/// What one report says of the time, moved to the origin of the time base.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    seen: Instant,
    /// The earliest that UTC can have been at the origin.
    earliest: DateTime<Utc>,
    /// The latest, if the report had not been under way at all.
    latest: DateTime<Utc>,
}

/// What the runners' live reports say of the time.
#[derive(Debug, Clone)]
pub struct TimeBase {
    origin: Instant,
    /// For each runner what it said lately. Only lately: so a clock that was put right
    /// is believed again, and no drift of our own clock adds up.
    said: BTreeMap<RunnerId, VecDeque<Bounds>>,
}

/// What the runners agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The time; `None` if nobody said any, or no majority agrees.
    pub clock: Option<AgreedClock>,
    /// How many runners were heard.
    pub voters: usize,
    /// Those that contradict the median, and by how much they are ahead of it (negative: behind).
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
    /// An empty one. `origin`: any moment before the first report.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self {
            origin,
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
            let said = self.said.entry(runner.clone()).or_default();
            said.retain(|old| old.seen + FRESH >= seen);
            said.push_back(Bounds {
                seen,
                earliest,
                latest,
            });
        }
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
                let fresh = said.iter().filter(|bounds| bounds.seen + FRESH >= now);
                fresh
                    .max_by_key(|bounds| bounds.earliest)
                    .map(|bounds| (runner, *bounds))
            })
            .collect();
        let Some(median) = lower_median(votes.values().map(|vote| vote.earliest)) else {
            return Reading {
                clock: None,
                voters: 0,
                at_odds: BTreeMap::new(),
            };
        };
        let at_odds: BTreeMap<_, _> = votes
            .iter()
            .filter_map(|(runner, vote)| ahead(vote, median).map(|by| ((*runner).clone(), by)))
            .collect();
        let agreeing = votes.len() - at_odds.len();
        Reading {
            clock: (2 * agreeing > votes.len()).then(|| AgreedClock::new(self.origin, median)),
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

/// By how much a runner is ahead of the median (negative: behind), if by so much
/// that its own error does not explain it.
fn ahead(vote: &Bounds, median: DateTime<Utc>) -> Option<TimeDelta> {
    let (before, after) = (vote.earliest - median, vote.latest - median);
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{noon, runner, seconds};
    use proptest::prelude::*;
    use rstest::rstest;

    fn says(
        base: &mut TimeBase,
        name: &str,
        utc: DateTime<Utc>,
        error_ms: Option<u64>,
        at: Instant,
    ) {
        let clock = ClockReport {
            utc,
            error: error_ms.map(Duration::from_millis),
            source: "test".to_owned(),
            offset: None,
            used: Vec::new(),
            rejected: Vec::new(),
        };
        base.hear(&runner(name), &clock, at);
    }

    /// A reading at `origin` of runners that each claim to be so many ms ahead.
    fn reading(ahead_ms: &[i64]) -> Reading {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        for (n, ahead) in ahead_ms.iter().enumerate() {
            let utc = noon() + TimeDelta::milliseconds(*ahead);
            says(&mut base, &format!("r{n}"), utc, None, origin);
        }
        base.read(origin, |_| true)
    }

    fn names(reading: &Reading) -> Vec<&str> {
        reading.at_odds.keys().map(RunnerId::as_str).collect()
    }

    #[test]
    fn nobody_heard_is_no_time_and_no_quarrel() {
        let reading = reading(&[]);
        assert_eq!((reading.clock, reading.voters), (None, 0));
    }

    #[test]
    fn the_time_goes_on_with_this_process() {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        says(&mut base, "r1", noon(), None, origin + seconds(3));
        let clock = base.read(origin + seconds(4), |_| true).clock.unwrap();
        assert_eq!(clock.utc(origin + seconds(3)), noon());
        assert_eq!(
            clock.utc(origin + seconds(10)),
            noon() + TimeDelta::seconds(7)
        );
        let in_ten = noon() + TimeDelta::seconds(10);
        assert_eq!(
            clock.moment(in_ten, origin + seconds(4)),
            origin + seconds(13)
        );
        assert_eq!(
            clock.moment(noon(), origin + seconds(4)),
            origin + seconds(4)
        );
    }

    #[test]
    fn the_report_that_was_quickest_counts() {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        says(&mut base, "r1", noon(), None, origin + seconds(2));
        says(
            &mut base,
            "r1",
            noon() + TimeDelta::seconds(10),
            None,
            origin + seconds(10),
        );
        says(
            &mut base,
            "r1",
            noon() + TimeDelta::seconds(11),
            None,
            origin + seconds(13),
        );
        let clock = base.read(origin + seconds(13), |_| true).clock.unwrap();
        assert_eq!(
            clock.utc(origin + seconds(10)),
            noon() + TimeDelta::seconds(10)
        );
    }

    #[test]
    fn a_measured_error_is_taken_off() {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        says(&mut base, "r1", noon(), Some(40), origin);
        let clock = base.read(origin, |_| true).clock.unwrap();
        assert_eq!(clock.utc(origin), noon() - TimeDelta::milliseconds(40));
    }

    #[test]
    fn a_wide_error_is_no_contradiction() {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        says(&mut base, "r1", noon(), Some(1), origin);
        says(&mut base, "r2", noon(), Some(5_000), origin);
        says(&mut base, "r3", noon(), Some(1), origin);
        assert_eq!(base.read(origin, |_| true).at_odds.len(), 0);
    }

    #[rstest]
    #[case::seven_minutes(&[0, 0, 420_000], &["r2"])]
    #[case::behind(&[0, -3_000, 5], &["r1"])]
    #[case::within_a_watchs_delay(&[0, 900, -900], &[])]
    fn who_contradicts_the_majority_is_named(#[case] ahead: &[i64], #[case] named: &[&str]) {
        let reading = reading(ahead);
        assert!(reading.clock.is_some());
        assert_eq!(names(&reading), named);
    }

    #[rstest]
    #[case::one_against_one(&[0, 420_000])]
    #[case::two_against_two(&[0, 0, 420_000, 420_000])]
    #[case::each_for_itself(&[0, 10_000, 20_000])]
    fn without_a_majority_there_is_no_time(#[case] ahead: &[i64]) {
        let reading = reading(ahead);
        assert_eq!(reading.clock, None);
        assert!(!reading.at_odds.is_empty());
    }

    #[test]
    fn a_clock_put_right_is_believed_after_a_while() {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        says(
            &mut base,
            "r1",
            noon() + TimeDelta::seconds(420),
            None,
            origin,
        );
        let mut named_at = |s: u64| {
            let at = origin + seconds(s);
            for name in ["r1", "r2", "r3"] {
                says(&mut base, name, noon() + seconds(s), None, at);
            }
            base.read(at, |_| true).at_odds.len()
        };
        assert_eq!(named_at(1), 1);
        assert_eq!(named_at(FRESH.as_secs()), 1);
        assert_eq!(named_at(FRESH.as_secs() + 1), 0);
    }

    #[test]
    fn what_was_said_long_ago_and_by_those_who_may_not_vote_is_left_out() {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        says(&mut base, "r1", noon(), None, origin);
        assert_eq!(base.read(origin + FRESH, |_| true).voters, 1);
        assert_eq!(base.read(origin + FRESH + seconds(1), |_| true).voters, 0);
        assert_eq!(base.read(origin, |_| false).voters, 0);
        base.forget(&runner("r1"));
        assert_eq!(base.read(origin, |_| true).voters, 0);
    }

    #[test]
    fn a_hostile_time_breaks_nothing() {
        let origin = Instant::now();
        let mut base = TimeBase::new(origin);
        let clock = ClockReport {
            utc: DateTime::<Utc>::MIN_UTC,
            error: Some(Duration::MAX),
            source: String::new(),
            offset: None,
            used: Vec::new(),
            rejected: Vec::new(),
        };
        base.hear(&runner("r1"), &clock, origin + seconds(1));
        let clock = ClockReport {
            utc: DateTime::<Utc>::MAX_UTC,
            error: Some(Duration::from_nanos(u64::MAX)),
            source: String::new(),
            offset: None,
            used: Vec::new(),
            rejected: Vec::new(),
        };
        base.hear(&runner("r2"), &clock, origin + seconds(1));
        let reading = base.read(origin + seconds(1), |_| true);
        assert!(reading.voters <= 2);
    }

    proptest! {
        /// Honest runners are seen up to a second late; liars say anything.
        #[test]
        fn a_minority_of_liars_moves_the_time_nowhere(
            delays_ms in prop::collection::vec(0i64..1000, 1..12),
            lies_ms in prop::collection::vec(-10_000_000i64..10_000_000, 0..11),
        ) {
            let liars = lies_ms.len().min(delays_ms.len() - 1);
            let ahead: Vec<i64> = delays_ms.iter().map(|d| -d).chain(lies_ms[..liars].iter().copied()).collect();
            let origin = Instant::now();
            let mut base = TimeBase::new(origin);
            for (n, ms) in ahead.iter().enumerate() {
                says(&mut base, &format!("r{n}"), noon() + TimeDelta::milliseconds(*ms), None, origin);
            }
            let clock = base.read(origin, |_| true).clock;
            prop_assert!(clock.is_some());
            let shown = clock.unwrap().utc(origin);
            prop_assert!(shown <= noon(), "ahead of the truth");
            prop_assert!(shown > noon() - TimeDelta::seconds(1), "later than the slowest watch");
        }
    }
}
