//! Everything that comes in, merged: what stands in the store, the runners'
//! reports, what a witness saw, and the signals to this process.

mod hearing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rendezvous::{
    Abort, Board, Phase, Plan, PlanId, Revision, RunId, RunnerId, StageName, Store, StoreError,
    Write,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::health::Health;
use super::reports::{Heard, Reports};
use super::signals::Signals;
use super::testimony::{Pods, Testimony};
use crate::decide::job::Prospect;
use crate::decide::observed::Observed;
use crate::decide::roster::Roster;
use crate::decide::started::Sight;
use crate::decide::timebase::{Reading, TimeBase};
use crate::decide::{fresh, overdue};
use crate::trouble::Trouble;

/// How long writing an abort may take: whoever cancels a pipeline kills it some
/// seconds later.
pub const ABORT_WITHIN: Duration = Duration::from_secs(3);

/// Something that came in.
#[derive(Debug)]
pub enum Happening {
    /// The plan or the abort changed, or was read for the first time.
    Board(Box<Board>),
    /// Something about a runner changed, or about what may still come.
    Runner,
    /// The rendezvous cannot be used.
    Trouble(Trouble),
    /// This process was told to end, by this signal.
    Cancelled(&'static str),
    /// It is as late as was asked for, or the store was asked again in vain.
    Time,
}

/// What came of writing the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It stands.
    Done,
    /// Somebody wrote first.
    Conflict,
    /// It may stand: the store gave no answer. What stands there will be seen.
    Unknown,
}

/// What came of telling the runners that the run is aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It stands there for all of them.
    All,
    /// The store could not be written to; it may stand there all the same.
    Nobody,
    /// A signal, of this name, cut it short.
    Cut(&'static str),
}

/// What this process sees of a run's stage.
pub struct Scene {
    store: Arc<dyn Store>,
    run: RunId,
    stage: StageName,
    boards: BoxStream<'static, Result<Board, StoreError>>,
    reports: Reports,
    witness: mpsc::UnboundedReceiver<Testimony>,
    /// The signals to this process.
    pub signals: Signals,
    roster: Roster,
    pods: Pods,
    prospect: Option<Prospect>,
    /// The plan that was set, and its instant.
    set: Option<(PlanId, DateTime<Utc>)>,
    replaced: BTreeSet<RunnerId>,
    hindrance: Option<String>,
    time: TimeBase,
    fresh: Duration,
    overdue: Duration,
    /// Of what is no report.
    health: Health,
    hurried: bool,
}

impl Scene {
    /// Begins to watch. `witness`: what a witness tells of the runners; its other end may be
    /// dropped where there is none. `wanted`: how many runners are wanted.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        run: &RunId,
        stage: &StageName,
        wanted: u32,
        witness: mpsc::UnboundedReceiver<Testimony>,
        signals: Signals,
    ) -> Self {
        let fresh = fresh(wanted);
        Self {
            boards: store.watch(stage),
            reports: Reports::new(Arc::clone(&store), run, stage),
            store,
            run: run.clone(),
            stage: stage.clone(),
            witness,
            signals,
            roster: Roster::default(),
            pods: Pods::default(),
            prospect: None,
            set: None,
            replaced: BTreeSet::new(),
            hindrance: None,
            time: TimeBase::new(Instant::now(), fresh),
            fresh,
            overdue: overdue(wanted),
            health: Health::default(),
            hurried: false,
        }
    }

    /// Whether a signal cut the telling of an abort short.
    #[must_use]
    pub fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// The runners.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// What time it is by the runners that are ready or further and have not ended: those whose
    /// clock is as good as it has to be.
    #[must_use]
    pub fn read_time(&self, now: Instant) -> Reading {
        self.read_time_of(now, |observed| {
            let report = observed.report.as_ref();
            let is_ready = report.is_some_and(|report| report.phase != Phase::Starting);
            is_ready && !observed.has_ended()
        })
    }

    /// What time it is by all runners that have said so lately.
    #[must_use]
    pub fn read_time_of_all(&self, now: Instant) -> Reading {
        self.read_time_of(now, |_| true)
    }

    /// What time it is by those runners.
    #[must_use]
    pub fn read_time_of(&self, now: Instant, may_vote: impl Fn(&Observed) -> bool) -> Reading {
        self.time
            .read(now, |runner| self.roster.get(runner).is_some_and(&may_vote))
    }

    /// What is known of the reports' freshness. A store that does not let the reports be read is not
    /// readable, whatever else it answers.
    #[must_use]
    pub fn sight(&self, now: Instant) -> Sight {
        let clear_since = self.health.clear_since().zip(self.reports.clear_since());
        Sight {
            now,
            clear_since: clear_since.map(|(store, reports)| store.max(reports)),
            fresh: self.fresh,
            overdue: self.overdue,
        }
    }

    /// Notes how many runners the plan says are wanted: they renew their reports by that.
    pub fn expect_runners(&mut self, wanted: u32) {
        (self.fresh, self.overdue) = (fresh(wanted), overdue(wanted));
        self.time.believe_for(self.fresh);
    }

