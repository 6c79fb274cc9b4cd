//! How far it has got, in a line.

use std::collections::BTreeMap;
use std::time::Duration;

use rendezvous::{Phase, PlanId, RunnerId};

use crate::decide::muster::{Muster, Why};
use crate::decide::observed::Observed;
use crate::decide::roster::Roster;
use crate::decide::words::few;

/// How far it has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// So many runners are where they should be…
    pub done: usize,
    /// …of so many.
    pub of: usize,
    /// What has changed when this has: the line without the time.
    pub what: String,
    /// The whole line.
    pub line: String,
    /// How long nothing may be said while nothing changes.
    pub quiet: Duration,
}

/// How many reasons a line names before it only counts the runners: more do not fit.
const NAMED: usize = 3;

/// A pipeline's reader is to see that the wait goes on.
const QUIET_WAIT: Duration = Duration::from_secs(5);

/// A load test runs for long, and k6's own output tells how it goes.
const QUIET_RUN: Duration = Duration::from_secs(60);

/// What is known of runners that nobody has heard of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook<'a> {
    /// Whether others come in the place of those that have ended.
    pub replaced: bool,
    /// What keeps them from coming.
    pub hindrance: Option<&'a str>,
}

/// While runners are gathered. `missing`: as [`missing`] says it.
#[must_use]
pub fn gathering(muster: &Muster, wanted: u32, left: Duration, missing: &str) -> View {
    let (ready, wanted) = (muster.ready.len(), wanted as usize);
    let left = whole_seconds(left);
    View {
        done: ready,
        of: wanted,
        what: format!("{ready}{missing}"),
        line: format!("{ready}/{wanted} ready, {left} left{missing}"),
        quiet: QUIET_WAIT,
    }
}

/// Who is missing and why, each with a semicolon in front.
#[must_use]
pub fn missing(roster: &Roster, muster: &Muster, wanted: u32, outlook: &Outlook<'_>) -> String {
    let mut missing = named(roster, &muster.others);
    let there = muster.known() - if outlook.replaced { muster.ended } else { 0 };
    let still_to_come = (wanted as usize).saturating_sub(there);
    if still_to_come > 0 {
        let why = outlook.hindrance.map(|what| format!(" ({what})"));
        let why = why.unwrap_or_default();
        missing.push(format!("{still_to_come} not heard of yet{why}"));
    }
    missing.iter().map(|text| format!("; {text}")).collect()
}

/// Who is missing and why; those for whom it is the same, together.
fn named(roster: &Roster, others: &BTreeMap<RunnerId, Why>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    let mut beyond = 0;
    for (runner, why) in others {
        let (why, name) = (why.to_string(), roster.name(runner));
        match groups.iter().position(|(of, _)| *of == why) {
            Some(n) => groups[n].1.push(name),
            None if groups.len() < NAMED => groups.push((why, vec![name])),
            None => beyond += 1,
        }
    }
    let mut named: Vec<_> = groups
        .iter()
        .map(|(why, names)| format!("{}: {why}", few(names)))
        .collect();
    if beyond > 0 {
        named.push(format!("{beyond} more for other reasons"));
    }
    named
}

/// While all wait for the instant, with the doubts that any of them has in its clock since it was armed. `left`: `None`
/// while it is not known what time it is.
#[must_use]
pub fn counting_down(
    roster: &Roster,
    plan: &PlanId,
    expected: usize,
    left: Option<Duration>,
) -> View {
    let armed = roster.iter().filter(|(_, one)| is_armed(one, plan)).count();
    let left = left.map_or_else(
        || "start is set".to_owned(),
        |left| format!("start in {}", whole_seconds(left)),
    );
    let doubts = named(roster, &doubts(roster, plan));
    let doubts: String = doubts.iter().map(|text| format!("; {text}")).collect();
    View {
        done: armed,
        of: expected,
        what: format!("{armed}{doubts}"),
        line: format!("{left}; {armed}/{expected} armed{doubts}"),
        quiet: QUIET_WAIT,
    }
}

/// Who counts down by a clock that would not do if the instant were now.
fn doubts(roster: &Roster, plan: &PlanId) -> BTreeMap<RunnerId, Why> {
    let armed = roster.iter().filter(|(_, one)| is_armed(one, plan));
    let in_doubt = armed.filter_map(|(runner, one)| {
        let report = one.report.as_ref()?;
        let waiting_for = report.waiting_for.clone();
        let is_in_doubt = report.phase == Phase::Armed && waiting_for.is_some();
        is_in_doubt.then(|| (runner.clone(), Why::Starting { waiting_for }))
    });
    in_doubt.collect()
}

/// Whether it counts down by this plan, or has got further.
fn is_armed(observed: &Observed, plan: &PlanId) -> bool {
    let report = observed.report.as_ref();
    report.is_some_and(|report| report.plan.as_ref() == Some(plan) && report.armed)
        && !observed.has_ended()
}

/// After the instant, while it shows what came of the start.
#[must_use]
pub fn settling(roster: &Roster, plan: &PlanId, expected: usize) -> View {
    let started = roster
        .iter()
        .filter(|(_, one)| one.start_under(plan).is_some())
        .count();
    View {
        done: started,
        of: expected,
        what: format!("{started}"),
        line: format!("{started}/{expected} have reported their start"),
        quiet: QUIET_WAIT,
    }
}

