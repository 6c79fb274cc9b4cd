//! The faults, each with a name.

use std::{fmt, time::Duration};

use nix::sys::signal::Signal;

/// What can go wrong. Runners and schedulers are counted from 0, in the order in which a round lists them; what befalls
/// one befalls the process that it has then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An agent is killed, as where there is no memory left; and run again so much later.
    AgentKilled {
        runner: usize,
        again: Option<Duration>,
    },
    /// Somebody tells an agent to end.
    AgentToldToEnd { runner: usize, signal: Signal },
    /// An agent gets no processor for so long.
    AgentFrozen { runner: usize, time: Duration },
    /// A k6 is killed, and its agent is not.
    K6Killed { runner: usize },
    /// Somebody tells a k6 to end, past its agent.
    K6ToldToEnd { runner: usize },
    /// A k6 gets no processor for so long.
    K6Frozen { runner: usize, time: Duration },
    /// A scheduler is killed; and run again so much later.
    SchedulerKilled {
        scheduler: usize,
        again: Option<Duration>,
    },
    /// Somebody tells a scheduler to end.
    SchedulerToldToEnd { scheduler: usize, signal: Signal },
    /// A scheduler gets no processor for so long.
    SchedulerFrozen { scheduler: usize, time: Duration },
    /// A further scheduler is started for the run.
    AnotherScheduler,
    /// Somebody aborts the run.
    Abort,
    /// The store's directory is not where it was for so long.
    StoreAway { time: Duration },
    /// No plan can be written for so long.
    PlanUnwritable { time: Duration },
    /// The plan is cut off in the middle, and whole again so much later.
    PlanCutOff { time: Duration },
    /// Somebody else is writing the plan for so long.
    PlanHeld { time: Duration },
    /// A runner's report cannot be written for so long.
    ReportUnwritable { runner: usize, time: Duration },
    /// A runner's report is cut off in the middle.
    ReportCutOff { runner: usize },
    /// Somebody else is writing a runner's report for so long.
    ReportHeld { runner: usize, time: Duration },
}

impl Fault {
    /// The runner that it befalls, if it is one's.
    pub fn runner(self) -> Option<usize> {
        match self {
            Self::AgentKilled { runner, .. }
            | Self::AgentToldToEnd { runner, .. }
            | Self::AgentFrozen { runner, .. }
            | Self::K6Killed { runner }
            | Self::K6ToldToEnd { runner }
            | Self::K6Frozen { runner, .. }
            | Self::ReportUnwritable { runner, .. }
            | Self::ReportCutOff { runner }
            | Self::ReportHeld { runner, .. } => Some(runner),
            _ => None,
        }
    }

    /// Whether it is one of the store's. There is one of those at a time.
    pub fn is_of_the_store(self) -> bool {
        matches!(
            self,
            Self::StoreAway { .. }
                | Self::PlanUnwritable { .. }
                | Self::PlanCutOff { .. }
                | Self::PlanHeld { .. }
                | Self::ReportUnwritable { .. }
                | Self::ReportCutOff { .. }
                | Self::ReportHeld { .. }
        )
    }

    /// Whether it makes somebody stand still.
    pub fn freezes(self) -> bool {
        matches!(
            self,
            Self::AgentFrozen { .. } | Self::K6Frozen { .. } | Self::SchedulerFrozen { .. }
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = |again: &Option<Duration>| match again {
            None => "for good".to_owned(),
            Some(after) => format!("and run again after {after:?}"),
        };
        match self {
            Self::AgentKilled { runner, again: it } => {
                write!(f, "agent {runner} killed {}", again(it))
            }
            Self::AgentToldToEnd { runner, signal } => write!(f, "agent {runner} sent {signal}"),
            Self::AgentFrozen { runner, time } => write!(f, "agent {runner} frozen for {time:?}"),
            Self::K6Killed { runner } => write!(f, "k6 {runner} killed"),
            Self::K6ToldToEnd { runner } => write!(f, "k6 {runner} sent SIGTERM"),
            Self::K6Frozen { runner, time } => write!(f, "k6 {runner} frozen for {time:?}"),
            Self::SchedulerKilled {
                scheduler,
                again: it,
            } => write!(f, "scheduler {scheduler} killed {}", again(it)),
            Self::SchedulerToldToEnd { scheduler, signal } => {
                write!(f, "scheduler {scheduler} sent {signal}")
            }
            Self::SchedulerFrozen { scheduler, time } => {
                write!(f, "scheduler {scheduler} frozen for {time:?}")
            }
            Self::AnotherScheduler => f.write_str("another scheduler"),
            Self::Abort => f.write_str("abort"),
            Self::StoreAway { time } => write!(f, "store away for {time:?}"),
            Self::PlanUnwritable { time } => write!(f, "plan unwritable for {time:?}"),
            Self::PlanCutOff { time } => write!(f, "plan cut off for {time:?}"),
            Self::PlanHeld { time } => write!(f, "plan held by another writer for {time:?}"),
            Self::ReportUnwritable { runner, time } => {
                write!(f, "report of {runner} unwritable for {time:?}")
            }
            Self::ReportCutOff { runner } => write!(f, "report of {runner} cut off"),
            Self::ReportHeld { runner, time } => {
                write!(f, "report of {runner} held by another writer for {time:?}")
            }
        }
    }
}
