//! What this process has seen of each runner: their reports, merged with what a
//! witness says of the process or container that they run in.
//!
//! Nothing here compares two machines' clocks: how old something is, is how long
//! ago this process saw it happen.

use std::collections::BTreeMap;

use rendezvous::{Report, RunnerId};
use tokio::time::Instant;

use super::observed::Observed;
use super::witness::Sighting;

/// A change in a runner that people want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It entered the phase that its report says.
    Phase,
    /// It is another process than before, which had got to this phase.
    Restarted(rendezvous::Phase),
    /// A process that another one had followed reports again: two live under one id.
    Doubled,
    /// A witness says that its process has ended, or that it will not come.
    Ended,
    /// Its process has ended, and another one is to come in its place.
    Down,
    /// It is about to be ended.
    Leaving,
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
    pub fn removed(&mut self, runner: &RunnerId, now: Instant) -> Option<News> {
        let observed = self.runners.get_mut(runner)?;
        observed.take_removal(now).then_some(News::Removed)
    }

    /// Takes a witness's word in.
    pub fn sighting(&mut self, sighting: Sighting, now: Instant) -> Option<News> {
        self.entry(sighting.runner, now)
            .take_sighting(sighting.name, sighting.state, now)
    }

    /// A runner's name for people; its id where none is known.
    #[must_use]
    pub fn name<'a>(&'a self, runner: &'a RunnerId) -> &'a str {
        let observed = self.runners.get(runner);
        observed.and_then(Observed::name).unwrap_or(runner.as_str())
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
    use crate::decide::witness::Seen;
    use crate::testing::{a_report, a_start, runner, seconds};
    use rendezvous::{Incarnation, Phase, PlanId};

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
            name: None,
            state: Seen::Ended(137, None),
        };
        assert_eq!(roster.sighting(ended.clone(), now), Some(News::Ended));
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
        assert_eq!(roster.removed(&runner("r1"), now), Some(News::Removed));
        assert_eq!(roster.removed(&runner("r1"), now), None);
        assert!(roster.get(&runner("r1")).unwrap().report.is_some());
        assert_eq!(roster.removed(&runner("r2"), now), None);
    }
}
