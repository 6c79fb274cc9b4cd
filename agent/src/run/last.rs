//! The end of a runner: what is left to be told of it, in bounded time.

use std::time::Duration;

use rendezvous::LastWords;

use super::arming::Countdown;
use super::{Identity, Runner};
use crate::decide::ending::End;

/// How long the last report may take. k6 is gone by then, and its code must not wait for a sick store.
const LAST_REPORT_WITHIN: Duration = Duration::from_secs(3);

impl Runner {
    /// Tells the pod, the store and the log, and gives the exit code.
    pub(super) async fn end(&mut self, end: End) -> u8 {
        if let Some(Countdown { cancel, thread }) = self.countdown.take() {
            cancel.cancel();
            // It answers a call-off at once, and a resume within its own limit.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        let (identity, k6_error) = (&self.identity, self.tail.last_error());
        // Before the last report, which may take its time.
        self.last_words.write(&LastWords {
            phase: end.phase,
            code: end.code,
            reason: end.reason.as_deref(),
            start: self.machine.start(),
            stage: Some((&identity.run, &identity.stage)),
            k6_error: k6_error.as_deref(),
        });
        if !self.machine.must_not_report() {
            let last = self
                .publisher
                .last(&self.machine, &self.identity, &self.clock, &self.tail);
            if tokio::time::timeout(LAST_REPORT_WITHIN, last)
                .await
                .is_err()
            {
                tracing::warn!(
                    "the last report could not be written within {LAST_REPORT_WITHIN:?}"
                );
            }
        }
        let Identity {
            run, stage, name, ..
        } = &self.identity;
        let (phase, code) = (end.phase, end.code);
        let what = end.reason.as_deref().unwrap_or("k6 ended");
        if end.reason.is_some() && code != 0 {
            tracing::error!(%run, %stage, runner = %name, %phase, code, "{what}");
        } else {
            tracing::info!(%run, %stage, runner = %name, %phase, code, "{what}");
        }
        end.code
    }
}
