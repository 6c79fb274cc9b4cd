//! `start`: runners that are started by somebody else.

use tokio::sync::mpsc;

use crate::cli::StartArguments;
use crate::exit::Code;
use crate::run::result::tell;
use crate::run::scene::Scene;
use crate::run::signals::Signals;
use crate::run::{conduct, outcome};
use crate::show::console::Console;
use crate::show::progress::Progress;
use crate::trouble::Trouble;

/// Starts a stage of a run.
pub async fn start(arguments: StartArguments, console: &Console) -> Result<Code, Trouble> {
    let StartArguments {
        run,
        stage,
        gather,
        wait,
    } = arguments;
    let store = run.store.open()?;
    let settings = gather.settings(run.run, stage, wait);
    let signals = Signals::catch().map_err(|error| Trouble::Signals(error.to_string()))?;
    // Nobody but the runners themselves says anything of them.
    let (_, no_witness) = mpsc::unbounded_channel();
    let mut scene = Scene::new(store, &settings.run, &settings.stage, no_witness, signals);
    let mut progress = Progress::on(console);
    let ending = conduct(&mut scene, &settings, &mut progress).await;
    let outcome = outcome(&scene, &settings, &ending);
    progress.clear();
    let target = gather.first_requests.as_deref();
    Ok(tell(outcome, gather.output, target).await)
}
