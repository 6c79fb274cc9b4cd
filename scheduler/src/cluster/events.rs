//! The events of a run's Job and pods: what keeps pods from being made is said nowhere else.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Event as Notice;
use kube::Api;
use kube::runtime::watcher::{Config, Event};
use rendezvous::RunnerId;
use tokio::sync::mpsc::UnboundedSender;

use super::client::Cluster;
use super::watching::Watching;
use crate::decide::notice;
use crate::run::testimony::Testimony;

/// What was told already, by this or an earlier watch of the same run.
pub type Told = Arc<Mutex<BTreeSet<String>>>;

/// Tells of the warnings about a run's Job, each once, and about pods. `job`: the UID of the Job, if the
/// run has one.
pub async fn tell(
    cluster: Cluster,
    job: Option<String>,
    told: Told,
    witness: UnboundedSender<Testimony>,
) {
    let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let config = Config::default().fields("type=Warning");
    let mut watching = Watching::new(api, config, "watch the namespace's events");
    loop {
        let (Event::InitApply(notice) | Event::Apply(notice)) = watching.event().await else {
            continue;
        };
        let Some(testimony) = testimony(&notice, job.as_deref(), &told) else {
            continue;
        };
        if witness.send(testimony).is_err() {
            return;
        }
    }
}

fn testimony(notice: &Notice, job: Option<&str>, told: &Told) -> Option<Testimony> {
    let about = &notice.involved_object;
    let uid = about.uid.as_deref()?;
    if job == Some(uid) {
        let what = notice::text(notice);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = told.insert(notice::key(notice));
        return is_new.then_some(Testimony::Hindrance { pod: None, what });
    }
    let pod = RunnerId::new(uid).ok()?;
    (about.kind.as_deref() == Some("Pod")).then(|| Testimony::Hindrance {
        pod: Some(pod),
        what: notice::text(notice),
    })
}
