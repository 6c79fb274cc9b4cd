//! What came of it: a row for each runner, what is at fault, and the exit code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{ClockReport, Phase, Plan, PlanId, RunId, RunnerId, StageName, StartReport};

use super::ending::{Ending, Start};
use super::flaw::{Flaw, flaw, tolerance};
use super::loss::{self, Loss};
use super::muster::{Muster, Why, why_ended, without};
use super::natural;
use super::observed::Observed;
use super::roster::Roster;
use super::sources::{Clock, Sources};
use super::spread::{self, Spread};
use super::started::{Sight, lost};
use super::words::{few, span};
use crate::exit::Code;

mod code;
mod faults;

/// What is wrong where two processes report under one runner id.
pub const DOUBLED: &str =
    "two processes report under this runner id: give each a --runner of its own";

/// What became of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was there, ready or armed, when the scheduler was done.
    Waiting(Phase),
    /// It did not count, and has not started.
    Missing(Why),
    /// It sent the resume; k6 was not seen running.
    Fired,
    /// k6 was seen running.
    Running,
    /// It has ended. The phase and the reason as it reported them, if it had time to; else a
    /// witness's reason.
    Ended(Option<Phase>, Option<String>),
    /// It gave no sign of life for so long although one was due.
    Lost(Duration),
    /// Its report was taken out of the store.
    Removed,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(phase) => phase.fmt(f),
            Self::Missing(why) => why.fmt(f),
            Self::Fired => f.write_str("fired, but k6 was not seen running"),
            Self::Running => f.write_str("running"),
            Self::Ended(None, None) => f.write_str("ended without a word"),
            Self::Ended(None, Some(reason)) => write!(f, "ended without a word: {reason}"),
            Self::Ended(Some(phase), None) => phase.fmt(f),
            Self::Ended(Some(phase), Some(reason)) => {
                write!(f, "{phase}: {}", without(reason, Some(*phase)))
            }
            Self::Lost(silent) => write!(f, "lost: silent for {} s", silent.as_secs()),
            Self::Removed => f.write_str("lost: its report was removed from the store"),
        }
    }
}

/// What is known of a runner in the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which runner.
    pub runner: RunnerId,
    /// Its name for people.
    pub name: String,
    /// The machine that it runs on, if it says so.
    pub node: Option<String>,
    /// What it said last of its clock.
    pub clock: Option<ClockReport>,
    /// Its start under the plan.
    pub start: Option<StartReport>,
    /// What is wrong with that start.
    pub flaw: Option<Flaw>,
    /// How it was lost, after that start or before it could say that it had started.
    pub loss: Option<Loss>,
    /// Whether the process that started ended otherwise than well and was started again, as a pod's
    /// container is: what the new one ends with is not of the start.
    pub started_again: bool,
    /// Its final exit code; that of the process that started, if it could still tell.
    pub exit_code: Option<u8>,
    /// What became of it.
    pub fate: Fate,
    /// k6's last words, if it went wrong.
    pub k6_errors: Vec<String>,
    /// What the target saw of it, if the target was asked.
    pub first_request: Option<FirstRequest>,
}

/// What a target saw of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstRequest {
    /// When its first request arrived, by the target's clock.
    pub at: DateTime<Utc>,
    /// How many requests of it arrived.
    pub count: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The run.
    pub run: RunId,
    /// The stage.
    pub stage: StageName,
    /// What the scheduler exits with.
    pub code: Code,
    /// How it ended, in a word for machines.
    pub kind: &'static str,
    /// How it ended, in a sentence.
    pub ending: String,
    /// The plan that was set.
    pub plan: Option<PlanId>,
    /// The instant.
    pub start_at: Option<DateTime<Utc>>,
    /// How many runners were wanted.
    pub wanted: u32,
    /// How many fired.
    pub started: usize,
    /// How many of those were lost later on.
    pub lost: usize,
    /// What share of the load is missing in the end for those, 0 to 1.
    pub lost_share: f64,
    /// The spread of firing over those that fired by a clock that is worth believing.
    pub spread: Option<Spread>,
    /// What was not as it should be, each in a sentence.
    pub faults: Vec<String>,
    /// What makes nothing wrong, but may have, each in a sentence.
    pub warnings: Vec<String>,
    /// The runners.
    pub rows: Vec<Row>,
}

impl Outcome {
    /// Puts what a target saw of the runners, by their names, beside what they reported.
    pub fn add_first_requests(&mut self, seen: &BTreeMap<String, FirstRequest>) {
        for row in &mut self.rows {
            row.first_request = seen.get(&row.name).copied();
        }
    }

