//! One start, from the first look at the store until it is clear what came of it.

mod follow;
mod gather;
mod health;
pub mod result;
pub mod scene;
pub mod settings;
pub mod signals;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::decide::ending::Ending;
use crate::decide::muster::muster;
use crate::decide::outcome::{Facts, Outcome, judge};
use crate::show::progress::Progress;
use gather::Gathered;
use scene::Scene;
use settings::Settings;

/// Gathers, sets the instant and follows the start. Where there is none, or this process is
/// told to end, the runners are told.
pub async fn conduct(scene: &mut Scene, settings: &Settings, progress: &mut Progress) -> Ending {
    let ending = match gather::gather(scene, settings, progress).await {
        Gathered::Set { plan, expected } => {
            follow::follow(scene, settings, progress, plan, expected).await
        }
        Gathered::Ended(ending) => ending,
    };
    if !matches!(ending, Ending::Followed { .. } | Ending::Aborted { .. }) {
        scene.abort(&ending.to_string()).await;
    }
    ending
}

/// What came of it, as far as is known now.
#[must_use]
pub fn outcome(scene: &Scene, settings: &Settings, ending: &Ending) -> Outcome {
    let now = Instant::now();
    let time = scene.read_time(now);
    let roster = scene.roster();
    judge(&Facts {
        run: &settings.run,
        stage: &settings.stage,
        wanted: settings.need.wanted,
        own_utc: own_utc(),
        waited: settings.wait,
        ending,
        roster,
        muster: &muster(roster, &time, ending.plan().map(|plan| &plan.id), now),
        sight: scene.sight(now),
    })
}

/// What time it is by this machine's own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "it is told to people, to whom minutes do not matter, and decides nothing"
)]
fn own_utc() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests;
