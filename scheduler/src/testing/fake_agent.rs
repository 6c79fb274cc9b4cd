//! A runner without a k6: it does to the store what an agent does, in paused time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use rendezvous::{Board, Incarnation, Phase, Plan, PlanState, Report, StartReport, Store};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::{a_report, noon, run_id, stage};

/// How an agent is to behave.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How long until it is ready.
    pub ready_after: Duration,
    /// What it exits with instead of becoming ready.
    pub fails: Option<u8>,
    /// By how much its clock is wrong.
    pub clock_ahead: TimeDelta,
    /// How wrong it says that it may be, if it measures it.
    pub clock_error: Option<Duration>,
    /// How long after it fired it finds that its clock had jumped.
    pub jumped_after: Option<Duration>,
    /// How long its k6 runs.
    pub runs_for: Duration,
    /// What its k6 exits with.
    pub code: u8,
    /// When it falls silent, counted from when it fired.
    pub silent_after: Option<Duration>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            ready_after: Duration::ZERO,
            fails: None,
            clock_ahead: TimeDelta::zero(),
            clock_error: None,
            jumped_after: None,
            runs_for: Duration::from_secs(20),
            code: 0,
            silent_after: None,
        }
    }
}

struct Agent {
    store: Arc<dyn Store>,
    manner: Manner,
    /// When it is noon.
    noon: Instant,
    report: Report,
}

/// Starts one. `noon_at`: the moment at which it is noon. The task ends with the report that it
/// published last.
pub fn start(
    store: &Arc<dyn Store>,
    name: &str,
    noon_at: Instant,
    manner: Manner,
) -> JoinHandle<Report> {
    let mut report = a_report(name, Phase::Starting);
    report.incarnation = Incarnation::random();
    report.plan = None;
    let agent = Agent {
        store: Arc::clone(store),
        manner,
        noon: noon_at,
        report,
    };
    tokio::spawn(agent.run())
}

impl Agent {
    async fn run(mut self) -> Report {
        self.publish().await;
        sleep(self.manner.ready_after).await;
        if let Some(code) = self.manner.fails {
            return self.end(Phase::Failed, code).await;
        }
        self.report.phase = Phase::Ready;
        self.publish().await;
        let mut boards = self.store.watch(&stage());
        loop {
            tokio::select! {
                board = boards.next() => {
                    let Some(Ok(board)) = board else { continue };
                    if is_aborted(&board) {
                        return self.end(Phase::Aborted, 76).await;
                    }
                    let Ok(Some(plan)) = board.plan else { continue };
                    if plan.run != run_id() {
                        continue;
                    }
                    let news = self.report.plan.as_ref() != Some(&plan.id);
                    self.report.plan = Some(plan.id.clone());
                    if matches!(plan.state, PlanState::Set { .. }) {
                        return self.fire(&plan).await;
                    }
                    if news {
                        self.publish().await;
                    }
                }
                () = sleep(Duration::from_secs(10)) => self.publish().await,
            }
        }
    }

    async fn fire(mut self, plan: &Plan) -> Report {
        let start_at = plan.start_at().unwrap();
        (self.report.phase, self.report.armed) = (Phase::Armed, true);
        self.publish().await;
        let wait = (start_at - self.utc()).to_std().unwrap_or_default();
        let fires_at = Instant::now() + wait;
        if self.until(fires_at).await {
            return self.end(Phase::Aborted, 76).await;
        }
        let fired_at = self.utc();
        self.report.phase = Phase::Running;
        self.report.start = Some(StartReport {
            fired_at,
            lateness: fired_at - start_at,
            clock_error: self.manner.clock_error,
            running_at: Some(fired_at),
            load_at: Some(fired_at),
            clock_jumped: false,
        });
        self.publish().await;
        if let (Some(after), Some(start)) = (self.manner.jumped_after, &mut self.report.start) {
            start.clock_jumped = true;
            sleep(after).await;
            self.publish().await;
        }
        if let Some(after) = self.manner.silent_after {
            sleep(after).await;
            return self.report;
        }
        if self.until(fires_at + self.manner.runs_for).await {
            return self.end(Phase::Aborted, 76).await;
        }
        let code = self.manner.code;
        self.end(Phase::Finished, code).await
    }

    /// Renews its report until then. Whether the run was aborted meanwhile.
    async fn until(&mut self, then: Instant) -> bool {
        let mut boards = self.store.watch(&stage());
        loop {
            tokio::select! {
                biased;
                () = sleep_until(then) => return false,
                board = boards.next() => {
                    if board.is_some_and(|board| board.is_ok_and(|board| is_aborted(&board))) {
                        return true;
                    }
                }
                () = sleep(Duration::from_secs(10)) => self.publish().await,
            }
        }
    }

    async fn end(mut self, phase: Phase, code: u8) -> Report {
        (self.report.phase, self.report.exit_code) = (phase, Some(code));
        self.publish().await;
        self.report
    }

    async fn publish(&mut self) {
        self.report.sequence += 1;
        self.report.clock.utc = self.utc();
        self.report.clock.error = self.manner.clock_error;
        // A store that is away is tried again at the next change.
        let _ = self.store.publish(&self.report).await;
    }

    fn utc(&self) -> DateTime<Utc> {
        noon() + self.noon.elapsed() + self.manner.clock_ahead
    }
}

fn is_aborted(board: &Board) -> bool {
    board
        .abort
        .as_ref()
        .is_ok_and(|abort| abort.as_ref().is_some_and(|abort| abort.run == run_id()))
}