    /// Where those that started take their time from.
    #[must_use]
    pub fn sources(&self) -> Sources<'_> {
        sources(&self.rows)
    }

    /// Latest minus earliest of the first requests, as the target saw them, and of how many runners.
    #[must_use]
    pub fn first_request_spread(&self) -> Option<(TimeDelta, usize)> {
        let seen = || self.rows.iter().filter_map(|row| row.first_request);
        let times = || seen().map(|first| first.at);
        Some((times().max()? - times().min()?, seen().count()))
    }
}

/// What the judgement is made from.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The stage.
    pub stage: &'a StageName,
    /// How many runners this scheduler wanted.
    pub wanted: u32,
    /// What time it is by this machine's own clock, which nothing is decided by.
    pub own_utc: DateTime<Utc>,
    /// Whether the runners' ends were waited for, and count.
    pub waited: bool,
    /// Whether another stage follows.
    pub followed: bool,
    /// Those that had ended before the instant was set and in whose place another one came.
    pub replaced: &'a BTreeSet<RunnerId>,
    /// How it ended.
    pub ending: &'a Ending,
    /// The runners.
    pub roster: &'a Roster,
    /// Who counts at the end, and why the others do not.
    pub muster: &'a Muster,
    /// What is known of the reports' freshness.
    pub sight: Sight,
}

/// Judges. Without a set instant nothing is at fault but that.
///
/// A runner that made no load counts as missing, also one that ended well because its late
/// policy is to skip: with less load than was wanted the start was not well. So does one that
/// `--min-runners` could do without: that it started all the same was wanted, that it
/// started with fewer has to be seen.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Outcome {
    let plan = facts.ending.plan();
    let mut rows: Vec<Row> = facts
        .roster
        .iter()
        .map(|(runner, observed)| row(facts, plan, runner, observed))
        .collect();
    rows.sort_by_cached_key(|row| natural::key(&row.name));
    let started = rows.iter().filter(|row| row.start.is_some()).count();
    let lost = rows.iter().filter(|row| row.loss.is_some()).count();
    let believable: Vec<_> = rows.iter().filter_map(Row::believable_start).collect();
    let spread = spread::of(&believable);
    // The other scheduler's need is no reason to be content with less than one's own.
    let wanted = plan.map_or(facts.wanted, |plan| facts.wanted.max(plan.runners_wanted));
    let faults = faults::of(facts, wanted, &rows);
    Outcome {
        run: facts.run.clone(),
        stage: facts.stage.clone(),
        code: code::of(facts, &rows, &faults),
        kind: facts.ending.kind(),
        ending: facts.ending.to_string(),
        plan: plan.map(|plan| plan.id.clone()),
        start_at: plan.and_then(Plan::start_at),
        wanted,
        started,
        lost,
        lost_share: loss::share(lost, rows.iter().filter(|row| row.had_a_part()).count()),
        spread,
        faults,
        warnings: warnings(facts, &rows),
        rows,
    }
}

fn warnings(facts: &Facts<'_>, rows: &[Row]) -> Vec<String> {
    let sources = sources(rows).warning();
    faults::over_before_another(facts)
        .into_iter()
        .chain(late_loads(facts, rows))
        .chain(sources)
        .collect()
}

/// Whose load began late although it was resumed in time: where setup() is left to k6, it comes before the load.
fn late_loads(facts: &Facts<'_>, rows: &[Row]) -> Option<String> {
    let plan = facts.ending.plan()?;
    let (start_at, tolerance) = (plan.start_at()?, tolerance(&plan.terms));
    let delay = |row: &Row| {
        let start = row.believable_start()?;
        let delay = start.load_at.filter(|at| Some(*at) != start.running_at)? - start_at;
        (delay.to_std().unwrap_or_default() > tolerance).then_some(delay)
    };
    let late: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((delay(row)?, row.name.as_str())))
        .collect();
    let longest = late.iter().map(|(delay, _)| *delay).max()?;
    let names: Vec<_> = late.iter().map(|(_, name)| *name).collect();
    Some(format!(
        "the load of {} began up to {} after the instant, as setup() was left to k6",
        few(&names),
        span(longest)
    ))
}

