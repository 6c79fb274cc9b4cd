//! What stands there for a stage, and its changes.

use futures_util::stream::{self, Stream};
use tokio::time::sleep;

use super::documents;
use super::file::{self, Content};
use super::layout::Layout;
use super::work::{LOOK_EVERY, Worker};
use crate::abort::Abort;
use crate::names::StageName;
use crate::plan::Plan;
use crate::store::{Board, StoreError};

/// The two files of a [`Board`], as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardFiles {
    plan: Content,
    abort: Content,
}

impl BoardFiles {
    /// Reads both.
    pub fn read(layout: &Layout, stage: &StageName) -> Result<Self, StoreError> {
        let files = Self {
            plan: file::read(&layout.plan(stage), Plan::MOST_BYTES)?,
            abort: file::read(&layout.abort(), Abort::MOST_BYTES)?,
        };
        if [&files.plan, &files.abort].contains(&&Content::Absent) {
            layout.check_root()?;
        }
        Ok(files)
    }

    /// What they say.
    pub fn board(&self, layout: &Layout, stage: &StageName) -> Board {
        Board {
            plan: documents::plan(&self.plan, &layout.plan(stage), stage),
            abort: documents::abort(&self.abort, &layout.abort()),
            revision: self.plan.revision(),
        }
    }
}

/// A watch over a stage's board.
#[derive(Debug)]
pub struct PlanWatch {
    layout: Layout,
    stage: StageName,
    worker: Worker<Result<BoardFiles, StoreError>>,
    told: Option<Result<BoardFiles, StoreError>>,
}

impl PlanWatch {
    /// One that has told nothing yet.
    pub fn new(layout: Layout, stage: StageName) -> Self {
        Self {
            worker: Worker::new(&layout),
            layout,
            stage,
            told: None,
        }
    }

    /// Tells what is there, then what changes, and once each error while it lasts.
    pub fn into_stream(self) -> impl Stream<Item = Result<Board, StoreError>> + Send {
        stream::unfold(self, |mut watch| async move {
            let board = watch.next().await;
            Some((board, watch))
        })
    }

    async fn next(&mut self) -> Result<Board, StoreError> {
        loop {
            if self.told.is_some() {
                sleep(LOOK_EVERY).await;
            }
            let (layout, stage) = (self.layout.clone(), self.stage.clone());
            let look = self.worker.run(move || BoardFiles::read(&layout, &stage));
            let seen = look.await.flatten();
            if self.told.as_ref() != Some(&seen) {
                self.told = Some(seen.clone());
                return Ok(seen?.board(&self.layout, &self.stage));
            }
        }
    }
}
