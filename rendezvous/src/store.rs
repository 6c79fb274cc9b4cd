//! The store: where plan, abort and reports stand, and what both sides need of it.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::abort::Abort;
use crate::document::DocumentError;
use crate::hold::Hold;
use crate::names::{RunId, RunnerId, StageName};
use crate::plan::Plan;
use crate::report::Report;

/// A place in the store for one document: empty, readable, or an error that
/// says why not. Never "empty" because it could not be read.
pub type Slot<T> = Result<Option<T>, DocumentError>;

/// State of a stage's plan in the store, to be given back when it is changed.
/// Two equal revisions mean: nothing was written in between, or the very same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(pub(crate) Option<String>);

/// What a store holds for one stage, whichever run it was written for: a store
/// may still hold what an earlier run of the same name left. Whose it is, the
/// reader decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The stage's plan.
    pub plan: Slot<Plan>,
    /// The run-wide abort.
    pub abort: Slot<Abort>,
    /// The revision of the plan.
    pub revision: Revision,
}

/// What came of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It stands now.
    Done,
    /// Somebody wrote first; nothing was changed. Read again.
    Conflict,
}

/// What happened to the reports of a stage.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportEvent {
    /// A report is there. `live`: it changed before this watch's eyes, so it is as
    /// fresh as this event; else it was there when the watch began (or began again
    /// after an error), and may be of any age.
    Seen {
        /// The report.
        report: Box<Report>,
        /// Whether the change itself was seen.
        live: bool,
    },
    /// A report was removed from the store, or replaced by another run's.
    Gone(RunnerId),
    /// A document is there that cannot be read as a report. It is told once for each
    /// change of it. A report that was seen in its place before is not taken back.
    Unreadable(DocumentError),
}

/// What a store cannot do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not allowed. Waiting will not help.
    #[error("may not {action}: {detail}. {cure}")]
    Denied {
        /// What was tried, and on what.
        action: String,
        /// What the store answered.
        detail: String,
        /// What to do about it.
        cure: String,
    },
    /// Not reachable, or not in order. It may come back.
    #[error("cannot {action}: {detail}")]
    Unavailable {
        /// What was tried, and on what.
        action: String,
        /// What went wrong.
        detail: String,
    },
}

/// The store of one run. Every call returns within a bounded time, with an error if
/// need be; nothing is retried inside unless said so.
///
/// What an earlier run left is told apart from the run's own and replaced. Two runs that
/// are under way need a store each: a stage has one plan, and a store one abort.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where it is, for people: a folder, or a namespace and object.
    fn location(&self) -> String;

    /// What stands there for a stage now.
    ///
    /// # Errors
    /// [`StoreError`] if nothing could be read at all. A single document that is
    /// unreadable is an error in its [`Slot`].
    async fn read(&self, stage: &StageName) -> Result<Board, StoreError>;

    /// What stands there for a stage: now, and again at each change, until dropped.
    /// The stream never ends; after an error it tries again by itself, with a
    /// back-off where trying is dear, and what it then finds is told even if it is
    /// what was told before. The same error is not repeated while it lasts.
    fn watch(&self, stage: &StageName) -> BoxStream<'static, Result<Board, StoreError>>;

    /// Writes a stage's plan if nobody wrote it since `expected` was read.
    /// Holds against any number of processes racing.
    ///
    /// # Errors
    /// [`StoreError`]; then it is not known to have been written, and has to be read.
    async fn write_plan(&self, plan: &Plan, expected: &Revision) -> Result<Write, StoreError>;

    /// Aborts a run. The first abort of a run stays: a later one changes nothing.
    /// What stands there for another run, or cannot be read, is replaced; but nothing that
    /// belongs to another Job, which a late abort would cost its plan.
    ///
    /// # Errors
    /// [`StoreError`]; then it is not known to have been written.
    async fn write_abort(&self, abort: &Abort) -> Result<(), StoreError>;

    /// Whether a plan, a report or an abort of this run stands there, of any stage; also
    /// if a plan or an abort is there that cannot be read, and may be the run's.
    ///
    /// # Errors
    /// [`StoreError`] if nothing could be read.
    async fn knows(&self, run: &RunId) -> Result<bool, StoreError>;

    /// Takes a runner's place in a stage for the lifetime of this process, before it
    /// publishes anything: two processes under one id would overwrite each other's
    /// reports. `None`: another live process has it. One that is just dying is waited
    /// for, for 2 s.
    ///
    /// A store in which a runner's id belongs to one process anyway (on Kubernetes it is
    /// the pod's UID) gives [`Hold::needless`].
    ///
    /// # Errors
    /// [`StoreError`]; then it is not known whether another process has the place.
    async fn hold(&self, stage: &StageName, runner: &RunnerId) -> Result<Option<Hold>, StoreError>;

    /// Publishes a runner's report, in place of its earlier one for the stage.
    ///
    /// # Errors
    /// [`StoreError`]; then it is not known to have been written.
    async fn publish(&self, report: &Report) -> Result<(), StoreError>;

    /// The report that stands there for a runner and stage, of whichever run and
    /// incarnation.
    ///
    /// # Errors
    /// [`StoreError`] if nothing could be read.
    async fn read_report(
        &self,
        stage: &StageName,
        runner: &RunnerId,
    ) -> Result<Slot<Report>, StoreError>;

    /// The reports of a run and stage: those that are there, then each change, until
    /// dropped. Reports of other runs and stages are left out. The stream never ends;
    /// after an error it tries again by itself, and tells what is there as at its
    /// beginning. The same error is not repeated while it lasts.
    fn watch_reports(
        &self,
        run: &RunId,
        stage: &StageName,
    ) -> BoxStream<'static, Result<ReportEvent, StoreError>>;
}
