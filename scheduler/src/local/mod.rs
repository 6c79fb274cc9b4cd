//! `local`: the agents as children of this process, with a store of their own, on
//! one machine.

mod agents;
mod command;
mod error;
mod folder;
mod launch;
mod leftovers;
mod wind_down;

use std::sync::Arc;

use rendezvous::{DirectoryStore, RunId, RunnerId, StageName};
use tokio::sync::mpsc;
use tracing::{error, info};

use crate::cli::LocalArguments;
use crate::decide::lead::LeastLead;
use crate::exit::Code;
use crate::run::scene::Scene;
use crate::run::signals::Signals;
use crate::run::{conduct, outcome};
use crate::show::console::Console;
use crate::show::progress::Progress;
use agents::Agents;
use error::LocalError;
use folder::Folder;
use launch::Launch;
use leftovers::Leftovers;
use wind_down::{WindDown, patience};

/// The one stage of a local run.
const STAGE: &str = "main";

/// Starts runners on this machine and waits for their ends.
pub async fn local(arguments: LocalArguments, console: &Console) -> Code {
    match run(&arguments, console).await {
        Ok(code) => code,
        Err(error) => {
            error!("{error}");
            error.code()
        }
    }
}

async fn run(arguments: &LocalArguments, console: &Console) -> Result<Code, LocalError> {
    // All that can be refused is refused before anything is made.
    let launch = Launch::prepare(arguments)?;
    let gather = &arguments.gather;
    let need = gather.need(arguments.runners).map_err(LocalError::Need)?;
    let mut settings = gather.settings(RunId::random(), stage(), need, LeastLead::IN_A_DIRECTORY);
    settings.wait = true;
    let (run, runners) = (&settings.run, runner_ids(arguments.runners));

    let signals = Signals::catch().map_err(LocalError::Processes)?;
    let leftovers = Leftovers::adopt().map_err(LocalError::Processes)?;
    let folder = Folder::make(launch.base(), arguments.dir.as_deref(), run, &runners)?;
    let store = Arc::new(DirectoryStore::open(folder.store())?);
    let (sender, witness) = mpsc::unbounded_channel();
    let mut scene = Scene::new(
        store,
        run,
        &settings.stage,
        settings.need.wanted,
        witness,
        signals,
    );
    let mut agents = Agents::new(sender);
    if let Err(error) = launch.start(&mut agents, &folder, run, &runners) {
        drop(agents);
        leftovers.kill().await;
        return Err(error);
    }
    announce(run, &folder, runners.len());

    let mut progress = Progress::on(console);
    let ending = conduct(&mut scene, &settings, &mut progress).await;
    let all_done = ending.start().is_some();
    let mut wind_down = WindDown {
        scene: &mut scene,
        progress: &mut progress,
        runners: &runners,
        agents: &agents,
        grace: arguments.grace,
    };
    let waited = wind_down
        .await_ends(patience(all_done, arguments.grace))
        .await;
    // Before anybody is killed: what they say now is their own.
    let outcome = outcome(wind_down.scene, &settings, &ending);
    wind_down.end_all(waited, &leftovers).await;
    progress.clear();
    drop(folder);
    Ok(gather.telling().tell(outcome).await)
}

fn stage() -> StageName {
    StageName::new(STAGE).expect("four lower-case letters name a stage")
}

fn runner_ids(runners: u32) -> Vec<RunnerId> {
    (1..=runners)
        .map(|n| RunnerId::new(format!("runner-{n}")).expect("letters and digits name a runner"))
        .collect()
}

fn announce(run: &RunId, folder: &Folder, runners: usize) {
    let root = folder.root().display();
    let store = folder.store();
    let runners = crate::decide::words::runners(runners);
    info!("run {run}: {runners}, each in {root}/runner-N with its output in k6.log");
    info!(
        "to look or to abort from elsewhere: tminus-scheduler status|abort --store dir:{} --run {run}",
        store.display()
    );
}
