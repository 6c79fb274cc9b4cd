//! Those who tell a start what becomes of its Job and its pods.

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;

use super::client::Cluster;
use super::events::Told;
use super::{events, job, pods};
use crate::decide::job::Prospect;
use crate::run::testimony::Testimony;

/// The label of a Job's pods that holds the UID of the Job.
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

/// What makes a run's pods.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A Job.
    Job {
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// Something else, whose pods have these labels.
    Labelled(String),
    /// Something else, whose pods nobody can tell from others.
    Unseen,
}

/// Tells a run's starts, one after another, what becomes of its Job and its pods.
pub struct Witness {
    cluster: Cluster,
    subject: Subject,
    told: Told,
    tasks: JoinSet<()>,
}

impl Witness {
    /// One that has not seen anything yet.
    pub fn new(cluster: Cluster, subject: Subject) -> Self {
        Self {
            cluster,
            subject,
            told: Told::default(),
            tasks: JoinSet::new(),
        }
    }

    /// Begins to tell, from the start; whoever listened before hears nothing any more.
    pub fn listen(&mut self) -> UnboundedReceiver<Testimony> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.tasks = JoinSet::new();
        let is_open = || {
            // The other end is held below.
            let _ = sender.send(Testimony::Job(Prospect::Open));
        };
        let (selector, job) = match &self.subject {
            Subject::Job { name, uid } => {
                let telling = job::tell(
                    self.cluster.clone(),
                    name.clone(),
                    uid.clone(),
                    sender.clone(),
                );
                self.tasks.spawn(telling);
                (format!("{CONTROLLER_UID}={uid}"), Some(uid.clone()))
            }
            Subject::Labelled(labels) => {
                is_open();
                (labels.clone(), None)
            }
            // Whatever makes them may make others, too.
            Subject::Unseen => {
                is_open();
                return receiver;
            }
        };
        let pods = pods::tell(self.cluster.clone(), selector, sender.clone());
        self.tasks.spawn(pods);
        let told = self.told.clone();
        let events = events::tell(self.cluster.clone(), job, told, sender);
        self.tasks.spawn(events);
        receiver
    }
}
