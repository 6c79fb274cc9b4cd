//! The run's Job: waiting for it, and what becomes of it.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::runtime::watcher::{Config, Event};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::client::Cluster;
use super::error::{ClusterError, request};
use super::watching::Watching;
use crate::decide::job::{Prospect, Standing, prospect, standing};
use crate::run::health::Health;
use crate::run::testimony::Testimony;
use crate::show::view::whole_seconds;
use crate::trouble::Trouble;

/// Which Job, of whichever UID.
pub struct JobName<'a> {
    /// Its cluster and namespace.
    pub cluster: &'a Cluster,
    /// Its name.
    pub name: &'a str,
}

/// What came of waiting for a Job.
pub enum Awaited {
    /// It is there and brings pods.
    Brings {
        /// The Job.
        job: Box<Job>,
        /// How many pods at once.
        pods: u32,
    },
    /// It did not come in time.
    TimedOut {
        /// What was there instead.
        instead: Standing,
    },
}

/// Waits for a Job that is neither over nor suspended, and says what it waits for.
///
/// # Errors
/// [`Trouble`] if the cluster cannot be used.
pub async fn await_job(wanted: &JobName<'_>, within: Duration) -> Result<Awaited, Trouble> {
    let (name, namespace) = (wanted.name, &wanted.cluster.namespace);
    let deadline = Instant::now() + within;
    let mut watching = watch(wanted);
    let (mut seen, mut told) = (Sole::default(), None);
    let mut health = Health::default();
    loop {
        let event = tokio::select! {
            event = watching.next() => event,
            () = sleep_until(deadline) => {
                return Ok(Awaited::TimedOut { instead: standing(seen.job()) });
            }
        };
        match event {
            Ok(event) => {
                health.answered(Instant::now());
                seen.take(event);
            }
            Err(error) => {
                if health.ask_at().is_none() {
                    warn!("{error}; trying again");
                }
                if let Some(trouble) = health.failed(&error.as_store_error(), Instant::now()) {
                    return Err(trouble);
                }
                continue;
            }
        }
        if !seen.is_complete {
            continue;
        }
        let now = standing(seen.job());
        if let (Standing::Brings(pods), Some(job)) = (&now, seen.job()) {
            let (job, pods) = (Box::new(job.clone()), *pods);
            return Ok(Awaited::Brings { job, pods });
        }
        if told.as_ref() != Some(&now) {
            let left = whole_seconds(deadline.saturating_duration_since(Instant::now()));
            let what = match now {
                Standing::Over(_) => "waiting for another one of that name",
                Standing::Absent | Standing::Idle(_) | Standing::Brings(_) => "waiting",
            };
            info!("Job {name} in namespace {namespace} {now}; {what}, {left} at most");
            told = Some(now);
        }
    }
}

/// The Job of that name as it is now, over or not.
///
/// # Errors
/// [`ClusterError::NoJob`] if there is none, and if the cluster cannot be used.
pub async fn find_job(wanted: &JobName<'_>) -> Result<Job, ClusterError> {
    let (name, namespace) = (wanted.name, &wanted.cluster.namespace);
    let api: Api<Job> = Api::namespaced(wanted.cluster.client.clone(), namespace);
    let action = format!("get Job {name} in namespace {namespace}");
    let job = request(&action, api.get_opt(name)).await?;
    job.ok_or_else(|| ClusterError::NoJob {
        name: name.to_owned(),
        namespace: namespace.clone(),
    })
}

/// Tells what may still come of a run's Job, again whenever that changes.
pub async fn tell(
    cluster: Cluster,
    name: String,
    uid: String,
    witness: UnboundedSender<Testimony>,
) {
    let mut watching = watch(&JobName {
        cluster: &cluster,
        name: &name,
    });
    let mut seen = Sole::default();
    let mut told: Option<Prospect> = None;
    loop {
        seen.take(watching.event().await);
        if !seen.is_complete {
            continue;
        }
        let now = prospect(seen.job(), &uid);
        if told.as_ref() != Some(&now) {
            told = Some(now.clone());
            if witness.send(Testimony::Job(now)).is_err() {
                return;
            }
        }
    }
}

fn watch(wanted: &JobName<'_>) -> Watching<Job> {
    let JobName { cluster, name } = wanted;
    let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let config = Config::default().fields(&format!("metadata.name={name}"));
    Watching::new(api, config, "watch the Job")
}

/// The one object of a name, as a watch tells of it.
#[derive(Default)]
struct Sole {
    job: Option<Job>,
    listed: Option<Job>,
    is_complete: bool,
}

impl Sole {
    fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }

    fn take(&mut self, event: Event<Job>) {
        match event {
            Event::Init => self.listed = None,
            Event::InitApply(job) => self.listed = Some(job),
            Event::InitDone => {
                self.job = self.listed.take();
                self.is_complete = true;
            }
            Event::Apply(job) => self.job = Some(job),
            // The one that is gone may have been replaced already.
            Event::Delete(job) => {
                if self
                    .job
                    .as_ref()
                    .is_some_and(|one| one.metadata.uid == job.metadata.uid)
                {
                    self.job = None;
                }
            }
        }
    }
}
