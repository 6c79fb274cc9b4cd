//! What a start is to be.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rendezvous::{RunId, StageName, Terms};

use crate::decide::quorum::Need;

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
    /// The instant, if it is asked for.
    pub at: Option<DateTime<Utc>>,
    /// The terms of the start.
    pub terms: Terms,
    /// Whether the runners' ends are waited for.
    pub wait: bool,
}
