//! A store in a directory that can be told to fail.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, unfold};
use rendezvous::{
    Abort, Board, Hold, Plan, Report, ReportEvent, Revision, RunId, RunnerId, Slot, StageName,
    Store, StoreError, Write,
};
use tokio::time::sleep;

use super::unavailable;

/// What is wrong with the store just now.
#[derive(Debug, Default)]
pub struct Faults {
    /// Nothing can be read or written.
    pub away: AtomicBool,
    /// It does not answer who asks for a run.
    pub silent: AtomicBool,
    /// It does not answer who writes an abort.
    pub no_aborts: AtomicBool,
    /// The reports cannot be followed; all else goes well.
    pub reports_away: AtomicBool,
    /// The next plan that is written comes to pass, but the answer gets lost.
    pub lose_answer: AtomicBool,
    /// How many milliseconds it takes until the store says that an instant stands.
    pub millis_to_set: AtomicU64,
}

impl Faults {
    fn is_away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }
}

/// A store that can be told to fail.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
}

impl FaultyStore {
    pub fn around(inner: Arc<dyn Store>) -> (Arc<dyn Store>, Arc<Faults>) {
        let faults = Arc::<Faults>::default();
        let store = Self {
            inner,
            faults: Arc::clone(&faults),
        };
        (Arc::new(store), faults)
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.faults.is_away() {
            return Err(unavailable());
        }
        Ok(())
    }

    /// Tells an error once and then nothing until the store is back.
    fn through<T: Send + 'static>(
        &self,
        inner: BoxStream<'static, Result<T, StoreError>>,
        is_away: fn(&Faults) -> bool,
    ) -> BoxStream<'static, Result<T, StoreError>> {
        let state = (inner, Arc::clone(&self.faults), false);
        unfold(state, move |(mut inner, faults, told)| async move {
            loop {
                if !is_away(&faults) {
                    tokio::select! {
                        item = inner.next() => return Some((item?, (inner, faults, false))),
                        () = sleep(Duration::from_millis(500)) => continue,
                    }
                }
                if !told {
                    return Some((Err(unavailable()), (inner, faults, true)));
                }
                sleep(Duration::from_millis(500)).await;
            }
        })
        .boxed()
    }
}

#[async_trait]
impl Store for FaultyStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn read(&self, stage: &StageName) -> Result<Board, StoreError> {
        self.check()?;
        self.inner.read(stage).await
    }

    fn watch(&self, stage: &StageName) -> BoxStream<'static, Result<Board, StoreError>> {
        self.through(self.inner.watch(stage), Faults::is_away)
    }

    async fn write_plan(&self, plan: &Plan, expected: &Revision) -> Result<Write, StoreError> {
        self.check()?;
        let written = self.inner.write_plan(plan, expected).await;
        if plan.start_at().is_some() && written == Ok(Write::Done) {
            let millis = self.faults.millis_to_set.load(Ordering::SeqCst);
            sleep(Duration::from_millis(millis)).await;
        }
        if plan.start_at().is_some() && self.faults.lose_answer.swap(false, Ordering::SeqCst) {
            return Err(unavailable());
        }
        written
    }

    async fn write_abort(&self, abort: &Abort) -> Result<(), StoreError> {
        self.check()?;
        if self.faults.no_aborts.load(Ordering::SeqCst) {
            return pending().await;
        }
        self.inner.write_abort(abort).await
    }

    async fn knows(&self, run: &RunId) -> Result<bool, StoreError> {
        self.check()?;
        if self.faults.silent.load(Ordering::SeqCst) {
            return pending().await;
        }
        self.inner.knows(run).await
    }

    async fn hold(&self, stage: &StageName, runner: &RunnerId) -> Result<Option<Hold>, StoreError> {
        self.check()?;
        self.inner.hold(stage, runner).await
    }

    async fn publish(&self, report: &Report) -> Result<(), StoreError> {
        self.check()?;
        self.inner.publish(report).await
    }

    async fn read_report(
        &self,
        stage: &StageName,
        runner: &RunnerId,
    ) -> Result<Slot<Report>, StoreError> {
        self.check()?;
        self.inner.read_report(stage, runner).await
    }

    fn watch_reports(
        &self,
        run: &RunId,
        stage: &StageName,
    ) -> BoxStream<'static, Result<ReportEvent, StoreError>> {
        self.through(self.inner.watch_reports(run, stage), |faults| {
            faults.is_away() || faults.reports_away.load(Ordering::SeqCst)
        })
    }
}
