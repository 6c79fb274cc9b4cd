//! What came of it: a row for each runner, what is at fault, and the exit code.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rendezvous::{Phase, Plan, PlanId, RunId, RunnerId, StageName, StartReport, Terms};

use super::ending::Ending;
use super::muster::{Muster, Why, without};
use super::natural;
use super::roster::{Observed, Roster};
use super::spread::{self, Spread};
use super::started::{Expected, Sight, lost, was_witnessed};
use super::words::runners;
use crate::exit::Code;

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
    /// It has ended. The phase and the reason as it reported them, if it had time to.
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
            Self::Ended(None, _) => f.write_str("ended without a word"),
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
    /// Its start under the plan.
    pub start: Option<StartReport>,
    /// Its final exit code.
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
    /// The spread of firing over those that fired.
    pub spread: Option<Spread>,
    /// What was not as it should be, each in a sentence.
    pub faults: Vec<String>,
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
    /// Whether the runners' ends were waited for.
    pub waited: bool,
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
    let starts: Vec<_> = rows.iter().filter_map(|row| row.start.as_ref()).collect();
    let (started, spread) = (starts.len(), spread::of(&starts));
    // The other scheduler's need is no reason to be content with less than one's own.
    let wanted = plan.map_or(facts.wanted, |plan| facts.wanted.max(plan.runners_wanted));
    let faults = match (facts.ending, plan) {
        (Ending::Followed { expected, .. }, Some(plan)) => {
            let mut faults: Vec<_> = over_before(facts, plan, expected).into_iter().collect();
            faults.extend(faults_of_start(facts, plan, expected, wanted, &rows));
            faults
        }
        _ => Vec::new(),
    };
    Outcome {
        run: facts.run.clone(),
        stage: facts.stage.clone(),
        code: code(facts, &rows, &faults),
        kind: facts.ending.kind(),
        ending: facts.ending.to_string(),
        plan: plan.map(|plan| plan.id.clone()),
        start_at: plan.and_then(Plan::start_at),
        wanted,
        started,
        spread,
        faults,
        rows,
    }
}

fn row(facts: &Facts<'_>, plan: Option<&Plan>, runner: &RunnerId, observed: &Observed) -> Row {
    let report = observed.report.as_ref();
    let start = plan.and_then(|plan| observed.start_under(&plan.id));
    let went_wrong = observed.exit_code().is_some_and(|code| code != 0);
    Row {
        runner: runner.clone(),
        name: report.map_or_else(|| runner.to_string(), |report| report.name.clone()),
        start: start.cloned(),
        exit_code: observed.exit_code(),
        fate: fate(facts, runner, observed, start),
        k6_errors: report
            .filter(|_| went_wrong)
            .map(|report| report.k6_errors.clone())
            .unwrap_or_default(),
        first_request: None,
    }
}

fn fate(
    facts: &Facts<'_>,
    runner: &RunnerId,
    observed: &Observed,
    start: Option<&StartReport>,
) -> Fate {
    if observed.has_ended() {
        let last_word = observed
            .report
            .as_ref()
            .filter(|report| report.phase.is_final());
        let reason = last_word.and_then(|report| report.reason.clone());
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

/// A start that was over before this process came. What is told of it is true, but
/// whoever asked for a start has not got one.
fn over_before(facts: &Facts<'_>, plan: &Plan, expected: &Expected) -> Option<String> {
    let counted_here = matches!(expected, Expected::Runners(_));
    let mut runners = facts.roster.iter();
    let has_started = runners.any(|(_, one)| one.start_under(&plan.id).is_some());
    if counted_here || !has_started || was_witnessed(facts.roster, &plan.id) {
        return None;
    }
    let start_at = plan.start_at()?;
    // A clock that contradicts it is not worth telling.
    let ago = (facts.own_utc - start_at).to_std().unwrap_or_default();
    let ago = humantime::format_duration(Duration::from_secs(ago.as_secs()));
    Some(format!(
        "this run started at {}, {ago} ago by this machine's clock; its result is shown again, \
         and a new run needs a new --run",
        start_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    ))
}

fn faults_of_start(
    facts: &Facts<'_>,
    plan: &Plan,
    expected: &Expected,
    wanted: u32,
    rows: &[Row],
) -> Vec<String> {
    let started = rows.iter().filter(|row| row.start.is_some()).count();
    let mut faults = Vec::new();
    if started < wanted as usize {
        faults.push(format!(
            "only {started} of {} started",
            runners(wanted as usize)
        ));
    }
    for (runner, observed) in facts.roster.iter() {
        if observed.doubled {
            faults.push(format!("{runner}: {DOUBLED}"));
        }
    }
    let tolerance = plan.terms.late_tolerance;
    let tolerance = tolerance.unwrap_or(Terms::DEFAULT_TOLERANCE);
    for row in rows {
        let name = &row.name;
        match &row.start {
            None if expected.names(&row.runner) => {
                faults.push(format!(
                    "{name} was counted on, but did not start: {}",
                    row.fate
                ));
            }
            None => {}
            Some(start) => {
                if start.lateness.abs().to_std().unwrap_or_default() > tolerance {
                    let off = spread::millis(start.lateness.abs());
                    let way = if start.lateness < TimeDelta::zero() {
                        "early"
                    } else {
                        "late"
                    };
                    let tolerance = humantime::format_duration(tolerance);
                    faults.push(format!(
                        "{name} fired {off} ms too {way} (tolerated: {tolerance})"
                    ));
                }
                if matches!(row.fate, Fate::Fired | Fate::Lost(_) | Fate::Removed) {
                    faults.push(format!("{name}: {}", row.fate));
                }
            }
        }
    }
    if facts.waited {
        for row in rows {
            let never_ended = row.exit_code.is_none() && row.start.is_none();
            if never_ended && !expected.names(&row.runner) {
                faults.push(format!("{} has no final code: {}", row.name, row.fate));
            }
        }
    }
    faults
}

fn code(facts: &Facts<'_>, rows: &[Row], faults: &[String]) -> Code {
    let codes: BTreeMap<&RunnerId, Code> = rows
        .iter()
        .filter_map(|row| Some((&row.runner, Code::of_runner(row.exit_code?))))
        .collect();
    let worst = |codes: &mut dyn Iterator<Item = Code>| codes.fold(Code::Well, Code::worse);
    match facts.ending {
        Ending::Followed { .. } => {
            let start = if faults.is_empty() {
                Code::Well
            } else {
                Code::NotWell
            };
            if facts.waited {
                start.worse(worst(&mut codes.into_values()))
            } else {
                start
            }
        }
        Ending::Impossible { ended } if facts.waited => {
            let of_k6 = ended
                .iter()
                .filter_map(|runner| codes.get(runner).copied())
                .filter(|code| code.is_k6s());
            match worst(&mut of_k6.into_iter()) {
                Code::Well => Code::NoQuorum,
                code => code,
            }
        }
        Ending::Impossible { .. } | Ending::TimedOut { .. } | Ending::CannotSet(_) => {
            Code::NoQuorum
        }
        Ending::NoMajority => Code::NoTime,
        Ending::Aborted { .. } if facts.waited => {
            Code::Aborted.worse(worst(&mut codes.into_values()))
        }
        Ending::Aborted { .. } | Ending::Cancelled { .. } => Code::Aborted,
        Ending::Broken { .. } => Code::NoAccess,
    }
}

#[cfg(test)]
mod tests;
