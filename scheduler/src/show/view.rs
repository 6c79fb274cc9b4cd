//! How far it has got, in a line.

use std::collections::BTreeMap;
use std::time::Duration;

use rendezvous::{Phase, PlanId, RunnerId};

use crate::decide::muster::{Muster, Why};
use crate::decide::roster::{Observed, Roster};

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

/// How many runners, and how many reasons, a line names before it only counts them: more do not fit.
const NAMED: usize = 3;

/// A pipeline's reader is to see that the wait goes on.
const QUIET_WAIT: Duration = Duration::from_secs(5);

/// A load test runs for long, and k6's own output tells how it goes.
const QUIET_RUN: Duration = Duration::from_secs(60);

/// While runners are gathered.
#[must_use]
pub fn gathering(roster: &Roster, muster: &Muster, wanted: u32, left: Duration) -> View {
    let (ready, wanted) = (muster.ready.len(), wanted as usize);
    let still_to_come = wanted.saturating_sub(muster.known());
    let mut missing = named(roster, &muster.others);
    if still_to_come > 0 {
        missing.push(format!("{still_to_come} not heard of yet"));
    }
    let missing = missing.join("; ");
    let separator = if missing.is_empty() { "" } else { "; " };
    let left = whole_seconds(left);
    View {
        done: ready,
        of: wanted,
        what: format!("{ready} {missing}"),
        line: format!("{ready}/{wanted} ready, {left} left{separator}{missing}"),
        quiet: QUIET_WAIT,
    }
}

/// Who is missing and why; those for whom it is the same, together.
fn named(roster: &Roster, others: &BTreeMap<RunnerId, Why>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (runner, why) in others {
        let (why, name) = (why.to_string(), name(roster, runner));
        match groups.iter_mut().find(|(of, _)| *of == why) {
            Some((_, names)) => names.push(name),
            None => groups.push((why, vec![name])),
        }
    }
    let beyond: usize = groups
        .iter()
        .skip(NAMED)
        .map(|(_, names)| names.len())
        .sum();
    let mut named: Vec<_> = groups
        .iter()
        .take(NAMED)
        .map(|(why, names)| format!("{}: {why}", few(names)))
        .collect();
    if beyond > 0 {
        named.push(format!("{beyond} more for other reasons"));
    }
    named
}

fn few(names: &[&str]) -> String {
    let (named, beyond) = names.split_at(names.len().min(NAMED));
    let named = named.join(", ");
    if beyond.is_empty() {
        named
    } else {
        format!("{named} and {} more", beyond.len())
    }
}

fn name<'a>(roster: &'a Roster, runner: &'a RunnerId) -> &'a str {
    let report = roster.get(runner).and_then(|one| one.report.as_ref());
    report.map_or(runner.as_str(), |report| &report.name)
}

/// While all wait for the instant. `left`: `None` while it is not known what time it is.
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
    View {
        done: armed,
        of: expected,
        what: format!("{armed}"),
        line: format!("{left}; {armed}/{expected} armed"),
        quiet: QUIET_WAIT,
    }
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
fn whole_seconds(left: Duration) -> humantime::FormattedDuration {
    let seconds = left.as_millis().div_ceil(1000);
    humantime::format_duration(Duration::from_secs(
        u64::try_from(seconds).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::muster::muster;
    use crate::testing::{a_plan_id, a_report, a_start, agreed, runner};
    use tokio::time::Instant;

    fn roster(reports: &[(&str, Phase)]) -> Roster {
        let mut roster = Roster::default();
        for (name, phase) in reports {
            let mut report = a_report(name, *phase);
            report.waiting_for = Some("k6 to build its VUs, 30 so far".to_owned());
            if matches!(phase, Phase::Running | Phase::Finished) {
                report.start = Some(a_start(0));
            }
            roster.report(report, true, Instant::now());
        }
        roster
    }

    fn gathered(reports: &[(&str, Phase)], wanted: u32) -> String {
        let (roster, now) = (roster(reports), Instant::now());
        let muster = muster(&roster, &agreed(now), Some(&a_plan_id()), now);
        gathering(&roster, &muster, wanted, Duration::from_millis(759_900)).line
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
