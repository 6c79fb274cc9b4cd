//! The runners' reports, and whether they can be read.
//!
//! On Kubernetes plan and reports are objects of different kinds: that the plan can be read says
//! nothing of the reports.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rendezvous::{ReportEvent, RunId, StageName, Store, StoreError};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::health::Health;
use crate::trouble::Trouble;

/// When a new watch that has said nothing has found no reports: by then one that cannot read them has
/// said so, as a call takes 5 s at most, and 1500 reports are three calls.
const SAYS_SO_WITHIN: Duration = Duration::from_secs(15);

/// What is heard of the reports.
#[derive(Debug)]
pub enum Heard {
    /// What happened to one.
    Event(ReportEvent),
    /// They cannot be read, just now.
    Nothing,
    /// They cannot be read, and waiting does not help, or not any more.
    Trouble(Trouble),
}

/// The reports of a run's stage.
pub struct Reports {
    store: Arc<dyn Store>,
    run: RunId,
    stage: StageName,
    events: BoxStream<'static, Result<ReportEvent, StoreError>>,
    health: Health,
    /// When a watch was begun anew that has said nothing yet.
    begun_anew: Option<Instant>,
}

impl Reports {
    /// Begins to watch them.
    pub fn new(store: Arc<dyn Store>, run: &RunId, stage: &StageName) -> Self {
        Self {
            events: store.watch_reports(run, stage),
            store,
            run: run.clone(),
            stage: stage.clone(),
            health: Health::default(),
            begun_anew: None,
        }
    }

    /// An instant is set: from now on they may be away for longer.
    pub fn instant_is_set(&mut self) {
        self.health.instant_is_set();
    }

    /// Since when they have been readable without a break; `None` while they are not.
    pub fn clear_since(&self) -> Option<Instant> {
        self.health.clear_since()
    }

    /// The store has answered something else: unless something is known against it, they can be read too. A
    /// watch over no reports says nothing.
    pub fn store_answered(&mut self, now: Instant) {
        if self.health.ask_at().is_none() {
            self.health.answered(now);
        }
    }

    /// What is heard next. Nothing is lost if this is dropped before.
    pub async fn next(&mut self) -> Heard {
        loop {
            let silent_until = self.begun_anew.map(|begun| begun + SAYS_SO_WITHIN);
            let wake_at = silent_until.or(self.health.ask_at());
            tokio::select! {
                biased;
                Some(event) = self.events.next() => {
                    self.begun_anew = None;
                    return match event {
                        Ok(event) => {
                            self.answered();
                            Heard::Event(event)
                        }
                        Err(error) => self.failed(&error),
                    };
                }
                () = until(wake_at) => {
                    if self.begun_anew.take().is_some() {
                        self.answered();
                    } else {
                        // A watch tells an error that lasts only once; a new one tells it again.
                        self.events = self.store.watch_reports(&self.run, &self.stage);
                        self.begun_anew = Some(Instant::now());
                    }
                }
            }
        }
    }

    fn answered(&mut self) {
        if let Some(away) = self.health.answered(Instant::now()) {
            info!("the reports can be read again after {} s", away.as_secs());
        }
    }

    fn failed(&mut self, error: &StoreError) -> Heard {
        let is_news = self.health.ask_at().is_none();
        match self.health.failed(error, Instant::now()) {
            Some(trouble) => Heard::Trouble(trouble),
            None => {
                if is_news {
                    warn!("{error}; trying again");
                }
                Heard::Nothing
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
