//! The pods of a run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kube::runtime::watcher::{Config, Event};
use tokio::sync::mpsc::UnboundedSender;

use super::client::Cluster;
use super::error::{ClusterError, refusal, request};
use super::watching::Watching;
use crate::run::testimony::Testimony;

/// Checks that a label selector makes sense to the API server.
///
/// # Errors
/// [`ClusterError::Unfit`] if it does not, and if the cluster cannot be used.
pub async fn check_selector(cluster: &Cluster, selector: &str) -> Result<(), ClusterError> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let one = ListParams::default().labels(selector).limit(1);
    let action = format!(
        "list pods with {selector} in namespace {}",
        cluster.namespace
    );
    match request(&action, api.list_metadata(&one)).await {
        Ok(_) => Ok(()),
        // 400: the API server cannot read it.
        Err(ClusterError::Failed { detail, .. }) if detail.starts_with(&refusal(400, "")) => {
            let text = format!("--selector {selector} selects no labels: {detail}");
            Err(ClusterError::Unfit(text))
        }
        Err(error) => Err(error),
    }
}

/// Tells of the pods that a label selector names: of each as it is now, again at each change,
/// and when it is deleted.
pub async fn tell(cluster: Cluster, selector: String, witness: UnboundedSender<Testimony>) {
    let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let config = Config::default().labels(&selector);
    let mut watching = Watching::new(api, config, "watch the run's pods");
    let mut known = Known::default();
    loop {
        for testimony in known.take(watching.event().await) {
            if witness.send(testimony).is_err() {
                return;
            }
        }
    }
}

/// The pods that are there, so that one that was deleted while nobody watched is missed.
#[derive(Default)]
struct Known {
    pods: BTreeMap<String, Pod>,
    listed: BTreeMap<String, Pod>,
}

impl Known {
    fn take(&mut self, event: Event<Pod>) -> Vec<Testimony> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(pod) => {
                let pod = trimmed(pod);
                self.listed.insert(uid(&pod), pod.clone());
                vec![Testimony::Pod(Box::new(pod))]
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let before = std::mem::replace(&mut self.pods, listed);
                let gone = before
                    .into_iter()
                    .filter(|(uid, _)| !self.pods.contains_key(uid));
                gone.map(|(_, pod)| Testimony::PodDeleted(Box::new(pod)))
                    .collect()
            }
            Event::Apply(pod) => {
                let pod = trimmed(pod);
                self.pods.insert(uid(&pod), pod.clone());
                vec![Testimony::Pod(Box::new(pod))]
            }
            Event::Delete(pod) => {
                self.pods.remove(&uid(&pod));
                vec![Testimony::PodDeleted(Box::new(trimmed(pod)))]
            }
        }
    }
}

fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

/// Without what takes the most room and says nothing here.
fn trimmed(mut pod: Pod) -> Pod {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    if let Some(spec) = &mut pod.spec {
        spec.volumes = None;
        spec.affinity = None;
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.uid = Some(uid.to_owned());
        pod
    }

    fn told(known: &mut Known, event: Event<Pod>) -> Vec<String> {
        let told = known.take(event);
        told.into_iter()
            .map(|testimony| match testimony {
                Testimony::Pod(pod) => format!("is {}", uid(&pod)),
                Testimony::PodDeleted(pod) => format!("gone {}", uid(&pod)),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_pod_that_went_while_nobody_watched_is_missed() {
        let mut known = Known::default();
        for event in [Event::Init, Event::InitApply(pod("a")), Event::InitDone] {
            told(&mut known, event);
        }
        assert_eq!(told(&mut known, Event::Apply(pod("b"))), ["is b"]);
        told(&mut known, Event::Init);
        assert_eq!(told(&mut known, Event::InitApply(pod("b"))), ["is b"]);
        assert_eq!(told(&mut known, Event::InitDone), ["gone a"]);
        assert_eq!(told(&mut known, Event::Delete(pod("b"))), ["gone b"]);
    }
}
