//! Where a start takes place in these tests.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use rendezvous::{DirectoryStore, Report, Store, Terms};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep};

use crate::decide::ending::Ending;
use crate::decide::lead::LeastLead;
use crate::decide::outcome::Outcome;
use crate::decide::policy::Policies;
use crate::decide::quorum::Need;
use crate::run::scene::Scene;
use crate::run::settings::{Settings, Unarmed};
use crate::run::signals::Signals;
use crate::run::testimony::Testimony;
use crate::run::{conduct, outcome};
use crate::show::progress::Progress;
use crate::testing::fake_agent::{self, Manner};
use crate::testing::{run_id, seconds, stage};

/// A store in a directory of its own, where it is noon.
pub struct Place {
    /// The store's directory, removed in the end.
    pub directory: TempDir,
    store: Arc<dyn Store>,
    noon: Instant,
    agents: RefCell<Vec<AbortHandle>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        for agent in self.agents.borrow().iter() {
            agent.abort();
        }
        // What an agent is writing at this very moment is still written.
        while self.directory.path().exists() {
            let _ = std::fs::remove_dir_all(self.directory.path());
        }
    }
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = DirectoryStore::open(directory.path()).unwrap();
        Self {
            directory,
            store: Arc::new(store),
            noon: Instant::now(),
            agents: RefCell::default(),
        }
    }

    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    pub fn agent(&self, name: &str, manner: Manner) -> JoinHandle<Report> {
        self.agent_at(&self.store, name, manner)
    }

    /// An agent that sees the store through another one.
    pub fn agent_at(
        &self,
        store: &Arc<dyn Store>,
        name: &str,
        manner: Manner,
    ) -> JoinHandle<Report> {
        let agent = fake_agent::start(store, name, self.noon, manner);
        self.agents.borrow_mut().push(agent.abort_handle());
        agent
    }

    /// Waits until so many runners have reported.
    pub async fn heard(&self, runners: usize) {
        let reports = self.directory.path().join("reports").join("main");
        let count = || std::fs::read_dir(&reports).map_or(0, Iterator::count);
        while count() < runners {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// A start of so many runners, whose ends are not waited for.
    pub fn settings(&self, wanted: u32) -> Settings {
        Settings {
            run: run_id(),
            stage: stage(),
            need: Need {
                wanted,
                minimum: wanted,
                grace_period: seconds(30),
            },
            max_wait: seconds(60),
            lead: seconds(3),
            least_lead: LeastLead::IN_A_DIRECTORY,
            at: None,
            terms: Terms::default(),
            unarmed: Unarmed::Start,
            policies: Policies::default(),
            wait: false,
            followed: false,
        }
    }

    pub async fn start(&self, settings: Settings) -> (Ending, Outcome) {
        let (_sender, signals) = Signals::by_hand();
        start_at(self.store(), settings, signals).await
    }
}

/// Conducts a start on a store.
pub async fn start_at(
    store: Arc<dyn Store>,
    settings: Settings,
    signals: Signals,
) -> (Ending, Outcome) {
    let (_, no_witness) = mpsc::unbounded_channel();
    start_seen_by(no_witness, store, settings, signals).await
}

/// Conducts a start on a store, while a witness tells of its pods.
pub async fn start_seen_by(
    witness: mpsc::UnboundedReceiver<Testimony>,
    store: Arc<dyn Store>,
    settings: Settings,
    signals: Signals,
) -> (Ending, Outcome) {
    let mut scene = Scene::new(
        store,
        &settings.run,
        &settings.stage,
        settings.need.wanted,
        witness,
        signals,
    );
    let ending = conduct(&mut scene, &settings, &mut Progress::silent()).await;
    let outcome = outcome(&scene, &settings, &ending);
    (ending, outcome)
}
