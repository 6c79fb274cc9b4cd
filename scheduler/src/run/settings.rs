//! What a start is to be.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use rendezvous::{RunId, StageName, Terms};

use crate::decide::lead::LeastLead;
use crate::decide::policy::Policies;
use crate::decide::quorum::Need;

/// What to do if not all are armed shortly before the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unarmed {
    /// The others start.
    Start,
    /// Nobody starts: the run is aborted.
    Abort,
}

/// What a start is to be, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The run.
    pub run: RunId,
    /// The stage.
    pub stage: StageName,
    /// How many runners it needs.
    pub need: Need,
    /// How long the quorum is waited for.
    pub max_wait: Duration,
    /// How far ahead the instant is set, at least.
    pub lead: Duration,
    /// What it takes until all runners have heard of an instant.
    pub least_lead: LeastLead,
    /// The instant, if it is asked for.
    pub at: Option<DateTime<Utc>>,
    /// The terms of the start.
    pub terms: Terms,
    /// What to do if not all are armed shortly before the instant.
    pub unarmed: Unarmed,
    /// What becomes of the others when something happens to a runner after the start; only where it is followed
    /// to the end.
    pub policies: Policies,
    /// Whether the runners' ends are waited for, and count for the exit code.
    pub wait: bool,
    /// Whether another stage follows: then too the ends are waited for, and a start that was over
    /// before this process came is nothing to complain of.
    pub followed: bool,
}

impl Settings {
    /// Whether the start is followed until all runners have ended.
    #[must_use]
    pub fn to_the_end(&self) -> bool {
        self.wait || self.followed
    }
}
