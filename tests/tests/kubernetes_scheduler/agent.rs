//! A runner without a k6: it does to the store what an agent does.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use chrono::{DateTime, Utc};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use rendezvous::{
    Board, ClockReport, Incarnation, KubernetesStore, Phase, PlanState, Report, RunId, RunnerId,
    StageName, StartReport, Store, kubernetes::Pod,
};
use support::moment::Moment;
use tokio::{runtime, time::sleep};

/// How often it looks at the plan, and how often it renews its report: about as real agents do.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const RENEW_AFTER: u32 = 40;

/// How it is to behave.
#[derive(Clone, Copy)]
pub struct Manner {
    /// How long its load takes; then it ends with this code.
    pub load: Duration,
    pub code: u8,
    /// It becomes ready and never looks at the plan.
    pub deaf: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            load: Duration::from_secs(2),
            code: 0,
            deaf: false,
        }
    }
}

/// Which runner of what.
pub struct Identity {
    pub kubeconfig: PathBuf,
    pub namespace: String,
    pub job: String,
    pub run: String,
    pub stage: String,
    pub pod: String,
    pub uid: String,
}

/// One that runs, on a thread of its own, until it ends or is dropped.
pub struct Agent {
    thread: Option<JoinHandle<Report>>,
    stop: Arc<AtomicBool>,
}

impl Agent {
    pub fn start(identity: Identity, manner: Manner) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let run = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .unwrap()
                .block_on(Running::begin(identity, manner, told))
        };
        Self {
            thread: Some(thread::spawn(run)),
            stop,
        }
    }

    /// Waits for its end, and gives its last report.
    pub fn ended(mut self) -> Report {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Running {
    store: KubernetesStore,
    report: Report,
    manner: Manner,
    stop: Arc<AtomicBool>,
    ends_at: Option<DateTime<Utc>>,
    looks: u32,
}

impl Running {
    async fn begin(identity: Identity, manner: Manner, stop: Arc<AtomicBool>) -> Report {
        let kubeconfig = Kubeconfig::read_from(&identity.kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap();
        let pod = Pod {
            name: identity.pod.clone(),
            uid: identity.uid.clone(),
        };
        let store =
            KubernetesStore::of_runner(config, &identity.namespace, &identity.job, pod).unwrap();
        let report = starting(&identity);
        let mut this = Self {
            store,
            report,
            manner,
            stop,
            ends_at: None,
            looks: 0,
        };
        this.publish().await;
        this.report.phase = Phase::Ready;
        this.publish().await;
        while !this.report.phase.is_final() && !this.stop.load(Ordering::SeqCst) {
            this.turn().await;
            sleep(LOOK_EVERY).await;
        }
        this.report
    }

    async fn turn(&mut self) {
        self.looks += 1;
        if !self.manner.deaf
            && let Ok(board) = self.store.read(&self.report.stage.clone()).await
        {
            self.obey(&board).await;
        }
        if self.looks.is_multiple_of(RENEW_AFTER) && !self.report.phase.is_final() {
            self.publish().await;
        }
    }

    async fn obey(&mut self, board: &Board) {
        let now = Moment::now().utc;
        let own = |run: &RunId| *run == self.report.run;
        if matches!(&board.abort, Ok(Some(abort)) if own(&abort.run)) {
            return self.end(Phase::Aborted, 76).await;
        }
        if self.ends_at.is_some_and(|at| now >= at) {
            return self.end(Phase::Finished, self.manner.code).await;
        }
        let Ok(Some(plan)) = &board.plan else { return };
        if !own(&plan.run) {
            return;
        }
        let PlanState::Set { start_at, .. } = plan.state else {
            return;
        };
        if self.report.phase == Phase::Ready {
            self.report.plan = Some(plan.id.clone());
            if now > start_at {
                return self.end(Phase::Refused, 74).await;
            }
            (self.report.phase, self.report.armed) = (Phase::Armed, true);
            self.publish().await;
        } else if self.report.phase == Phase::Armed && now >= start_at {
            self.report.phase = Phase::Running;
            self.report.start = Some(StartReport {
                fired_at: start_at,
                lateness: chrono::TimeDelta::zero(),
                clock_error: None,
                running_at: Some(now),
                load_at: Some(now),
                clock_jumped: false,
            });
            self.ends_at = Some(start_at + self.manner.load);
            self.publish().await;
        }
    }

    async fn end(&mut self, phase: Phase, code: u8) {
        (self.report.phase, self.report.exit_code) = (phase, Some(code));
        self.publish().await;
    }

    async fn publish(&mut self) {
        self.report.sequence += 1;
        self.report.clock.utc = Moment::now().utc;
        // An API server that is away is tried again at the next change.
        let _ = self.store.publish(&self.report).await;
    }
}

fn starting(identity: &Identity) -> Report {
    Report {
        run: RunId::new(&identity.run).unwrap(),
        stage: StageName::new(&identity.stage).unwrap(),
        runner: RunnerId::new(&identity.uid).unwrap(),
        name: identity.pod.clone(),
        node: None,
        container: None,
        incarnation: Incarnation::random(),
        sequence: 0,
        phase: Phase::Starting,
        plan: None,
        armed: false,
        clock: ClockReport {
            utc: Moment::now().utc,
            error: None,
            source: "the test's".to_owned(),
            offset: None,
            used: Vec::new(),
            rejected: Vec::new(),
        },
        vus: Some(1),
        waiting_for: None,
        setup_took: None,
        start: None,
        exit_code: None,
        reason: None,
        k6_errors: Vec::new(),
    }
}
