//! What a witness beside the reports tells a start.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use rendezvous::{RunnerId, StageName};

use crate::decide::job::Prospect;
use crate::decide::pod;
use crate::decide::witness::{Seen, Sighting};

/// What a witness tells.
#[derive(Debug, Clone)]
pub enum Testimony {
    /// What it saw of a runner.
    Runner(Sighting),
    /// A pod of the run, as it is now.
    Pod(Box<Pod>),
    /// A pod of the run was deleted; this is what it was last.
    PodDeleted(Box<Pod>),
    /// What may still come of the run's Job, or of whatever else makes its pods.
    Job(Prospect),
    /// Something that keeps the run's pods from being made, or one of them from starting.
    Hindrance {
        /// The pod; `None`: all that are not there.
        pod: Option<RunnerId>,
        /// What, for people.
        what: String,
    },
}

/// The pods of a run as they were seen last, with what the events say of each.
#[derive(Debug, Default)]
pub struct Pods {
    seen: BTreeMap<RunnerId, Pod>,
    hindrances: BTreeMap<RunnerId, String>,
}

impl Pods {
    /// Takes note of a pod. Returns which runner it is; `None` for one that can be none.
    pub fn note(&mut self, pod: Pod) -> Option<RunnerId> {
        let runner = pod::runner(&pod)?;
        self.seen.insert(runner.clone(), pod);
        Some(runner)
    }

    /// Takes note of what keeps a pod from starting.
    pub fn hinder(&mut self, pod: &RunnerId, what: String) {
        self.hindrances.insert(pod.clone(), what);
    }

    /// What is to be seen of a runner in a stage. `container`: the one that its report names.
    #[must_use]
    pub fn sighting(
        &self,
        runner: &RunnerId,
        stage: &StageName,
        container: Option<&str>,
    ) -> Option<Sighting> {
        let pod = self.seen.get(runner)?;
        let mut state = pod::seen(pod, stage, container);
        if let (Seen::Held(why), Some(what)) = (&mut state, self.hindrances.get(runner))
            && pod::says_little(why)
        {
            *why = format!("{why}: {what}");
        }
        Some(Sighting {
            runner: runner.clone(),
            name: pod.metadata.name.clone(),
            state,
        })
    }

    /// What the stage's container left in the status of a runner's pod when it ended.
    #[must_use]
    pub fn termination_message(
        &self,
        runner: &RunnerId,
        stage: &StageName,
        container: Option<&str>,
    ) -> Option<String> {
        pod::termination_message(self.seen.get(runner)?, stage, container)
    }

    /// What is to be seen of a runner whose pod was deleted.
    #[must_use]
    pub fn deleted(
        &mut self,
        pod: Pod,
        stage: &StageName,
        container: Option<&str>,
    ) -> Option<Sighting> {
        let (name, runner) = (pod.metadata.name.clone(), pod::runner(&pod)?);
        self.seen.remove(&runner);
        let state = pod::deleted(&pod, stage, container);
        Some(Sighting {
            runner,
            name,
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::stage;
    use serde_json::{Value, json};

    fn pods(waiting: &Value) -> (Pods, RunnerId) {
        let main = json!({"name": "main", "env": [{"name": "TMINUS_STAGE", "value": "main"}]});
        let status = json!({"name": "main", "ready": false, "restartCount": 0, "image": "", "imageID": "",
                            "state": {"waiting": waiting}});
        let pod = serde_json::from_value(json!({
            "metadata": {"name": "k6-0-x7", "uid": "4f6b8f43"},
            "spec": {"containers": [main]},
            "status": {"phase": "Pending", "containerStatuses": [status]},
        }));
        let mut pods = Pods::default();
        let runner = pods.note(pod.unwrap()).unwrap();
        (pods, runner)
    }

    fn held(pods: &Pods, runner: &RunnerId) -> String {
        match pods.sighting(runner, &stage(), None).unwrap().state {
            Seen::Held(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_explains_what_the_kubelet_does_not() {
        let (mut pods, runner) = pods(&json!({"reason": "ContainerCreating"}));
        assert_eq!(held(&pods, &runner), "ContainerCreating");
        let event = "FailedMount: MountVolume.SetUp failed: configmap \"script\" not found";
        pods.hinder(&runner, event.to_owned());
        assert_eq!(held(&pods, &runner), format!("ContainerCreating: {event}"));
    }

    #[test]
    fn what_the_kubelet_says_itself_needs_no_event() {
        let (mut pods, runner) =
            pods(&json!({"reason": "ErrImagePull", "message": "no such image"}));
        pods.hinder(&runner, "Failed: Error: ErrImagePull".to_owned());
        assert_eq!(held(&pods, &runner), "ErrImagePull: no such image");
    }

    #[test]
    fn events_of_pods_that_are_no_runners_of_the_run_tell_nothing() {
        let (mut pods, _) = pods(&json!({"reason": "ContainerCreating"}));
        let stranger = RunnerId::new("another").unwrap();
        pods.hinder(&stranger, "FailedMount".to_owned());
        assert_eq!(pods.sighting(&stranger, &stage(), None), None);
    }
}