/// While the runners' ends are waited for.
#[must_use]
pub fn running(roster: &Roster) -> View {
    let ended = roster.iter().filter(|(_, one)| one.has_ended()).count();
    let running = roster
        .iter()
        .filter(|(_, one)| {
            let report = one.report.as_ref();
            report.is_some_and(|report| matches!(report.phase, Phase::Fired | Phase::Running))
                && !one.has_ended()
        })
        .count();
    View {
        done: ended,
        of: roster.len(),
        what: format!("{running} {ended}"),
        line: format!("{running} running, {ended}/{} ended", roster.len()),
        quiet: QUIET_RUN,
    }
}

/// Rounded up, so that a countdown does not say 0 s a second too early.
#[must_use]
pub fn whole_seconds(left: Duration) -> humantime::FormattedDuration {
    let seconds = left.as_millis().div_ceil(1000);
    humantime::format_duration(Duration::from_secs(
        u64::try_from(seconds).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::muster::muster;
    use crate::testing::{a_plan_id, a_report, a_start, agreed, aim, runner, sight};
    use tokio::time::Instant;

    fn roster(reports: &[(&str, Phase)]) -> Roster {
        let mut roster = Roster::default();
        for (name, phase) in reports {
            let mut report = a_report(name, *phase);
            let is_starting = *phase == Phase::Starting;
            report.waiting_for = is_starting.then(|| "k6 to build its VUs, 30 so far".to_owned());
            if matches!(phase, Phase::Running | Phase::Finished) {
                report.start = Some(a_start(0));
            }
            roster.report(report, true, Instant::now());
        }
        roster
    }

    fn gathered(reports: &[(&str, Phase)], wanted: u32) -> String {
        let (roster, now) = (roster(reports), Instant::now());
        let muster = muster(&roster, &agreed(now), aim(), &sight(now));
        let missing = missing(&roster, &muster, wanted, &Outlook::default());
        gathering(&muster, wanted, Duration::from_millis(759_900), &missing).line
    }

    #[test]
    fn gathering_says_who_is_missing_and_why() {
        let two = [("r1", Phase::Ready), ("r2", Phase::Starting)];
        assert_eq!(
            gathered(&two, 2),
            "1/2 ready, 12m 40s left; r2: waiting for k6 to build its VUs, 30 so far"
        );
        assert_eq!(
            gathered(&two, 4),
            "1/4 ready, 12m 40s left; r2: waiting for k6 to build its VUs, 30 so far; 2 not heard of yet"
        );
        assert_eq!(gathered(&two[..1], 1), "1/1 ready, 12m 40s left");
    }

    #[test]
    fn a_clock_that_is_not_good_enough_is_told_as_the_runner_says_it() {
        let (mut roster, now) = (roster(&[("k6-1", Phase::Ready)]), Instant::now());
        let mut unfit = a_report("k6-3", Phase::Starting);
        unfit.waiting_for = Some("clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer".to_owned());
        roster.report(unfit, true, now);
        let muster = muster(&roster, &agreed(now), aim(), &sight(now));
        let missing = missing(&roster, &muster, 2, &Outlook::default());
        assert_eq!(
            gathering(&muster, 2, Duration::from_secs(60), &missing).line,
            "1/2 ready, 1m left; k6-3: clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer"
        );
    }

    #[test]
    fn a_crowd_is_counted() {
        let names: Vec<_> = (1..=9).map(|n| format!("r{n}")).collect();
        let crowd: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), Phase::Starting))
            .collect();
        let line = gathered(&crowd, 9);
        assert!(
            line.ends_with("; r1, r2, r3 and 6 more: waiting for k6 to build its VUs, 30 so far"),
            "{line}"
        );
    }

    #[test]
    fn no_more_than_three_reasons_are_told() {
        let others: BTreeMap<_, _> = (1..=6)
            .map(|n| {
                (
                    runner(&format!("r{n}")),
                    Why::Silent(Duration::from_secs(n)),
                )
            })
            .collect();
        let named = named(&Roster::default(), &others);
        assert_eq!(
            named[2..],
            ["r3: silent for 3 s", "3 more for other reasons"]
        );
    }

    #[test]
    fn the_countdown_counts_those_that_are_armed() {
        let roster = roster(&[
            ("r1", Phase::Armed),
            ("r2", Phase::Ready),
            ("r3", Phase::Failed),
        ]);
        let plan = a_plan_id();
        let left = Some(Duration::from_millis(2_100));
        let line = counting_down(&roster, &plan, 2, left).line;
        assert_eq!(line, "start in 3s; 1/2 armed");
        let line = counting_down(&roster, &plan, 2, None).line;
        assert_eq!(line, "start is set; 1/2 armed");
    }

    #[test]
    fn the_countdown_tells_of_a_clock_in_doubt() {
        let mut roster = roster(&[("r1", Phase::Armed)]);
        let mut doubtful = a_report("r2", Phase::Armed);
        doubtful.waiting_for = Some("clock error 60 ms > 50 ms".to_owned());
        roster.report(doubtful, true, Instant::now());
        let line = counting_down(&roster, &a_plan_id(), 2, None).line;
        assert_eq!(
            line,
            "start is set; 2/2 armed; r2: clock error 60 ms > 50 ms"
        );
    }

    #[test]
    fn after_the_instant_starts_and_then_ends_are_counted() {
        let roster = roster(&[
            ("r1", Phase::Running),
            ("r2", Phase::Finished),
            ("r3", Phase::Armed),
        ]);
        let line = settling(&roster, &a_plan_id(), 3).line;
        assert_eq!(line, "2/3 have reported their start");
        assert_eq!(running(&roster).line, "1 running, 1/3 ended");
    }
}
