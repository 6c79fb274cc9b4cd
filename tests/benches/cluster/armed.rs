//! How long it takes from a plan's publishing until the last of many agents is armed, and what that asks of the API
//! server.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use rendezvous::{
    KubernetesStore, Phase, Plan, ReportEvent, RunnerId, Store, Write,
    pace::MOST_REQUESTS_PER_SECOND,
};
use support::cluster::Cluster;
use tokio::{
    runtime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use crate::{
    agent::{Agent, News, TRY_AGAIN_AFTER, What},
    figures::{Figures, millis},
    progress::progress,
    requests,
    run::Run,
};

/// How many agents come up at a time: about as many as a large cluster's nodes start pods in the same moment.
const COME_UP_TOGETHER: usize = 20;

/// Far more than all of them take to come up.
const READY_WITHIN: Duration = Duration::from_secs(300);

/// Far more than any of them takes to be armed: polling alone brings an instant within some ten seconds.
const ARMED_WITHIN: Duration = Duration::from_secs(60);

/// How long it is counted what they ask while they wait: twice as long as one goes without a request.
const WAITS: Duration = Duration::from_secs(20);

/// What came of one plan.
struct Start {
    /// Until the last agent had seen the instant.
    seen: Duration,
    /// Until the scheduler had seen the last agent's report that it is armed.
    armed: Duration,
}

/// What came of all of them.
struct Outcome {
    starts: Vec<Start>,
    /// What was asked until all were ready.
    joining: usize,
    /// …while they waited.
    waiting: usize,
    /// …from the publishing of each plan until the last was armed.
    starting: usize,
    /// What the store did not do.
    troubles: Vec<String>,
}

/// Prints what [`print_figures`] adds to.
pub fn print_heading(starts: usize) {
    println!(
        "from a plan's publishing until the last agent has seen its instant, and until the scheduler has seen that the last is armed"
    );
    println!(
        "  {starts} plans one after another; in-process agents with connections of their own, which share the cores with the API server"
    );
    println!(
        "  {:>8} {:>19} {:>19} {:>21} {:>22}",
        "", "all have seen it", "all are armed", "requests an agent", "requests a second"
    );
    println!(
        "  {:>8} {:>9} {:>9} {:>9} {:>9} {:>12} {:>8} {:>22}",
        "agents", "median", "max", "median", "max", "until ready", "a start", "all, while waiting"
    );
}

/// Measures it for so many agents, which a small or busy machine may not manage.
pub fn print_figures(cluster: &Cluster, agents: u32, starts: usize) {
    let run = Run::new(cluster);
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let outcome = match runtime.block_on(measure(cluster, &run, agents, starts)) {
        Ok(outcome) => outcome,
        Err(why) => return println!("  {agents:>8}   given up: {why}"),
    };
    let seen = Figures::new(outcome.starts.iter().map(|start| start.seen).collect());
    let armed = Figures::new(outcome.starts.iter().map(|start| start.armed).collect());
    println!(
        "  {agents:>8} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>12.2} {:>8.2} {:>22.1}",
        millis(seen.median()),
        millis(seen.max()),
        millis(armed.median()),
        millis(armed.max()),
        count(outcome.joining) / f64::from(agents),
        count(outcome.starting) / f64::from(agents) / count(starts),
        count(outcome.waiting) / WAITS.as_secs_f64(),
    );
    if let Some(trouble) = outcome.troubles.first() {
        let times = outcome.troubles.len();
        println!("           {times} times the store was in trouble, first: {trouble}");
    }
}

/// Says what the last column is to be compared with.
pub fn print_footing() {
    println!(
        "  all agents together are meant to poll and to renew their reports at most {MOST_REQUESTS_PER_SECOND} times a second; beginning watches comes on top"
    );
}

#[allow(clippy::cast_precision_loss)]
fn count(number: usize) -> f64 {
    number as f64
}

async fn measure(
    cluster: &Cluster,
    run: &Run,
    agents: u32,
    starts: usize,
) -> Result<Outcome, String> {
    let scheduler = run.of_scheduler().await;
    let (tell, told) = unbounded_channel();
    let mut told = Told {
        news: told,
        ready: HashSet::new(),
        troubles: Vec::new(),
    };
    publish(&scheduler, &run.gathering(agents), &mut told.troubles).await;
    let reports = scheduler.watch_reports(&run.id, &run.stage);
    tokio::spawn(reports.for_each({
        let tell = tell.clone();
        move |event| {
            tell_of(
                event.map_or_else(|error| Some(What::Trouble(error)), seen),
                &tell,
            );
            std::future::ready(())
        }
    }));

    let nothing = requests::count(cluster, run);
    let all_ready = async {
        tokio::join!(come_up(run, agents, &tell), told.wait_for_ready(agents));
    };
    if timeout(READY_WITHIN, all_ready).await.is_err() {
        let ready = told.ready.len();
        return Err(format!("{ready} were ready after {READY_WITHIN:?}"));
    }
    let joined = requests::count(cluster, run);

    sleep(WAITS).await;
    let waited = requests::count(cluster, run);

    let mut done = Vec::new();
    let progress = progress(&format!("plans for {agents} agents"), starts);
    for _ in 0..starts {
        let plan = run.set(agents);
        let began = publish(&scheduler, &plan, &mut told.troubles).await;
        done.push(told.wait_for_armed(agents, &plan, began).await?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Outcome {
        starts: done,
        joining: joined - nothing,
        waiting: waited - joined,
        starting: requests::count(cluster, run) - waited,
        troubles: told.troubles,
    })
}

/// Brings all agents up. They are there until the runtime ends.
async fn come_up(run: &Run, agents: u32, tell: &UnboundedSender<News>) {
    let config = run.config_of_agents().await;
    let coming = stream::iter(0..agents).map(|_| Agent::join(run, config.clone(), tell.clone()));
    let all = coming.buffer_unordered(COME_UP_TOGETHER);
    all.for_each(|agent| async {
        tokio::spawn(agent.obey());
    })
    .await;
}

/// Publishes a plan as the scheduler does, over the one that it knows, and says when it began to write it.
async fn publish(scheduler: &KubernetesStore, plan: &Plan, troubles: &mut Vec<String>) -> Instant {
    let mut began = None;
    loop {
        let written = async {
            let board = scheduler.read(&plan.stage).await?;
            began.get_or_insert_with(Instant::now);
            scheduler.write_plan(plan, &board.revision).await
        };
        match (written.await, began) {
            (Ok(Write::Done), Some(began)) => return began,
            (Ok(_), _) => panic!("somebody else writes plans"),
            (Err(trouble), _) => troubles.push(trouble.to_string()),
        }
        sleep(TRY_AGAIN_AFTER).await;
    }
}

fn tell_of(what: Option<What>, tell: &UnboundedSender<News>) {
    if let Some(what) = what {
        // Nobody listens any more when all is measured.
        let _ = tell.send(what.now());
    }
}

/// What the scheduler sees in a report.
fn seen(event: ReportEvent) -> Option<What> {
    let ReportEvent::Seen { report, .. } = event else {
        return None;
    };
    match (report.phase, report.plan) {
        (Phase::Ready, _) => Some(What::Ready(report.runner)),
        (Phase::Armed, Some(plan)) => Some(What::Armed(report.runner, plan)),
        _ => None,
    }
}

/// What is seen on both sides.
struct Told {
    news: UnboundedReceiver<News>,
    ready: HashSet<RunnerId>,
    troubles: Vec<String>,
}

impl Told {
    async fn wait_for_ready(&mut self, agents: u32) {
        let progress = progress("agents that are ready", agents as usize);
        while self.ready.len() < agents as usize {
            if let What::Ready(runner) = self.next().await.what {
                self.ready.insert(runner);
                progress.inc(1);
            }
        }
        progress.finish_and_clear();
    }

    async fn wait_for_armed(
        &mut self,
        agents: u32,
        plan: &Plan,
        began: Instant,
    ) -> Result<Start, String> {
        let agents = agents as usize;
        let mut seen = Vec::new();
        let mut armed = HashMap::new();
        let all = async {
            while seen.len() < agents || armed.len() < agents {
                let News { at, what } = self.next().await;
                match what {
                    What::Set(id) if id == plan.id => seen.push(at - began),
                    What::Armed(runner, id) if id == plan.id => {
                        // It is told again when it is renewed.
                        armed.entry(runner).or_insert(at - began);
                    }
                    _ => {}
                }
            }
        };
        if timeout(ARMED_WITHIN, all).await.is_err() {
            let (seen, armed) = (seen.len(), armed.len());
            return Err(format!(
                "after {ARMED_WITHIN:?} {seen} had seen an instant, and {armed} were armed"
            ));
        }
        Ok(Start {
            seen: seen.into_iter().max().unwrap(),
            armed: armed.into_values().max().unwrap(),
        })
    }

    /// The next that is no trouble.
    async fn next(&mut self) -> News {
        loop {
            let news = self.news.recv().await.unwrap();
            match news.what {
                What::Trouble(trouble) => self.troubles.push(trouble.to_string()),
                _ => return news,
            }
        }
    }
}
