//! The pods of a namespace, and what their runners have reported.

use std::{thread::sleep, time::Duration};

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod as Object};
use kube::{
    Api,
    api::{EvictParams, ListParams},
};
use rendezvous::{KubernetesStore, Phase, Report, RunnerId, StageName, Store};
use tokio::runtime::{self, Runtime};

use super::{JOB, PODS_WITHIN};
use crate::{
    cluster::{self, Namespace},
    wait,
};

/// Between two looks at the API server, which has two cores with everything else.
const PAUSE: Duration = Duration::from_millis(100);

/// What sees the pods of a namespace.
pub struct Pods {
    api: Api<Object>,
    store: KubernetesStore,
    runtime: Runtime,
}

/// A pod of a Job, as it was when it was looked at.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its UID, by which its runners are called.
    pub uid: String,
    /// Which of its Job's it is.
    pub index: usize,
    object: Object,
}

impl Pods {
    /// Those of a namespace.
    pub(super) fn of(namespace: &Namespace) -> Self {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = runtime.block_on(cluster::client(namespace.kubeconfig()));
        Self {
            api: Api::namespaced(client.clone(), namespace.name()),
            store: KubernetesStore::with_client(client, namespace.name(), JOB, None),
            runtime,
        }
    }

    /// All pods of indexed Jobs that there are now, by name.
    pub fn all(&self) -> Vec<Pod> {
        let indexed = ListParams::default().labels("batch.kubernetes.io/job-completion-index");
        let list = self.runtime.block_on(self.api.list(&indexed)).unwrap();
        list.items.into_iter().map(Pod::of).collect()
    }

    /// A runner's report in a stage, if it has published one.
    pub fn report(&self, pod: &Pod, stage: &str) -> Option<Report> {
        let stage = StageName::new(stage).unwrap();
        let runner = RunnerId::new(&pod.uid).unwrap();
        let report = self.store.read_report(&stage, &runner);
        self.runtime.block_on(report).unwrap().unwrap()
    }

    /// Waits until a look at all pods finds something.
    ///
    /// # Panics
    /// If none does soon.
    pub fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&[Pod]) -> Option<T>) -> T {
        wait::until(what, PODS_WITHIN, || {
            let found = find(&self.all());
            if found.is_none() {
                sleep(PAUSE);
            }
            found
        })
    }

    /// Waits until the pod of an index that is not about to go is in a phase, in a stage.
    ///
    /// # Panics
    /// If it is not soon.
    pub fn wait_for_phase(&self, index: usize, stage: &str, phase: Phase) -> Pod {
        let what = format!("index {index} to be {phase} in {stage}");
        self.wait_for(&what, |pods| self.find_in_phase(pods, index, stage, phase))
    }

    fn find_in_phase(&self, pods: &[Pod], index: usize, stage: &str, phase: Phase) -> Option<Pod> {
        let mut stay = pods
            .iter()
            .filter(|pod| pod.index == index && !pod.is_going());
        let is_in_it = |pod: &&Pod| {
            self.report(pod, stage)
                .is_some_and(|report| report.phase == phase)
        };
        stay.find(is_in_it).cloned()
    }

    /// Waits until the pod of each of so many indices was seen in a phase, in a stage. Each is looked for at every look,
    /// for the one may have left the phase when the other gets there.
    ///
    /// # Panics
    /// If they are not soon.
    pub fn wait_for_all(&self, number: usize, stage: &str, phase: Phase) -> Vec<Pod> {
        let what = format!("indices 0 to {} to be {phase} in {stage}", number - 1);
        let mut seen = vec![None; number];
        self.wait_for(&what, |pods| {
            for (index, seen) in seen.iter_mut().enumerate() {
                *seen = seen
                    .take()
                    .or_else(|| self.find_in_phase(pods, index, stage, phase));
            }
            seen.iter().cloned().collect()
        })
    }

    /// Waits for the end of a container, and gives its exit code and what it left for `kubectl describe pod`.
    ///
    /// # Panics
    /// If it does not end soon.
    pub fn wait_for_end(&self, pod: &Pod, container: &str) -> (i32, String) {
        let what = format!("the end of {container} in {}", pod.name);
        let end = self.wait_for(&what, |pods| {
            pods.iter().find(|it| it.uid == pod.uid)?.end(container)
        });
        (end.exit_code, end.message.unwrap_or_default())
    }

    /// Evicts a pod, as the draining of a node does.
    ///
    /// # Panics
    /// If that is refused.
    pub fn evict(&self, pod: &Pod) {
        let terms = EvictParams::default();
        let eviction = self.api.evict(&pod.name, &terms);
        self.runtime.block_on(eviction).unwrap();
    }
}

impl Pod {
    fn of(object: Object) -> Self {
        let annotations = object.metadata.annotations.as_ref().unwrap();
        Self {
            name: object.metadata.name.clone().unwrap(),
            uid: object.metadata.uid.clone().unwrap(),
            index: annotations["batch.kubernetes.io/job-completion-index"]
                .parse()
                .unwrap(),
            object,
        }
    }

    /// Its address, once it has one.
    pub fn address(&self) -> Option<&str> {
        self.object.status.as_ref()?.pod_ip.as_deref()
    }

    /// How a container of it ended, if it has and is not to be run again.
    pub fn end(&self, container: &str) -> Option<ContainerStateTerminated> {
        self.container(container)?
            .state
            .as_ref()?
            .terminated
            .clone()
    }

    /// The status of a container, of either kind.
    pub fn container(&self, name: &str) -> Option<&ContainerStatus> {
        let status = self.object.status.as_ref()?;
        let init = status.init_container_statuses.iter().flatten();
        let main = status.container_statuses.iter().flatten();
        init.chain(main).find(|status| status.name == name)
    }

    /// Whether it is being deleted or is over.
    fn is_going(&self) -> bool {
        let phase = self
            .object
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        self.object.metadata.deletion_timestamp.is_some()
            || matches!(phase, Some("Failed" | "Succeeded"))
    }
}
