//! What this process has seen of each runner: their reports, merged with what a
//! second witness says of the process or container that they run in.
//!
//! Nothing here compares two machines' clocks: how old something is, is how long
//! ago this process saw it happen.

use std::collections::{BTreeMap, BTreeSet};

use rendezvous::{Incarnation, PlanId, Report, RunnerId, StartReport};
use tokio::time::Instant;

/// What a witness beside the reports says of a runner: the parent of its process,
/// or whoever runs its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which runner.
    pub runner: RunnerId,
    /// What was seen of it.
    pub state: Seen,
}

/// What a witness saw of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Its process is there, whether or not it has reported yet.
    Up,
    /// Its process ended with this code (128 + n where a signal killed it). That outranks whatever it
    /// reported last.
    Ended(u8),
}

/// A start that a runner reported, and under which plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    by: Incarnation,
    /// The plan that it fired under.
    pub plan: Option<PlanId>,
    /// What it reported.
    pub report: StartReport,
}

/// What this process has seen of one runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its newest report, of its newest incarnation.
    pub report: Option<Report>,
    /// When this process first heard of this incarnation.
    pub known_since: Instant,
    /// When a change of its report was last seen as it happened. `None`: it has only
    /// been found lying there, and may be of any age.
    pub live_at: Option<Instant>,
    /// Its report was taken out of the store. What it said is kept.
    pub removed: bool,
    /// Its start; kept when a later incarnation reports something else.
    pub start: Option<Start>,
    /// How its process ended, by a witness.
    pub exit: Option<u8>,
    /// Whether a former incarnation was seen to report again after a newer one: two
    /// processes live under this id.
    pub doubled: bool,
    former: BTreeSet<Incarnation>,
}

impl Observed {
    /// One of which nothing is known yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            report: None,
            known_since: now,
            live_at: None,
            removed: false,
            start: None,
            exit: None,
            doubled: false,
            former: BTreeSet::new(),
        }
    }

    /// Whether the very process that started under this plan was seen alive. Else its start
    /// is known only from what lay there, and may be of any age.
    #[must_use]
    pub fn was_seen_to_live_under(&self, plan: &PlanId) -> bool {
        let incarnation = self.report.as_ref().map(|report| &report.incarnation);
        let by_it = |start: &Start| Some(&start.by) == incarnation;
        self.start_under(plan).is_some()
            && self.live_at.is_some()
            && self.start.as_ref().is_some_and(by_it)
    }

    /// Whether it has ended for good, by its own word or a witness's.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.exit.is_some() || self.phase_is_final()
    }

    fn phase_is_final(&self) -> bool {
        self.report
            .as_ref()
            .is_some_and(|report| report.phase.is_final())
    }

    /// What it ended with: a witness's word before its own.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        self.exit
            .or_else(|| self.report.as_ref().and_then(|report| report.exit_code))
    }

    /// Its start under this plan; one under another plan is none.
    #[must_use]
    pub fn start_under(&self, plan: &PlanId) -> Option<&StartReport> {
        self.start
            .as_ref()
            .filter(|start| start.plan.as_ref() == Some(plan))
            .map(|start| &start.report)
    }

    /// When there was last a sign of life: a change seen live, else when it was found.
    #[must_use]
    pub fn last_sign(&self) -> Instant {
        self.live_at.unwrap_or(self.known_since)
    }

    fn take_report(&mut self, report: Report, live: bool, now: Instant) -> Option<News> {
        let before = self.report.as_ref();
        let same_process = before.is_some_and(|old| old.incarnation == report.incarnation);
        if same_process && before.is_some_and(|old| old.sequence > report.sequence) {
            return None; // Read out of order: something newer is known already.
        }
        let is_back = live && self.former.contains(&report.incarnation);
        let news = match before {
            Some(_) if is_back && !self.doubled => Some(News::Doubled),
            Some(_) if !same_process && self.doubled => None,
            Some(old) if !same_process => Some(News::Restarted(old.phase)),
            Some(old) if old.phase == report.phase => None,
            _ => Some(News::Phase),
        };
        if let (Some(old), false) = (before, same_process) {
            let mut former = std::mem::take(&mut self.former);
            former.insert(old.incarnation.clone());
            *self = Self {
                start: self.start.take(),
                doubled: self.doubled || is_back,
                former,
                ..Self::new(now)
            };
        }
        if live {
            self.live_at = Some(now);
        }
        if let Some(start) = &report.start {
            self.keep_start(&report, start.clone());
        }
        self.removed = false;
        self.report = Some(report);
        news
    }

    /// The same process may add to its start; another process must not put its own in the
    /// place of one under the same plan.
    fn keep_start(&mut self, report: &Report, start: StartReport) {
        let replaceable = self
            .start
            .as_ref()
            .is_none_or(|old| old.by == report.incarnation || old.plan != report.plan);
        if replaceable {
            self.start = Some(Start {
                by: report.incarnation.clone(),
                plan: report.plan.clone(),
                report: start,
            });
        }
    }
}

/// A change in a runner that people want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It entered the phase that its report says.
    Phase,
    /// It is another process than before, which had got to this phase.
    Restarted(rendezvous::Phase),
    /// A process that another one had followed reports again: two live under one id.
    Doubled,
    /// Its process has ended with this code.
    Exited(u8),
    /// Its report was taken away before its end.
    Removed,
}

/// All runners of a run and stage that this process has heard of, each once.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    runners: BTreeMap<RunnerId, Observed>,
}

impl Roster {
    /// Takes a report in. `live`: its change was seen as it happened, now.
    pub fn report(&mut self, report: Report, live: bool, now: Instant) -> Option<News> {
        self.entry(report.runner.clone(), now)
            .take_report(report, live, now)
    }

