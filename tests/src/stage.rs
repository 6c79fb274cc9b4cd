//! A store of a test's own, and the scheduler's part in it: plans and aborts are written as a scheduler writes
//! them, and reports are read as one reads them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{
    Abort, DirectoryStore, Plan, PlanId, PlanState, Report, RunId, RunnerId, StageName, Store,
    Terms, Write,
};
use tokio::runtime::{self, Runtime};

use crate::{moment::Moment, scratch::Scratch};

/// One stage of a run that no other test has, in a store that goes with it.
pub struct Stage {
    run: RunId,
    name: StageName,
    plan: PlanId,
    store: DirectoryStore,
    runtime: Runtime,
    scratch: Scratch,
}

impl Stage {
    /// A stage in which nothing has happened yet.
    #[allow(
        clippy::new_without_default,
        reason = "a default value that makes a directory would surprise"
    )]
    pub fn new() -> Self {
        let scratch = Scratch::new();
        Self {
            run: RunId::random(),
            name: StageName::new("main").unwrap(),
            plan: PlanId::random(),
            store: DirectoryStore::open(scratch.path().join("store")).unwrap(),
            // The store waits for its file operations with it.
            runtime: runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            scratch,
        }
    }

    /// The run that the stage is of.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The stage's name.
    pub fn name(&self) -> &StageName {
        &self.name
    }

    /// The directory of the store.
    pub fn directory(&self) -> PathBuf {
        self.scratch.path().join("store")
    }

    /// A directory beside the store, for whatever else the test needs.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The stage's plan in this state, for one runner, on no terms of its own.
    pub fn plan(&self, state: PlanState) -> Plan {
        Plan {
            run: self.run.clone(),
            stage: self.name.clone(),
            id: self.plan.clone(),
            state,
            runners_wanted: 1,
            terms: Terms::default(),
        }
    }

    /// The stage's plan with this instant.
    pub fn plan_for(&self, start_at: DateTime<Utc>) -> Plan {
        self.plan(PlanState::Set {
            start_at,
            quorum: 1,
        })
    }

    /// Writes a plan, in place of whatever stands there.
    ///
    /// # Panics
    /// If somebody else writes at the same time, or if it cannot be written.
    pub fn write(&self, plan: &Plan) {
        self.runtime.block_on(async {
            let board = self.store.read(&plan.stage).await.unwrap();
            let written = self.store.write_plan(plan, &board.revision).await.unwrap();
            assert_eq!(written, Write::Done);
        });
    }

    /// Says that the scheduler gathers, and will for so long at the most.
    pub fn gather(&self, left: Duration) {
        self.write(&self.plan(PlanState::Gathering { left }));
    }

    /// Sets the instant.
    pub fn set(&self, start_at: DateTime<Utc>) {
        self.write(&self.plan_for(start_at));
    }

    /// Sets the instant to so much later than now, and gives it.
    pub fn set_in(&self, lead: Duration) -> DateTime<Utc> {
        let start_at = Moment::now().utc + lead;
        self.set(start_at);
        start_at
    }

    /// Sets the instant to so long before now, and gives it.
    pub fn set_ago(&self, age: Duration) -> DateTime<Utc> {
        let start_at = Moment::now().utc - TimeDelta::from_std(age).unwrap();
        self.set(start_at);
        start_at
    }

    /// Aborts the run.
    pub fn abort(&self, why: &str) {
        let abort = Abort::new(self.run.clone(), "the test", why);
        self.runtime
            .block_on(self.store.write_abort(&abort))
            .unwrap();
    }

    /// Writes an abort of another run.
    pub fn abort_another_run(&self) {
        let abort = Abort::new(RunId::random(), "the test", "none of yours");
        self.runtime
            .block_on(self.store.write_abort(&abort))
            .unwrap();
    }

    /// The report of a runner, if it has published one.
    ///
    /// # Panics
    /// If what stands there cannot be read as one.
    pub fn report(&self, runner: &RunnerId) -> Option<Report> {
        let read = self.store.read_report(&self.name, runner);
        self.runtime.block_on(read).unwrap().unwrap()
    }

    /// Publishes a report, as an earlier process of its runner did.
    pub fn publish(&self, report: &Report) {
        self.runtime.block_on(self.store.publish(report)).unwrap();
    }

    /// Where the plan stands.
    pub fn plan_file(&self) -> PathBuf {
        self.directory().join(format!("plan-{}.json", self.name))
    }

    /// Where a runner's report stands.
    pub fn report_file(&self, runner: &RunnerId) -> PathBuf {
        self.directory()
            .join(format!("reports/{}/{runner}.json", self.name))
    }

    /// The files of the store, relative to its directory, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.scratch.files().into_iter();
        let of_store = |path: PathBuf| path.strip_prefix("store").ok().map(Path::to_owned);
        files.filter_map(of_store).collect()
    }
}
