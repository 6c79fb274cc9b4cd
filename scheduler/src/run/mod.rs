//! One start, from the first look at the store until it is clear what came of it.

mod follow;
mod gather;
pub mod health;
mod reports;
pub mod result;
pub mod scene;
pub mod settings;
pub mod signals;
pub mod stages;
pub mod testimony;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tracing::info;

use crate::decide::ending::Ending;
use crate::decide::job::Prospect;
use crate::decide::muster::{Aim, muster};
use crate::decide::outcome::{Facts, Outcome, judge};
use crate::show::progress::Progress;
use crate::trouble::Trouble;
use gather::Gathered;
use scene::Scene;
use settings::Settings;

/// Gathers, sets the instant and follows the start. Where there is none, or this process is
/// told to end, the runners are told.
pub async fn conduct(scene: &mut Scene, settings: &Settings, progress: &mut Progress) -> Ending {
    let ending = match gather::gather(scene, settings, progress).await {
        Gathered::Set { plan, expected } => {
            scene.instant_is_set(&plan);
            follow::follow(scene, settings, progress, plan, expected).await
        }
        Gathered::Ended(ending) => ending,
    };
    match ending {
        Ending::Followed { .. } | Ending::Aborted { .. } => {}
        // They were told when it was decided.
        Ending::Stopped { .. } => {}
        // An abort that gets through after all would end a load that is well under way.
        Ending::LostSight { .. } => {}
        _ if has_lost_its_place(scene, &ending) => {
            info!("nothing is written any more: another Job of the name has the place of the plan");
        }
        _ => scene.abort(&ending.to_string()).await,
    }
    ending
}

/// Whether a newer Job of the same name has taken the place in the store. What is written there for the
/// older one would cost the newer one its plan; and the older one's pods go with it.
fn has_lost_its_place(scene: &Scene, ending: &Ending) -> bool {
    let taken_over = matches!(
        ending,
        Ending::Broken {
            trouble: Trouble::TakenOver(_),
            ..
        }
    );
    match scene.prospect() {
        Some(Prospect::Replaced) => true,
        Some(Prospect::Over(_) | Prospect::AtMost { .. }) => taken_over,
        Some(Prospect::Open) | None => false,
    }
}

/// What came of it, as far as is known now.
#[must_use]
pub fn outcome(scene: &Scene, settings: &Settings, ending: &Ending) -> Outcome {
    let now = Instant::now();
    let time = scene.read_time(now);
    let roster = scene.roster();
    let sight = scene.sight(now);
    let without_plan = Aim {
        plan: None,
        max_clock_error: settings.terms.max_clock_error,
    };
    let aim = ending.plan().map_or(without_plan, Aim::at);
    judge(&Facts {
        run: &settings.run,
        stage: &settings.stage,
        wanted: settings.need.wanted,
        own_utc: own_utc(),
        waited: settings.wait,
        followed: settings.followed,
        replaced: scene.replaced(),
        ending,
        roster,
        muster: &muster(roster, &time, aim, &sight),
        sight,
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
