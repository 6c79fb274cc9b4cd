//! Asking for one object again and again, whatever a watch says of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::time::Instant;

use super::calls::Calls;
use super::pacing::Pacing;
use crate::backoff::Backoff;
use crate::store::StoreError;

/// What a poll brought, and when it was asked for.
pub type Polled = (Instant, Result<Option<ConfigMap>, StoreError>);

/// Polls a run's ConfigMap.
pub struct Poll {
    calls: Arc<Calls>,
    pacing: Arc<Pacing>,
    backoff: Backoff,
    pause: Duration,
}

impl Poll {
    /// Polling as often as is allowed, more often after a failure, and at once when there is reason to hurry.
    pub fn new(calls: Arc<Calls>, pacing: Arc<Pacing>) -> Self {
        Self {
            calls,
            pause: pacing.poll_pause(),
            pacing,
            backoff: Backoff::default(),
        }
    }

    /// What each poll brings, for ever.
    pub fn into_stream(self) -> impl Stream<Item = Polled> + Send {
        stream::unfold(self, |mut poll| async move {
            let polled = poll.next().await;
            Some((polled, poll))
        })
    }

    async fn next(&mut self) -> Polled {
        self.pacing.pause(self.pause).await;
        let asked = Instant::now();
        let found = self.calls.config_map().await;
        self.pause = if found.is_ok() {
            self.backoff.reset();
            self.pacing.poll_pause()
        } else {
            // One that was waited for in vain has taken its pause already: what is missed by
            // a connection that swallows everything is there a call's time later.
            self.backoff.after_failure().saturating_sub(asked.elapsed())
        };
        (asked, found)
    }
}
