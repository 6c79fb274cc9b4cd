//! The plan: what the scheduler publishes for a stage.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::document::Problem;
use crate::names::{PlanId, RunId, StageName};
use crate::wire;

/// What a runner does when it could only start after the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatePolicy {
    /// Makes no load and fails, so that somebody notices.
    Refuse,
    /// Starts at once and says how late.
    Join,
    /// Makes no load and ends well, so that what comes after it may go on.
    Skip,
}

impl LatePolicy {
    /// All of them, as they are listed to people.
    const ALL: [Self; 3] = [Self::Refuse, Self::Join, Self::Skip];

    /// The word for it: on a command line, in a plan and in a message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Join => "join",
            Self::Skip => "skip",
        }
    }
}

impl fmt::Display for LatePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No [`LatePolicy`] has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give refuse, join or skip")]
pub struct UnknownPolicy;

impl FromStr for LatePolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        let mut all = Self::ALL.into_iter();
        all.find(|policy| policy.as_str() == text)
            .ok_or(UnknownPolicy)
    }
}

/// The terms of a start. What is absent is left to the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// What a late runner does, unless it was told so itself.
    pub late: Option<LatePolicy>,
    /// How late a start is still on time; at most [`Terms::LONGEST_TOLERANCE`].
    pub late_tolerance: Option<Duration>,
    /// The widest clock error with which a runner may start, at most
    /// [`Terms::LONGEST_TOLERANCE`]. The smaller of this and the runner's own budget rules.
    pub max_clock_error: Option<Duration>,
}

impl Terms {
    /// The most that either tolerance may be: beyond an hour it is a mistake of units.
    pub const LONGEST_TOLERANCE: Duration = Duration::from_secs(3600);

    /// How late a start is still on time where nobody says so: what is kept within a
    /// second can be lined up with the seconds of a monitoring system.
    pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(1);
}

/// How far the scheduler has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanState {
    /// It waits for ready runners.
    Gathering {
        /// How long it will go on, from when this plan was written. Counted by each
        /// runner from when it saw the plan, so no two clocks are compared. At most
        /// [`Plan::LONGEST_WAIT`].
        left: Duration,
    },
    /// The instant is set. It never moves again.
    Set {
        /// When k6 is resumed.
        start_at: DateTime<Utc>,
        /// How many ready runners made the quorum, 1 to [`Plan::MOST_RUNNERS`].
        quorum: u32,
    },
}

/// What the scheduler publishes for a stage. Its size does not depend on the
/// number of runners: every runner is sent every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The run that it is for.
    pub run: RunId,
    /// The stage that it is for.
    pub stage: StageName,
    /// Which plan this is; the same from gathering to set.
    pub id: PlanId,
    /// Gathering or set.
    pub state: PlanState,
    /// How many runners are wanted in all, 1 to [`Plan::MOST_RUNNERS`]. Each scheduler
    /// that goes on with the plan judges the start by it, and people are told it.
    pub runners_wanted: u32,
    /// The terms of the start.
    pub terms: Terms,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanForm {
    version: u32,
    run: RunId,
    stage: StageName,
    plan: PlanId,
    state: StateForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quorum: Option<u32>,
    runners_wanted: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late: Option<LatePolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late_tolerance_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_clock_error_ns: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateForm {
    Gathering,
    Set,
}

impl Plan {
    /// The most runners of one run. Far beyond what one ConfigMap's watchers were
    /// measured with (5,000), and small enough that no sum of ours overflows.
    pub const MOST_RUNNERS: u32 = 100_000;

    /// The longest wait for a quorum that a plan may promise: a day.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

    /// The most bytes that are read of a plan; one has a few hundred.
    pub const MOST_BYTES: u64 = 4096;

    /// The instant, once it is set.
    #[must_use]
    pub fn start_at(&self) -> Option<DateTime<Utc>> {
        match self.state {
            PlanState::Set { start_at, .. } => Some(start_at),
            PlanState::Gathering { .. } => None,
        }
    }

    /// The plan as the JSON that stands in a store. The time left is rounded up to
    /// a whole second. Values out of the ranges stated at the fields are written as
    /// they are, and refused by every reader: whoever makes a plan checks them first.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut form = PlanForm {
            version: wire::VERSION,
            run: self.run.clone(),
            stage: self.stage.clone(),
            plan: self.id.clone(),
            state: StateForm::Gathering,
            seconds_left: None,
            start_at: None,
            quorum: None,
            runners_wanted: self.runners_wanted,
            late: self.terms.late,
            late_tolerance_ns: self.terms.late_tolerance.map(wire::write_nanos),
            max_clock_error_ns: self.terms.max_clock_error.map(wire::write_nanos),
        };
        match &self.state {
            PlanState::Gathering { left } => {
                let seconds = left.as_nanos().div_ceil(1_000_000_000);
                form.seconds_left = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
            }
            PlanState::Set { start_at, quorum } => {
                form.state = StateForm::Set;
                form.start_at = Some(wire::write_time(*start_at));
                form.quorum = Some(*quorum);
            }
        }
        wire::write(&form)
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// A [`Problem`] that names what is wrong: the length, the syntax, the version,
    /// the form, or the first field whose value is out of its range.
    pub fn from_json(text: &str) -> Result<Self, Problem> {
        let form: PlanForm = wire::read_form(text, Self::MOST_BYTES)?;
        let state = match (form.state, form.seconds_left, form.start_at, form.quorum) {
            (StateForm::Gathering, Some(seconds), None, None) => {
                let longest = u32::try_from(Self::LONGEST_WAIT.as_secs()).unwrap_or(u32::MAX);
                let seconds = wire::read_number("seconds_left", seconds, 0..=longest)?;
                PlanState::Gathering {
                    left: Duration::from_secs(u64::from(seconds)),
                }
            }
            (StateForm::Set, None, Some(start_at), Some(quorum)) => PlanState::Set {
                start_at: wire::read_time("start_at", &start_at)?,
                quorum: wire::read_number("quorum", quorum, 1..=Self::MOST_RUNNERS)?,
            },
            (StateForm::Gathering, ..) => {
                let detail = "a gathering plan has seconds_left, and neither start_at nor quorum";
                return Err(Problem::Form(detail.to_owned()));
            }
            (StateForm::Set, ..) => {
                let detail = "a set plan has start_at and quorum, and no seconds_left";
                return Err(Problem::Form(detail.to_owned()));
            }
        };
        let tolerance = |field, nanos: Option<u64>| {
            nanos
                .map(|nanos| wire::read_nanos(field, nanos, Terms::LONGEST_TOLERANCE))
                .transpose()
        };
        Ok(Self {
            run: form.run,
            stage: form.stage,
            id: form.plan,
            state,
            runners_wanted: wire::read_number(
                "runners_wanted",
                form.runners_wanted,
                1..=Self::MOST_RUNNERS,
            )?,
            terms: Terms {
                late: form.late,
                late_tolerance: tolerance("late_tolerance_ns", form.late_tolerance_ns)?,
                max_clock_error: tolerance("max_clock_error_ns", form.max_clock_error_ns)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_policy_has_one_name_for_people_and_for_plans() {
        for policy in LatePolicy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
            let in_a_plan = serde_json::to_value(policy).ok();
            assert_eq!(in_a_plan, Some(policy.as_str().into()));
        }
        assert_eq!("Refuse".parse::<LatePolicy>(), Err(UnknownPolicy));
    }
}
