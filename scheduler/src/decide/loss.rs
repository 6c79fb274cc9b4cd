//! A runner that was lost after the start: by what that is known, since when, and how much of the load is missing
//! for it.

use std::time::Duration;

use chrono::TimeDelta;
use rendezvous::{Phase, Plan, PlanId, Report};
use tokio::time::Instant;

use super::observed::{Observed, Place};
use super::started::{self, Sight, has_armed, lost};
use super::timebase::AgreedClock;
use super::words::runners;
use crate::exit::Code;

/// By what a runner is known to be lost: something else than its k6 ended its load, or keeps it from being seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Its report has not been renewed for so long, although the store can be read: its process, its node or its
    /// network is gone.
    Silent(Duration),
    /// Its report was taken out of the store.
    ReportRemoved,
    /// Its process, or its container, ended without its k6 having come to an end.
    ProcessEnded,
    /// A signal killed its k6, such as one for want of memory.
    K6Killed,
    /// Its pod is gone, and how its container ended is not known.
    PodGone,
    /// It was told to end, by a signal, and could still say so.
    Stopped,
    /// Another process has come in the place of the one that started, or is to come.
    StartedAgain,
}

impl Evidence {
    /// It in a word, for machines.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Silent(_) => "report_not_renewed",
            Self::ReportRemoved => "report_removed",
            Self::ProcessEnded => "process_ended",
            Self::K6Killed => "k6_killed",
            Self::PodGone => "pod_gone",
            Self::Stopped => "stopped",
            Self::StartedAgain => "started_again",
        }
    }
}

/// By what a runner is known to be lost that was armed for a start or started. `None`: it makes its load, or its own
/// k6 came to an end by itself, well or not.
#[must_use]
pub fn evidence(observed: &Observed, plan: &PlanId, sight: &Sight) -> Option<Evidence> {
    if let Some(start) = observed.outlived_start(plan) {
        return match start.last_word {
            Some(last_word) => by_last_word(last_word),
            None => Some(Evidence::StartedAgain),
        };
    }
    if observed.start_under(plan).is_none() && !has_armed(observed, plan) {
        return None;
    }
    let report = observed.report.as_ref();
    if let Some(last_word) = report.filter(|report| report.phase.is_final()) {
        return by_last_word(last_word);
    }
    match observed.exit {
        // Its last report did not get through.
        Some(0) => return None,
        Some(_) => return Some(Evidence::ProcessEnded),
        None => {}
    }
    if matches!(observed.place, Place::Gone(_)) {
        return Some(Evidence::PodGone);
    }
    if observed.removed {
        return Some(Evidence::ReportRemoved);
    }
    lost(observed, sight).map(Evidence::Silent)
}

fn by_last_word(report: &Report) -> Option<Evidence> {
    let code = report.exit_code.map(Code::of_runner);
    match report.phase {
        Phase::Aborted => Some(Evidence::Stopped),
        _ if code.is_some_and(Code::is_a_signals) => Some(Evidence::K6Killed),
        _ => None,
    }
}

/// Since when a runner is lost, as far as this process saw it: since its end was seen, or since it was heard of last
/// if it had been silent for long before that. `None`: it was never seen alive, and may have been lost at any time.
#[must_use]
pub fn moment(observed: &Observed, by: Evidence, sight: &Sight) -> Option<Instant> {
    match (by, observed.over_at, observed.live_at) {
        (Evidence::Silent(_), _, live_at) => live_at,
        (_, Some(over_at), Some(live_at)) => {
            let silent = over_at.saturating_duration_since(live_at);
            Some(if silent > sight.overdue {
                live_at
            } else {
                over_at
            })
        }
        (_, over_at, _) => over_at,
    }
}

/// From when on one that was armed is lost to the start.
const SHORTLY_BEFORE: TimeDelta =
    TimeDelta::seconds(started::SHORTLY_BEFORE.as_secs().cast_signed());

/// A runner that was lost after it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// By what that is known.
    pub by: Evidence,
    /// How long after the instant; `None` if nobody can say.
    pub after: Option<Duration>,
}

impl Loss {
    /// That of a runner that started under a plan, if it was lost; or of one that was armed, and lost at the start, before
    /// it could say whether it had started. `clock`: what time it is, if anybody knows.
    #[must_use]
    pub fn of(
        observed: &Observed,
        plan: &Plan,
        clock: Option<&AgreedClock>,
        sight: &Sight,
    ) -> Option<Self> {
        let by = evidence(observed, &plan.id, sight)?;
        let at = moment(observed, by, sight);
        let start_at = plan.start_at()?;
        let after = at.zip(clock).map(|(at, clock)| clock.utc(at) - start_at);
        let has_started = observed.start_under(&plan.id).is_some();
        let before = after.is_none_or(|after| after < -SHORTLY_BEFORE);
        if !has_started && before && !matches!(by, Evidence::Silent(_)) {
            return None;
        }
        // What the runners' clocks leave open may make it seem a moment before.
        let after = after.map(|after| after.to_std().unwrap_or_default());
        Some(Self { by, after })
    }

    /// When it was lost, to the second.
    #[must_use]
    pub fn when(&self) -> String {
        match self.after {
            Some(after) => format!("{} s after the start", after.as_secs()),
            None => "at a time that nobody saw".to_owned(),
        }
    }
}

/// What share of the load is missing in the end, where each of so many runners makes an equal part of it.
#[must_use]
pub fn share(losses: usize, runners: usize) -> f64 {
    if runners == 0 {
        return 0.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are at most 100,000 runners"
    )]
    let share = losses as f64 / runners as f64;
    share
}

/// How much of the load is missing, and from when on. `started`: how many runners there were to make it, those that are
/// lost among them. `None`: nobody was lost.
#[must_use]
pub fn sentence(losses: &[Loss], started: usize) -> Option<String> {
    let number = losses.len();
    let known: Option<Vec<Duration>> = losses.iter().map(|loss| loss.after).collect();
    let who = format!("{number} of {} lost", runners(started));
    Some(match (losses, known) {
        ([], _) => return None,
        ([loss], _) => format!(
            "{who} {}: {} of the load from then on",
            loss.when(),
            percent(share(1, started))
        ),
        (_, Some(mut times)) => {
            times.sort_unstable();
            let steps = times.chunk_by(|one, other| one.as_secs() == other.as_secs());
            let mut gone = 0;
            let steps: Vec<_> = steps
                .map(|step| {
                    gone += step.len();
                    let from = step.first().map_or(0, Duration::as_secs);
                    format!("{} from {from} s on", percent(share(gone, started)))
                })
                .collect();
            format!("{who} after the start: of the load {}", few_steps(&steps))
        }
        (_, None) => format!(
            "{who} after the start: {} of the load in the end",
            percent(share(number, started))
        ),
    })
}

/// How many steps a line holds: the first ones, and the last, which says how much is missing in the end.
const STEPS: usize = 4;

fn few_steps(steps: &[String]) -> String {
    match steps {
        [first @ .., last] if steps.len() > STEPS => {
            format!("{}, …, {last}", first[..STEPS - 1].join(", "))
        }
        steps => steps.join(", "),
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 10.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

#[cfg(test)]
mod tests;
