//! The store in a directory, for runners and a scheduler on one machine.
//!
//! One file a document: `plan-<stage>.json`, `abort.json` and
//! `reports/<stage>/<runner>.json`. A runner that lives has a lock on
//! `places/<stage>/<runner>.lock`. A file is written under another name and
//! renamed, so that a reader sees the old document or the new one, whole; and
//! it is read as something that anybody may have put there. Changes are noticed
//! by looking every 100 ms. The directory itself is never made again: once
//! removed, it is an error until it is back.
//!
//! Nothing is synced to the disk: what a loss of power takes away, it takes
//! from runners and schedulers that it ends too, and a file that it leaves cut
//! off is an error that names it.

mod documents;
mod draft;
mod error;
mod file;
mod layout;
mod lock;
mod plan_watch;
mod presence;
mod report_news;
mod report_watch;
mod work;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::abort::Abort;
use crate::hold::Hold;
use crate::names::{RunId, RunnerId, StageName};
use crate::plan::Plan;
use crate::report::Report;
use crate::store::{Board, ReportEvent, Revision, Slot, Store, StoreError, Write};

use draft::Draft;
use error::store_error;
use file::Content;
use layout::Layout;
use plan_watch::{BoardFiles, PlanWatch};
use report_watch::ReportWatch;

/// A [`Store`] in a directory on a local file system of this machine, for
/// programs of one user. Any number of processes may use it at once.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    layout: Layout,
}

impl DirectoryStore {
    /// Opens the store in a directory. What is missing of it is made, for this
    /// user only (mode 0700), with the directories above it.
    ///
    /// # Errors
    /// [`StoreError`] that names the path: it is no directory, or cannot be made
    /// or written to.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let path = std::path::absolute(path).map_err(|error| store_error("open", path, &error))?;
        let layout = Layout::new(path);
        make_private(layout.root(), true)?;
        make_private(&layout.reports(), false)?;
        // Whether one may write here, only a file that is written can tell. One that
        // somebody else is writing just now tells it too.
        Draft::claim(&layout.probe())?;
        Ok(Self { layout })
    }
}

/// Makes a directory for this user only, if there is none.
fn make_private(path: &Path, and_above: bool) -> Result<(), StoreError> {
    let made = DirBuilder::new()
        .recursive(and_above)
        .mode(0o700)
        .create(path);
    match made {
        Err(_) if fs::metadata(path).is_ok_and(|found| found.is_dir()) => Ok(()),
        made => made.map_err(|error| store_error("make the directory", path, &error)),
    }
}

#[async_trait]
impl Store for DirectoryStore {
    fn location(&self) -> String {
        layout::shown(self.layout.root())
    }

    async fn read(&self, stage: &StageName) -> Result<Board, StoreError> {
        let (layout, its_stage) = (self.layout.clone(), stage.clone());
        let files =
            work::run(&self.layout, move || BoardFiles::read(&layout, &its_stage)).await??;
        Ok(files.board(&self.layout, stage))
    }

    fn watch(&self, stage: &StageName) -> BoxStream<'static, Result<Board, StoreError>> {
        PlanWatch::new(self.layout.clone(), stage.clone())
            .into_stream()
            .boxed()
    }

    async fn write_plan(&self, plan: &Plan, expected: &Revision) -> Result<Write, StoreError> {
        let (text, expected) = (plan.to_json(), expected.clone());
        let path = self.layout.plan(&plan.stage);
        work::alone(&self.layout, &path, move |draft| {
            let found = file::read(draft.target(), Plan::MOST_BYTES)?;
            if found.revision() != expected {
                return Ok(Write::Conflict);
            }
            draft.publish(&text)?;
            Ok(Write::Done)
        })
        .await
    }

    async fn write_abort(&self, abort: &Abort) -> Result<(), StoreError> {
        let (text, run) = (abort.to_json(), abort.run.clone());
        let path = self.layout.abort();
        work::alone(&self.layout, &path, move |draft| {
            let found = file::read(draft.target(), Abort::MOST_BYTES)?;
            match documents::abort(&found, draft.target()) {
                Ok(Some(first)) if first.run == run => Ok(()),
                _ => draft.publish(&text),
            }
        })
        .await
    }

    async fn knows(&self, run: &RunId) -> Result<bool, StoreError> {
        let (layout, run) = (self.layout.clone(), run.clone());
        work::run(&self.layout, move || presence::knows(&layout, &run)).await?
    }

    async fn hold(&self, stage: &StageName, runner: &RunnerId) -> Result<Option<Hold>, StoreError> {
        let folders = [self.layout.places(), self.layout.places_of(stage)];
        let path = self.layout.place(stage, runner);
        let its_path = path.clone();
        let lock = work::locked(&self.layout, move || {
            folders
                .iter()
                .try_for_each(|folder| make_private(folder, false))?;
            lock::exclusive(&its_path).map_err(|error| store_error("lock", &its_path, &error))
        });
        Ok(lock.await?.map(|lock| Hold::by(lock, path)))
    }

    async fn publish(&self, report: &Report) -> Result<(), StoreError> {
        let text = report.to_json();
        let folders = [self.layout.reports(), self.layout.stage(&report.stage)];
        work::run(&self.layout, move || {
            folders
                .iter()
                .try_for_each(|folder| make_private(folder, false))
        })
        .await??;
        let path = self.layout.report(&report.stage, &report.runner);
        work::alone(&self.layout, &path, move |draft| draft.publish(&text)).await
    }

    async fn read_report(
        &self,
        stage: &StageName,
        runner: &RunnerId,
    ) -> Result<Slot<Report>, StoreError> {
        let layout = self.layout.clone();
        let path = layout.report(stage, runner);
        let its_path = path.clone();
        let content = work::run(&self.layout, move || {
            let content = file::read(&its_path, Report::MOST_BYTES)?;
            if content == Content::Absent {
                layout.check_root()?;
            }
            Ok::<_, StoreError>(content)
        })
        .await??;
        Ok(documents::report(&content, &path, stage, runner))
    }

    fn watch_reports(
        &self,
        run: &RunId,
        stage: &StageName,
    ) -> BoxStream<'static, Result<ReportEvent, StoreError>> {
        ReportWatch::new(self.layout.clone(), run.clone(), stage.clone())
            .into_stream()
            .boxed()
    }
}
