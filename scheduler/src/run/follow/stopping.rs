//! Ending a run before its time for what happened to one of its runners.

use rendezvous::Abort;
use tokio::time::Instant;
use tracing::warn;

use super::Following;
use crate::decide::ending::Ending;
use crate::decide::policy::{Cause, cause};
use crate::decide::started::is_over;
use crate::run::scene::Told;

/// That the run is being ended.
pub struct Stopping {
    /// For what.
    pub cause: Cause,
    /// What the runners are told.
    abort: Abort,
    /// Whether they were.
    is_told: bool,
}

impl Following<'_> {
    /// Ends the others if something has happened to a runner for which they are to be. Returns the ending if
    /// this process is told to end meanwhile.
    pub(super) async fn stop_if_it_is_to_be(&mut self, now: Instant) -> Option<Ending> {
        if self.stopping.is_none() && self.aborted.is_none() {
            self.stopping = self.stopping(now);
        }
        // A store that is away is tried again: the loop comes by here every second.
        let stopping = self.stopping.as_mut().filter(|one| !one.is_told)?;
        match self.scene.write_abort(&stopping.abort).await {
            Told::All => stopping.is_told = true,
            Told::Nobody => {}
            Told::Cut(signal) => {
                let plan = Some(self.plan.clone());
                return Some(Ending::Cancelled { signal, plan });
            }
        }
        None
    }

    fn stopping(&self, now: Instant) -> Option<Stopping> {
        let (roster, sight) = (self.scene.roster(), self.scene.sight(now));
        // Where none is left and nothing follows, there is nobody to be ended.
        if !self.settings.followed && is_over(roster, &sight) {
            return None;
        }
        let (plan, since) = (&self.plan.id, self.shortly_before()?);
        if now < self.instant? {
            return None;
        }
        let cause = cause(roster, plan, since, &sight, self.settings.policies)?;
        warn!("{cause}: ending the run");
        let abort = self.scene.abort_for(&cause.to_string());
        Some(Stopping {
            cause,
            abort,
            is_told: false,
        })
    }

    /// Whether it is by this very process that the run is aborted, for what happened to a runner.
    pub(super) fn is_own(&self, abort: &Abort) -> bool {
        self.stopping
            .as_ref()
            .is_some_and(|one| one.abort == *abort)
    }
}
