//! An agent as the API server sees it: the real store, and what is written to it. There is no k6.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::BoxStream};
use rendezvous::{
    Board, ClockReport, Incarnation, KubernetesStore, Phase, Plan, PlanId, PlanState, Report,
    RunnerId, Store, StoreError, kubernetes::Pod, pace,
};
use support::moment::Moment;
use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::run::Run;

/// After a write that failed, as the agent has it.
pub const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What was seen, and when.
pub struct News {
    pub at: Instant,
    pub what: What,
}

/// What an agent, or the scheduler, has seen.
pub enum What {
    /// By the scheduler: this runner is ready.
    Ready(RunnerId),
    /// By an agent: the instant of this plan.
    Set(PlanId),
    /// By the scheduler: this runner is armed, and obeys this plan.
    Armed(RunnerId, PlanId),
    /// By either: the store does not do what it should.
    Trouble(StoreError),
}

impl What {
    /// Seen now.
    pub fn now(self) -> News {
        News {
            at: Instant::now(),
            what: self,
        }
    }
}

/// One that has joined its run and is ready.
pub struct Agent {
    store: KubernetesStore,
    boards: BoxStream<'static, Result<Board, StoreError>>,
    report: Report,
    runners_wanted: u32,
    tell: UnboundedSender<News>,
}

impl Agent {
    /// Comes up: sees the plan of its run, and reports that it is ready.
    pub async fn join(run: &Run, config: kube::Config, tell: UnboundedSender<News>) -> Self {
        let uid = Uuid::new_v4().to_string();
        let pod = Pod {
            name: format!("load-test-{uid}"),
            uid: uid.clone(),
        };
        let report = report(run, &pod);
        let store = run.of_agent(config, pod);
        let mut agent = Self {
            boards: store.watch(&run.stage),
            store,
            report,
            runners_wanted: 1,
            tell,
        };
        agent.runners_wanted = loop {
            match agent.boards.next().await.unwrap() {
                Ok(Board {
                    plan: Ok(Some(plan)),
                    ..
                }) => break plan.runners_wanted,
                Ok(_) => {}
                Err(error) => agent.tell.send(What::Trouble(error).now()).unwrap(),
            }
        };
        write(&agent.store, &mut agent.report, &agent.tell).await;
        agent
    }

    /// Is armed for whatever instant is set, and renews its report, until it is dropped.
    pub async fn obey(self) {
        let (set, mut heard) = watch::channel(None);
        let Self {
            store,
            mut boards,
            mut report,
            runners_wanted,
            tell,
        } = self;
        let watching = async {
            while let Some(board) = boards.next().await {
                match board {
                    Ok(board) => {
                        let plan = plan_set(&board);
                        if plan.is_some() && *set.borrow() != plan {
                            let _ = tell.send(What::Set(plan.clone().unwrap()).now());
                            set.send_replace(plan);
                        }
                    }
                    Err(error) => drop(tell.send(What::Trouble(error).now())),
                }
            }
        };
        let writing = async {
            loop {
                let pause = pace::some_jitter(pace::renew_every(runners_wanted));
                // Whether there is news or the time is up, a report is due.
                let _ = timeout(pause, heard.changed()).await;
                let set = heard.borrow_and_update().clone();
                if let Some(plan) = set {
                    if report.plan.as_ref() != Some(&plan) {
                        // They do not all tell of it in the same moment.
                        sleep(pace::spread(runners_wanted).mul_f64(rand::random())).await;
                    }
                    report.phase = Phase::Armed;
                    report.armed = true;
                    report.plan = Some(plan);
                }
                write(&store, &mut report, &tell).await;
            }
        };
        let _: ((), Infallible) = tokio::join!(watching, writing);
    }
}

/// Publishes a report, sooner or later.
async fn write(store: &KubernetesStore, report: &mut Report, tell: &UnboundedSender<News>) {
    loop {
        report.sequence += 1;
        report.clock.utc = Moment::now().utc;
        match store.publish(report).await {
            Ok(()) => return,
            Err(error) => drop(tell.send(What::Trouble(error).now())),
        }
        sleep(TRY_AGAIN_AFTER).await;
    }
}

/// Which plan has its instant set.
fn plan_set(board: &Board) -> Option<PlanId> {
    match &board.plan {
        Ok(Some(Plan {
            id,
            state: PlanState::Set { .. },
            ..
        })) => Some(id.clone()),
        _ => None,
    }
}

/// As long as those of real agents.
fn report(run: &Run, pod: &Pod) -> Report {
    Report {
        run: run.id.clone(),
        stage: run.stage.clone(),
        runner: RunnerId::new(&pod.uid).unwrap(),
        name: pod.name.clone(),
        node: Some("node".to_owned()),
        container: Some("main".to_owned()),
        incarnation: Incarnation::random(),
        sequence: 0,
        phase: Phase::Ready,
        plan: None,
        armed: false,
        clock: ClockReport {
            utc: Moment::now().utc,
            error: Some(Duration::from_micros(250)),
            source: "NTP".to_owned(),
            offset: None,
            used: vec!["10.89.0.1:123".to_owned()],
            rejected: Vec::new(),
        },
        vus: Some(10),
        waiting_for: None,
        setup_took: Some(Duration::from_millis(20)),
        start: None,
        exit_code: None,
        reason: None,
        k6_errors: Vec::new(),
    }
}