fn sources(rows: &[Row]) -> Sources<'_> {
    let started = rows.iter().filter(|row| row.start.is_some());
    let clocks: Vec<_> = started
        .filter_map(|row| {
            let (runner, report) = (row.name.as_str(), row.clock.as_ref()?);
            let node = row.node.as_deref();
            Some(Clock {
                runner,
                node,
                report,
            })
        })
        .collect();
    Sources::of(&clocks)
}

impl Row {
    /// Whether it made load, or was lost before it could say so.
    #[must_use]
    pub fn had_a_part(&self) -> bool {
        self.start.is_some() || self.loss.is_some()
    }

    /// Its start, if the clock by which it was measured is worth believing.
    #[must_use]
    pub fn believable_start(&self) -> Option<&StartReport> {
        let clock_is_wrong = self.flaw.as_ref().is_some_and(Flaw::is_of_the_clock);
        self.start.as_ref().filter(|_| !clock_is_wrong)
    }
}

fn row(facts: &Facts<'_>, plan: Option<&Plan>, runner: &RunnerId, observed: &Observed) -> Row {
    let report = observed.report.as_ref();
    let start = plan.and_then(|plan| observed.start_under(&plan.id));
    let outlived = plan.and_then(|plan| observed.outlived_start(&plan.id));
    let last_word = outlived.and_then(|start| start.last_word);
    let code_of_the_start = last_word.and_then(|report| report.exit_code);
    let exit_code = code_of_the_start.or_else(|| observed.exit_code());
    let went_wrong = exit_code.is_some_and(|code| code != 0);
    Row {
        runner: runner.clone(),
        name: facts.roster.name(runner).to_owned(),
        node: report.and_then(|report| report.node.clone()),
        clock: report.map(|report| report.clock.clone()),
        start: start.cloned(),
        loss: loss_of(facts, observed),
        flaw: start
            .zip(plan)
            .and_then(|(start, plan)| flaw_of(facts, runner, start, plan)),
        // Whoever restarts whatever ends has not lost a load that was made to its end.
        started_again: outlived.is_some() && code_of_the_start != Some(0),
        exit_code,
        fate: match last_word {
            Some(report) => Fate::Ended(Some(report.phase), report.reason.clone()),
            None => fate(facts, runner, observed, start),
        },
        k6_errors: last_word
            .or(report)
            .filter(|_| went_wrong)
            .map(|report| report.k6_errors.clone())
            .unwrap_or_default(),
        first_request: None,
    }
}

fn flaw_of(facts: &Facts<'_>, runner: &RunnerId, start: &StartReport, plan: &Plan) -> Option<Flaw> {
    let time = facts.ending.start().map(|start| start.time);
    let time = time.filter(|time| time.clock.is_some());
    let at_odds = time.and_then(|time| time.at_odds.get(runner));
    flaw(start, plan.start_at()?, &plan.terms, at_odds.copied())
}

/// Where the run was ended for another runner, who was told to end is not lost.
fn loss_of(facts: &Facts<'_>, observed: &Observed) -> Option<Loss> {
    let Start { plan, time, .. } = facts.ending.start()?;
    let is_stopped = matches!(facts.ending, Ending::Stopped { .. });
    if is_stopped && observed.exit_code() == Some(rendezvous::code::ABORTED) {
        return None;
    }
    Loss::of(observed, plan, time.clock.as_ref(), &facts.sight)
}

fn fate(
    facts: &Facts<'_>,
    runner: &RunnerId,
    observed: &Observed,
    start: Option<&StartReport>,
) -> Fate {
    if observed.has_ended() && observed.report.is_none() && observed.exit.is_none() {
        return Fate::Missing(why_ended(observed));
    }
    if observed.has_ended() {
        let last_word = observed
            .report
            .as_ref()
            .filter(|report| report.phase.is_final());
        let reason = match last_word {
            Some(report) => report.reason.clone(),
            None => observed.exit_detail().map(str::to_owned),
        };
        return Fate::Ended(last_word.map(|report| report.phase), reason);
    }
    if let Some(start) = start {
        return match lost(observed, &facts.sight) {
            _ if observed.removed => Fate::Removed,
            Some(silent) => Fate::Lost(silent),
            None if start.running_at.is_some() => Fate::Running,
            None => Fate::Fired,
        };
    }
    match (facts.muster.others.get(runner), &observed.report) {
        (None, Some(report)) => Fate::Waiting(report.phase),
        (None, None) => Fate::Missing(Why::NoReport),
        (Some(why), _) => Fate::Missing(why.clone()),
    }
}

#[cfg(test)]
mod tests;
