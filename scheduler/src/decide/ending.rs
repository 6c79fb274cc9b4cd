//! How a start ended for the scheduler.

use std::fmt;
use std::time::Duration;

use rendezvous::{Abort, Plan, RunnerId};

use super::instant::CannotSet;
use super::policy::Cause;
use super::started::Expected;
use super::timebase::Reading;
use crate::trouble::Trouble;

/// How it ended for the scheduler.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The instant was set, by this scheduler or another, and the start was followed through.
    Followed {
        /// The plan with the instant.
        plan: Plan,
        /// For whom it was set.
        expected: Expected,
        /// What the runners said of the time when it was clear what came of the start.
        time: Reading,
    },
    /// The start was followed, and the run was then ended before its time, as it was to be for what happened to a runner.
    Stopped {
        /// The plan with the instant.
        plan: Plan,
        /// For whom it was set.
        expected: Expected,
        /// What the runners said of the time when it was clear what came of the start.
        time: Reading,
        /// What happened.
        cause: Cause,
    },
    /// The quorum cannot come any more.
    Impossible {
        /// Those that had ended by then; what ended later was told to.
        ended: Vec<RunnerId>,
        /// Why, for people.
        why: String,
    },
    /// The quorum did not come in time.
    TimedOut {
        /// How long it was waited for.
        after: Duration,
        /// How many were there and why the others were not, for people.
        missing: String,
    },
    /// Not all were armed shortly before the instant, and then there was to be no start.
    Unarmed {
        /// The plan.
        plan: Plan,
        /// Who was not armed, for people.
        who: String,
    },
    /// The instant that was asked for cannot be set.
    CannotSet(CannotSet),
    /// No majority of the runners agrees on the time.
    NoMajority,
    /// Somebody else aborted the run.
    Aborted {
        /// By whom and why.
        abort: Abort,
        /// The plan, if its instant had been set.
        plan: Option<Plan>,
    },
    /// This process was told to end.
    Cancelled {
        /// By which signal.
        signal: &'static str,
        /// The plan, if its instant had been set.
        plan: Option<Plan>,
    },
    /// The rendezvous could not be used.
    Broken {
        /// Why.
        trouble: Trouble,
        /// The plan, if its instant had been set.
        plan: Option<Plan>,
    },
    /// The rendezvous could not be used any more once the instant was past: what came of the start is not known.
    LostSight {
        /// Why.
        trouble: Trouble,
        /// The plan.
        plan: Plan,
    },
}

/// A start that was followed through.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The plan with the instant.
    pub plan: &'a Plan,
    /// For whom it was set.
    pub expected: &'a Expected,
    /// What the runners said of the time when it was clear what came of the start.
    pub time: &'a Reading,
}

impl Ending {
    /// The plan, if its instant was set.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Followed { plan, .. }
            | Self::Stopped { plan, .. }
            | Self::Unarmed { plan, .. }
            | Self::LostSight { plan, .. } => Some(plan),
            Self::Aborted { plan, .. }
            | Self::Cancelled { plan, .. }
            | Self::Broken { plan, .. } => plan.as_ref(),
            Self::Impossible { .. }
            | Self::TimedOut { .. }
            | Self::CannotSet(_)
            | Self::NoMajority => None,
        }
    }

    /// The start that was followed through, if one was.
    #[must_use]
    pub fn start(&self) -> Option<Start<'_>> {
        match self {
            Self::Followed {
                plan,
                expected,
                time,
            }
            | Self::Stopped {
                plan,
                expected,
                time,
                ..
            } => Some(Start {
                plan,
                expected,
                time,
            }),
            _ => None,
        }
    }

    /// It in a word, for machines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Followed { .. } => "started",
            Self::Stopped { .. } => "stopped",
            Self::Impossible { .. } => "quorum_impossible",
            Self::TimedOut { .. } => "quorum_timed_out",
            Self::Unarmed { .. } => "unarmed",
            Self::CannotSet(_) => "instant_refused",
            Self::NoMajority => "no_time",
            Self::Aborted { .. } => "aborted",
            Self::Cancelled { .. } => "cancelled",
            Self::Broken { .. } => "broken",
            Self::LostSight { .. } => "lost_sight",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Followed { .. } => f.write_str("started"),
            Self::Stopped { cause, .. } => write!(f, "the run was ended before its time: {cause}"),
            Self::Impossible { why, .. } => write!(f, "the quorum cannot come any more: {why}"),
            Self::TimedOut { after, missing } => {
                let after = humantime::format_duration(*after);
                write!(f, "the quorum did not come within {after}: {missing}")
            }
            Self::Unarmed { who, .. } => {
                write!(f, "not all were armed shortly before the instant: {who}")
            }
            Self::CannotSet(error) => error.fmt(f),
            Self::NoMajority => f.write_str(
                "no majority of the runners agrees on the time: no instant would be the same for all. \
                 Set the clocks of their machines, or name a time server to the agents with --ntp",
            ),
            Self::Aborted { abort, .. } => {
                write!(f, "the run was aborted by {}: {}", abort.by, abort.why)
            }
            Self::Cancelled { signal, .. } => {
                write!(f, "cancelled by {signal}")
            }
            Self::Broken { trouble, .. } => trouble.fmt(f),
            Self::LostSight { trouble, .. } => write!(
                f,
                "the runners that have started go on, but cannot be followed any more: {trouble}"
            ),
        }
    }
}