    /// What may still come of the run's Job, as far as anybody said.
    #[must_use]
    pub fn prospect(&self) -> Option<&Prospect> {
        self.prospect.as_ref()
    }

    /// Notes that the instant of this plan is set: where somebody brings others in the place of those that have
    /// ended, these are none of the start.
    pub fn instant_is_set(&mut self, plan: &Plan) {
        self.set = plan.start_at().map(|start_at| (plan.id.clone(), start_at));
        self.health.instant_is_set();
        self.reports.instant_is_set();
        if self.prospect.is_some() {
            let ended = self.roster.iter().filter(|(_, one)| one.has_ended());
            self.replaced = ended.map(|(runner, _)| runner.clone()).collect();
        }
    }

    /// Those that had ended before the instant was set and in whose place another one came.
    #[must_use]
    pub fn replaced(&self) -> &BTreeSet<RunnerId> {
        &self.replaced
    }

    /// What keeps the pods that are not there from being made, if anybody said.
    #[must_use]
    pub fn hindrance(&self) -> Option<&str> {
        self.hindrance.as_deref()
    }

    /// The next thing that comes in, at `until` at the latest.
    pub async fn next(&mut self, until: Instant) -> Happening {
        let ask_at = self.health.ask_at();
        let until = ask_at.map_or(until, |ask_at| until.min(ask_at));
        tokio::select! {
            biased;
            signal = self.signals.next() => Happening::Cancelled(signal),
            Some(board) = self.boards.next() => match board {
                Ok(board) => {
                    self.answered();
                    Happening::Board(Box::new(board))
                }
                Err(error) => self.failed(&error),
            },
            heard = self.reports.next() => match heard {
                Heard::Event(event) => self.heard(event),
                Heard::Nothing => Happening::Time,
                Heard::Trouble(trouble) => Happening::Trouble(trouble),
            },
            Some(testimony) = self.witness.recv() => self.listen(testimony).await,
            () = sleep_until(until) => {
                if ask_at.is_some_and(|ask_at| Instant::now() >= ask_at) {
                    self.read().await
                } else {
                    Happening::Time
                }
            }
        }
    }

    /// Reads what stands in the store now; [`Happening::Time`] if it is away.
    pub async fn read(&mut self) -> Happening {
        match self.store.read(&self.stage).await {
            Ok(board) => {
                self.answered();
                Happening::Board(Box::new(board))
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Writes the plan if nobody wrote it since.
    ///
    /// # Errors
    /// [`Trouble`] if the store cannot be used any more.
    pub async fn write_plan(&mut self, plan: &Plan, since: &Revision) -> Result<Written, Trouble> {
        match self.store.write_plan(plan, since).await {
            Ok(write) => {
                self.answered();
                Ok(match write {
                    Write::Done => Written::Done,
                    Write::Conflict => Written::Conflict,
                })
            }
            Err(error) => match self.failed(&error) {
                Happening::Trouble(trouble) => Err(trouble),
                _ => Ok(Written::Unknown),
            },
        }
    }

    /// Tells the runners, for the last time, that it is over, and why. Takes 3 s at most; a signal cuts
    /// it short.
    pub async fn abort(&mut self, why: &str) {
        let abort = self.abort_for(why);
        if let Told::Cut(signal) = self.write_abort(&abort).await {
            self.hurried = true;
            warn!("got {signal}: the runners may not have been told that the run is aborted");
        }
    }

    /// What this process tells the runners to abort the run.
    #[must_use]
    pub fn abort_for(&self, why: &str) -> Abort {
        let by = format!("tminus-scheduler (process {})", std::process::id());
        Abort::new(self.run.clone(), &by, why)
    }

    /// Tells the runners that the run is aborted. Takes 3 s at most; a signal cuts it short.
    pub async fn write_abort(&mut self, abort: &Abort) -> Told {
        let writing = timeout(ABORT_WITHIN, self.store.write_abort(abort));
        tokio::select! {
            biased;
            signal = self.signals.next() => Told::Cut(signal),
            written = writing => match written {
                Ok(Ok(())) => Told::All,
                Ok(Err(error)) => {
                    warn!("the runners could not be told: {error}");
                    Told::Nobody
                }
                Err(_) => {
                    warn!("the runners could not be told: the store does not answer");
                    Told::Nobody
                }
            }
        }
    }

    fn answered(&mut self) {
        let now = Instant::now();
        if let Some(away) = self.health.answered(now) {
            info!("the store is back after {} s", away.as_secs());
        }
        self.reports.store_answered(now);
    }

    fn failed(&mut self, error: &StoreError) -> Happening {
        let news = self.health.ask_at().is_none();
        match self.health.failed(error, Instant::now()) {
            Some(trouble) => Happening::Trouble(trouble),
            None => {
                if news {
                    warn!("{error}; trying again");
                }
                Happening::Time
            }
        }
    }
}
