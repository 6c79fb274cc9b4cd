//! Asking for one object again and again, whatever a watch says of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::backoff::Backoff;
use super::calls::Calls;
use super::crowd::Crowd;
use crate::pace;
use crate::store::StoreError;

/// What a poll brought, and when it was asked for.
pub type Polled = (Instant, Result<Option<ConfigMap>, StoreError>);

/// Polls a run's ConfigMap.
pub struct Poll {
    calls: Arc<Calls>,
    crowd: Crowd,
    hurry: Arc<Notify>,
    backoff: Backoff,
    pause: Duration,
}

impl Poll {
    /// Polling as often as the crowd allows, more often after a failure, and at once when
    /// it is told to hurry.
    pub fn new(calls: Arc<Calls>, crowd: Crowd, hurry: Arc<Notify>) -> Self {
        let pause = pause(&crowd);
        Self {
            calls,
            crowd,
            hurry,
            backoff: Backoff::default(),
            pause,
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
        // Whether it was told to hurry or the time is up, it is time.
        let _ = timeout(self.pause, self.hurry.notified()).await;
        let asked = Instant::now();
        let found = self.calls.config_map().await;
        self.pause = if found.is_ok() {
            self.backoff.reset();
            pause(&self.crowd)
        } else {
            // One that was waited for in vain has taken its pause already: what is missed by
            // a connection that swallows everything is there a call's time later.
            self.backoff.after_failure().saturating_sub(asked.elapsed())
        };
        (asked, found)
    }
}

/// Until the next poll, if all is well.
fn pause(crowd: &Crowd) -> Duration {
    pace::with_jitter(
        pace::poll_every(crowd.runners_wanted()),
        rand::random_range(-1.0..=1.0),
    )
}