    /// Notes that a runner's report was taken out of the store.
    pub fn removed(&mut self, runner: &RunnerId) -> Option<News> {
        let observed = self.runners.get_mut(runner)?;
        let news = !observed.removed && !observed.has_ended();
        observed.removed = true;
        news.then_some(News::Removed)
    }

    /// Takes a witness's word in.
    pub fn sighting(&mut self, sighting: Sighting, now: Instant) -> Option<News> {
        let observed = self.entry(sighting.runner, now);
        match sighting.state {
            Seen::Up => None,
            Seen::Ended(code) => {
                let news = observed.exit != Some(code);
                observed.exit = Some(code);
                news.then_some(News::Exited(code))
            }
        }
    }

    /// What is known of a runner.
    #[must_use]
    pub fn get(&self, runner: &RunnerId) -> Option<&Observed> {
        self.runners.get(runner)
    }

    /// All runners, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&RunnerId, &Observed)> {
        self.runners.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runners.len()
    }

    /// Whether nobody was heard of yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runners.is_empty()
    }

    fn entry(&mut self, runner: RunnerId, now: Instant) -> &mut Observed {
        self.runners
            .entry(runner)
            .or_insert_with(|| Observed::new(now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{a_report, a_start, runner, seconds};
    use rendezvous::Phase;

    #[test]
    fn a_report_that_was_lying_there_is_not_fresh() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.report(a_report("r1", Phase::Ready), false, now);
        assert_eq!(roster.get(&runner("r1")).unwrap().live_at, None);
        let mut renewed = a_report("r1", Phase::Ready);
        renewed.sequence += 1;
        roster.report(renewed, true, now + seconds(5));
        let observed = roster.get(&runner("r1")).unwrap();
        assert_eq!(observed.live_at, Some(now + seconds(5)));
    }

    #[test]
    fn another_incarnation_replaces_the_older_one_and_its_freshness() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.report(a_report("r1", Phase::Ready), true, now);
        let mut restarted = a_report("r1", Phase::Starting);
        restarted.incarnation = Incarnation::random();
        restarted.sequence = 0;
        let news = roster.report(restarted, false, now + seconds(1));
        assert_eq!(news, Some(News::Restarted(Phase::Ready)));
        let observed = roster.get(&runner("r1")).unwrap();
        assert_eq!(
            observed.report.as_ref().map(|r| r.phase),
            Some(Phase::Starting)
        );
        assert_eq!(observed.live_at, None);
        assert_eq!(roster.len(), 1);
    }

    #[test]
    fn two_processes_under_one_id_are_seen_when_the_former_reports_again() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let mut former = a_report("r1", Phase::Ready);
        let mut newer = former.clone();
        newer.incarnation = Incarnation::random();
        let mut report = |report: &mut Report, live| {
            report.sequence += 1;
            let news = roster.report(report.clone(), live, now);
            let doubled = roster.get(&runner("r1")).is_some_and(|one| one.doubled);
            (news, doubled)
        };
        assert_eq!(report(&mut former, true), (Some(News::Phase), false));
        let restarted = Some(News::Restarted(Phase::Ready));
        assert_eq!(report(&mut newer, true), (restarted, false));
        assert_eq!(report(&mut former, false), (restarted, false), "of any age");
        assert_eq!(report(&mut newer, true), (Some(News::Doubled), true));
        assert_eq!(report(&mut former, true), (None, true), "told already");
        assert_eq!(report(&mut former, true), (None, true));
    }

    #[test]
    fn what_was_read_out_of_order_changes_nothing() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let old = a_report("r1", Phase::Starting);
        let mut new = old.clone();
        (new.sequence, new.phase) = (old.sequence + 1, Phase::Ready);
        roster.report(new, true, now);
        assert_eq!(roster.report(old, true, now + seconds(1)), None);
        let observed = roster.get(&runner("r1")).unwrap();
        assert_eq!(
            observed.report.as_ref().map(|r| r.phase),
            Some(Phase::Ready)
        );
        assert_eq!(observed.live_at, Some(now));
    }

    #[test]
    fn a_witness_outranks_a_report() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.report(a_report("r1", Phase::Ready), true, now);
        let ended = Sighting {
            runner: runner("r1"),
            state: Seen::Ended(137),
        };
        assert_eq!(roster.sighting(ended.clone(), now), Some(News::Exited(137)));
        assert_eq!(roster.sighting(ended, now), None);
        let observed = roster.get(&runner("r1")).unwrap();
        assert!(observed.has_ended());
        assert_eq!(observed.exit_code(), Some(137));
    }

    #[test]
    fn a_start_outlives_the_process_that_made_it() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let mut fired = a_report("r1", Phase::Running);
        fired.start = Some(a_start(0));
        let plan = fired.plan.clone().unwrap();
        roster.report(fired.clone(), true, now);
        let mut used_up = a_report("r1", Phase::Refused);
        used_up.incarnation = Incarnation::random();
        used_up.exit_code = Some(77);
        roster.report(used_up, true, now + seconds(9));
        let observed = roster.get(&runner("r1")).unwrap();
        assert_eq!(observed.start_under(&plan), fired.start.as_ref());
        assert_eq!(observed.exit_code(), Some(77));
        assert_eq!(observed.start_under(&PlanId::random()), None);
    }

    #[test]
    fn a_report_taken_away_is_kept_and_told_once() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.report(a_report("r1", Phase::Ready), true, now);
        assert_eq!(roster.removed(&runner("r1")), Some(News::Removed));
        assert_eq!(roster.removed(&runner("r1")), None);
        assert!(roster.get(&runner("r1")).unwrap().report.is_some());
        assert_eq!(roster.removed(&runner("r2")), None);
    }
}
