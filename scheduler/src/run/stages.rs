//! The stages of a run, one after another.

use std::sync::Arc;

use rendezvous::Store;
use tokio::sync::mpsc;
use tracing::info;

use super::result::Telling;
use super::scene::Scene;
use super::settings::Settings;
use super::signals::Signals;
use super::{conduct, outcome};
use crate::cluster::Witness;
use crate::decide::ending::Ending;
use crate::exit::Code;
use crate::show::console::Console;
use crate::show::progress::Progress;

/// Where a run takes place.
pub struct Venue {
    /// Its store.
    pub store: Arc<dyn Store>,
    /// Who tells what becomes of its pods; `None`: nobody but the runners themselves.
    pub witness: Option<Witness>,
}

/// Starts the stages of a run. The next one gathers when all runners of the one before have
/// ended. A stage that does not start, or is aborted, is the last, and the run is aborted. Returns the
/// worst code.
pub async fn conduct_all(
    venue: &mut Venue,
    stages: &[Settings],
    mut signals: Signals,
    telling: &Telling,
    console: &Console,
) -> Code {
    let mut worst = Code::Well;
    for settings in stages {
        if stages.len() > 1 {
            info!("stage {}", settings.stage);
        }
        let witness = match &mut venue.witness {
            Some(witness) => witness.listen(),
            None => mpsc::unbounded_channel().1,
        };
        let mut scene = Scene::new(
            Arc::clone(&venue.store),
            &settings.run,
            &settings.stage,
            settings.need.wanted,
            witness,
            signals,
        );
        let mut progress = Progress::on(console);
        let ending = conduct(&mut scene, settings, &mut progress).await;
        let outcome = outcome(&scene, settings, &ending);
        progress.clear();
        worst = worst.worse(telling.tell(outcome).await);
        if !matches!(ending, Ending::Followed { .. }) {
            break;
        }
        signals = scene.signals;
    }
    worst
}
