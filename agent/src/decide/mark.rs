//! The mark of a used-up stage: what a runner leaves beside its report when it arms, where the next process of
//! its container finds it although the store may have lost the report.

use chrono::{DateTime, Utc};
use rendezvous::{LatePolicy, PlanId};
use serde::{Deserialize, Serialize};

/// What an armed runner leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The plan that it is armed for.
    pub plan: PlanId,
    /// That plan's instant.
    pub start_at: DateTime<Utc>,
    /// The late policy that held, so that it can be told without the plan.
    pub late: LatePolicy,
    /// Whether the resume was sent. Said only after the fact: where it is missing, it may have been sent.
    #[serde(default)]
    pub fired: bool,
}

impl Mark {
    /// Whether whoever left it may have made the load by now. It cannot be told from one that ended just before
    /// the instant, as for an earlier report that says armed. Where the resume was sent for certain, the clock has
    /// no say: it may have gone back since.
    ///
    /// That holds for the stage, whichever plan stands there now: with the store's memory gone, another plan
    /// for the same run and stage proves nothing.
    #[must_use]
    pub fn is_used_up(&self, now: DateTime<Utc>) -> bool {
        self.fired || now > self.start_at
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeDelta;

    fn mark() -> Mark {
        Mark {
            plan: PlanId::new("plan-1").unwrap(),
            start_at: "2026-06-01T12:00:00.123456789Z".parse().unwrap(),
            late: LatePolicy::Skip,
            fired: false,
        }
    }

    #[test]
    fn a_stage_is_used_up_once_its_instant_is_past() {
        let mark = mark();
        assert!(!mark.is_used_up(mark.start_at - TimeDelta::nanoseconds(1)));
        assert!(!mark.is_used_up(mark.start_at));
        assert!(mark.is_used_up(mark.start_at + TimeDelta::nanoseconds(1)));
    }

    #[test]
    fn one_that_was_fired_is_used_up_whatever_the_clock_says() {
        let mark = Mark {
            fired: true,
            ..mark()
        };
        assert!(mark.is_used_up(mark.start_at - TimeDelta::days(2)));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let text = serde_json::to_string(&mark()).unwrap();
        assert_eq!(serde_json::from_str::<Mark>(&text).unwrap(), mark());
    }
}
