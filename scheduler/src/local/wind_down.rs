//! The end of a local run: nothing is left behind.

use std::time::Duration;

use nix::sys::signal::Signal;
use rendezvous::RunnerId;
use tokio::time::Instant;
use tracing::{info, warn};

use super::agents::Agents;
use super::leftovers::Leftovers;
use crate::run::scene::{Happening, Scene};
use crate::show::progress::Progress;
use crate::show::view;

/// How long an agent whose k6 has ended may take for its last report and its own end:
/// it gives the report 3 s.
const LAST_REPORT: Duration = Duration::from_secs(5);

/// How long an agent may take beside what its k6 is given: to see the abort, and for its last
/// report.
const BESIDE_GRACE: Duration = Duration::from_secs(10);

/// How often the progress is shown while nothing happens.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long agents may take to end by themselves.
#[must_use]
pub fn patience(all_done: bool, grace: Duration) -> Duration {
    if all_done {
        LAST_REPORT
    } else {
        // Their k6 has its grace to end, and a second time where it has to be asked again.
        2 * grace + BESIDE_GRACE
    }
}

/// How waiting for the agents' ends ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// All have ended.
    AllEnded,
    /// Not all have.
    TimeIsUp,
    /// A signal came.
    Hurried,
}

/// The runners that are to end.
pub struct WindDown<'a> {
    /// What is seen of them.
    pub scene: &'a mut Scene,
    /// Where it is shown.
    pub progress: &'a mut Progress,
    /// All of them.
    pub runners: &'a [RunnerId],
    /// Their processes.
    pub agents: &'a Agents,
    /// How long their k6 has to end.
    pub grace: Duration,
}

impl WindDown<'_> {
    /// Waits until all have ended by themselves, or are not to be waited for: the time
    /// is up, or a signal came.
    pub async fn await_ends(&mut self, patience: Duration) -> Waited {
        if self.scene.is_hurried() {
            return Waited::Hurried;
        }
        let deadline = Instant::now() + patience;
        loop {
            let now = Instant::now();
            let roster = self.scene.roster();
            let has_ended = |runner| roster.get(runner).is_some_and(|one| one.exit.is_some());
            if self.runners.iter().all(has_ended) {
                return Waited::AllEnded;
            }
            if now >= deadline {
                return Waited::TimeIsUp;
            }
            self.progress.show(&view::running(roster), now);
            let look_again = deadline.min(now + LOOK_AGAIN);
            if let Happening::Cancelled(signal) = self.scene.next(look_again).await {
                info!("got {signal}: ending the runners at once");
                return Waited::Hurried;
            }
        }
    }

    /// Ends what is left: by SIGTERM first unless there is a hurry, then by SIGKILL.
    pub async fn end_all(&mut self, waited: Waited, leftovers: &Leftovers) {
        self.end_agents(waited).await;
        leftovers.kill().await;
    }

    async fn end_agents(&mut self, waited: Waited) {
        if waited == Waited::TimeIsUp && !self.agents.have_ended() {
            warn!("some runners do not end; telling them to by SIGTERM");
            self.agents.signal(Signal::SIGTERM);
            self.await_ends(patience(false, self.grace)).await;
        }
        if !self.agents.have_ended() {
            warn!("killing the runners that are left");
            self.agents.signal(Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use rendezvous::DirectoryStore;
    use tokio::process::Command;
    use tokio::sync::mpsc;
    use tokio::time::resume;

    use super::*;
    use crate::run::signals::Signals;
    use crate::testing::logged::Logged;
    use crate::testing::{run_id, runner, seconds, stage};

    #[tokio::test(start_paused = true)]
    async fn a_runner_that_does_not_end_by_itself_is_told_to() {
        let (logged, directory) = (Logged::here(), tempfile::tempdir().unwrap());
        let store = Arc::new(DirectoryStore::open(directory.path()).unwrap());
        let (sender, witness) = mpsc::unbounded_channel();
        let (_sender, signals) = Signals::by_hand();
        let mut scene = Scene::new(store, &run_id(), &stage(), 1, witness, signals);
        let runners = [runner("runner-1")];
        let mut agents = Agents::new(sender);
        let mut sleeper = Command::new("sleep");
        sleeper.arg("1000");
        agents.start(&runners[0], sleeper).unwrap();
        let mut wind_down = WindDown {
            scene: &mut scene,
            progress: &mut Progress::silent(),
            runners: &runners,
            agents: &agents,
            grace: seconds(1),
        };
        let waited = wind_down.await_ends(seconds(5)).await;
        assert_eq!(waited, Waited::TimeIsUp);
        wind_down.end_agents(waited).await;
        logged.assert_has("some runners do not end; telling them to by SIGTERM");
        // A signal takes time of the real clock.
        resume();
        let ended = wind_down.await_ends(seconds(30)).await;
        assert_eq!(ended, Waited::AllEnded);
        assert!(agents.have_ended());
    }
}
