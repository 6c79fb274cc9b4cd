//! Everything that comes in, merged: what stands in the store, the runners'
//! reports, what a witness saw, and the signals to this process.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rendezvous::{
    Abort, Board, Plan, Report, ReportEvent, Revision, RunId, RunnerId, StageName, Store,
    StoreError, Write,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::health::Health;
use super::signals::Signals;
use crate::decide::roster::{News, Roster, Seen, Sighting};
use crate::decide::started::Sight;
use crate::decide::timebase::{Reading, TimeBase};
use crate::show::news;
use crate::trouble::Trouble;

/// How long writing an abort may take: whoever cancels a pipeline kills it some
/// seconds later.
const ABORT_WITHIN: Duration = Duration::from_secs(3);

/// Something that came in.
#[derive(Debug)]
pub enum Happening {
    /// The plan or the abort changed, or was read for the first time.
    Board(Box<Board>),
    /// Something about a runner changed.
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

/// What this process sees of a run's stage.
pub struct Scene {
    store: Arc<dyn Store>,
    run: RunId,
    stage: StageName,
    boards: BoxStream<'static, Result<Board, StoreError>>,
    reports: BoxStream<'static, Result<ReportEvent, StoreError>>,
    sightings: mpsc::UnboundedReceiver<Sighting>,
    /// The signals to this process.
    pub signals: Signals,
    roster: Roster,
    time: TimeBase,
    health: Health,
    hurried: bool,
}

impl Scene {
    /// Begins to watch. `sightings`: what a witness sees of the runners; its other
    /// end may be dropped where there is none.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        run: &RunId,
        stage: &StageName,
        sightings: mpsc::UnboundedReceiver<Sighting>,
        signals: Signals,
    ) -> Self {
        Self {
            boards: store.watch(stage),
            reports: store.watch_reports(run, stage),
            store,
            run: run.clone(),
            stage: stage.clone(),
            sightings,
            signals,
            roster: Roster::default(),
            time: TimeBase::new(Instant::now()),
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

    /// What time it is by the runners that have not ended.
    #[must_use]
    pub fn read_time(&self, now: Instant) -> Reading {
        let may_vote = |runner: &RunnerId| {
            self.roster
                .get(runner)
                .is_some_and(|observed| !observed.has_ended())
        };
        self.time.read(now, may_vote)
    }

    /// What is known of the reports' freshness.
    #[must_use]
    pub fn sight(&self, now: Instant) -> Sight {
        Sight {
            now,
            clear_since: self.health.clear_since(),
        }
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
            Some(event) = self.reports.next() => match event {
                Ok(event) => self.heard(event),
                Err(error) => self.failed(&error),
            },
            Some(sighting) = self.sightings.recv() => self.saw(sighting).await,
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

    /// Tells the runners that it is over, and why. Takes 3 s at most; a signal cuts
    /// it short.
    pub async fn abort(&mut self, why: &str) {
        let by = format!("tminus-scheduler (process {})", std::process::id());
        let abort = Abort::new(self.run.clone(), &by, why);
        let writing = timeout(ABORT_WITHIN, self.store.write_abort(&abort));
        tokio::select! {
            biased;
            signal = self.signals.next() => {
                self.hurried = true;
                warn!("got {signal}: the runners may not have been told that the run is aborted");
            }
            written = writing => match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!("the runners could not be told: {error}"),
                Err(_) => warn!("the runners could not be told: the store does not answer"),
            }
        }
    }

    fn answered(&mut self) {
        if let Some(away) = self.health.answered(Instant::now()) {
            info!("the store is back after {} s", away.as_secs());
        }
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

    fn heard(&mut self, event: ReportEvent) -> Happening {
        let now = Instant::now();
        match event {
            ReportEvent::Seen { report, live } => self.report(*report, live, now),
            ReportEvent::Gone(runner) => {
                let news = self.roster.removed(&runner);
                self.tell(&runner, news);
            }
            ReportEvent::Unreadable(error) => warn!("{error}"),
        }
        Happening::Runner
    }

    fn report(&mut self, report: Report, live: bool, now: Instant) {
        let (runner, clock) = (report.runner.clone(), report.clock.clone());
        let news = self.roster.report(report, live, now);
        if matches!(news, Some(News::Restarted(_))) {
            self.time.forget(&runner);
        }
        if live {
            self.time.hear(&runner, &clock, now);
        }
        self.tell(&runner, news);
    }

    /// The end of a process is seen sooner than its last report, which says why.
    async fn saw(&mut self, sighting: Sighting) -> Happening {
        if matches!(sighting.state, Seen::Ended(_)) {
            let last = self.store.read_report(&self.stage, &sighting.runner).await;
            if let Ok(Ok(Some(report))) = last
                && report.run == self.run
            {
                self.report(report, false, Instant::now());
            }
        }
        let runner = sighting.runner.clone();
        let news = self.roster.sighting(sighting, Instant::now());
        self.tell(&runner, news);
        Happening::Runner
    }

    fn tell(&self, runner: &RunnerId, news: Option<News>) {
        if let Some((news, observed)) = news.zip(self.roster.get(runner)) {
            for line in news::lines(runner, observed, news) {
                info!("{line}");
            }
        }
    }
}
