//! A load test: a namespace with a Job, its pods, and a scheduler.

use std::{collections::BTreeMap, ffi::OsStr, time::Duration};

use serde_json::{Value, json};
use support::{
    cluster::{Cluster, Kubectl, Namespace},
    process::{Program, Running},
    programs,
    scheduler::{self, Ended, Outcome},
    wait,
};

use crate::agent::{Agent, Identity, Manner};

/// How long something may take that happens at once, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// A pod of a Job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    pub name: String,
    pub uid: String,
}

/// A load test of a namespace of its own.
pub struct Load {
    pub namespace: Namespace,
    pub kubectl: Kubectl,
}

impl Load {
    /// One in whose namespace nothing is yet.
    pub fn new(cluster: &Cluster) -> Self {
        let namespace = cluster.namespace();
        Self {
            kubectl: namespace.kubectl(),
            namespace,
        }
    }

    /// Makes a Job of so many pods, each with a warm-up and a main stage. Returns its UID.
    pub fn make_job(&self, name: &str, pods: u32) -> String {
        self.make_job_with(name, pods, &json!({}))
    }

    /// Makes a Job whose spec says this, too.
    pub fn make_job_with(&self, name: &str, pods: u32, more: &Value) -> String {
        let container = |name: &str, stage: &str| {
            let stage = json!({"name": "TMINUS_STAGE", "value": stage});
            json!({"name": name, "image": "k6", "env": [stage]})
        };
        let mut job = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {
                "parallelism": pods,
                "completions": pods,
                "completionMode": "Indexed",
                "backoffLimitPerIndex": 0,
                "template": {"spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": "tminus-agent",
                    "initContainers": [container("z-warmup", "warmup")],
                    "containers": [container("main", "main")],
                }},
            },
        });
        for (key, value) in more.as_object().unwrap() {
            job["spec"][key] = value.clone();
        }
        self.kubectl.apply(&job.to_string());
        self.uid(name)
    }

    pub fn uid(&self, job: &str) -> String {
        let job = self.kubectl.json(["get", "job", job]);
        job["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// The pods of a Job, as soon as there are so many.
    pub fn pods(&self, job: &str, pods: usize) -> Vec<Pod> {
        let uid = self.uid(job);
        self.labelled(&format!("batch.kubernetes.io/controller-uid={uid}"), pods)
    }

    /// The pods with these labels, as soon as there are so many.
    pub fn labelled(&self, labels: &str, pods: usize) -> Vec<Pod> {
        let selector = format!("--selector={labels}");
        wait::until("the pods", SOON, || {
            let list = self.kubectl.json(["get", "pods", &selector]);
            let list = list["items"].as_array().unwrap();
            let text = |pod: &Value, key: &str| pod["metadata"][key].as_str().unwrap().to_owned();
            let pod = |pod: &Value| Pod {
                name: text(pod, "name"),
                uid: text(pod, "uid"),
            };
            (list.len() == pods).then(|| list.iter().map(pod).collect())
        })
    }

    /// Writes a pod's status, as a kubelet does.
    pub fn set_status(&self, pod: &Pod, status: &Value) {
        let patch = json!({"status": status}).to_string();
        let name = pod.name.as_str();
        self.kubectl.run([
            "patch",
            "pod",
            name,
            "--subresource=status",
            "--type=merge",
            "--patch",
            &patch,
        ]);
    }

    /// Starts an agent in a pod of a Job.
    pub fn agent(&self, job: &str, pod: &Pod, stage: &str, manner: Manner) -> Agent {
        self.agent_of(&self.uid(job), job, pod, stage, manner)
    }

    /// Starts an agent of a run in a pod. `name`: what the run's objects are called by.
    pub fn agent_of(&self, run: &str, name: &str, pod: &Pod, stage: &str, manner: Manner) -> Agent {
        let identity = Identity {
            kubeconfig: self.namespace.kubeconfig().to_owned(),
            namespace: self.namespace.name().to_owned(),
            job: name.to_owned(),
            run: run.to_owned(),
            stage: stage.to_owned(),
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
        };
        Agent::start(identity, manner)
    }

    /// Starts an agent in each of these pods.
    pub fn agents(&self, job: &str, pods: &[Pod], stage: &str, manner: Manner) -> Vec<Agent> {
        let start = |pod| self.agent(job, pod, stage, manner);
        pods.iter().map(start).collect()
    }

    /// A command of the scheduler's, as one who may do everything.
    pub fn command(
        &self,
        command: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Program {
        Program::new(programs::scheduler())
            .args([command])
            .args(arguments)
            .env("KUBECONFIG", self.namespace.kubeconfig())
            .env("TMINUS_OUTPUT", "json")
    }

    /// Starts a Job's runs.
    pub fn start(
        &self,
        job: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Running {
        self.command("start", ["--job", job])
            .args(arguments)
            .start()
    }
}

/// What each pod ended with, by a scheduler's result.
pub fn codes(result: &Outcome) -> BTreeMap<&str, i64> {
    let runners = result.0["runners"].as_array().unwrap();
    runners
        .iter()
        .map(|runner| {
            (
                runner["name"].as_str().unwrap(),
                runner["exit_code"].as_i64().unwrap(),
            )
        })
        .collect()
}

/// Longer than a whole start takes: its lead alone is 20 s, and a report that was lying there before the scheduler
/// came counts when it is renewed.
const WHOLE_START: Duration = Duration::from_secs(180);

/// How a scheduler ended.
pub fn ended(scheduler: &Running) -> Ended {
    scheduler.wait(WHOLE_START);
    scheduler::ended(scheduler)
}

/// How a scheduler ended that was to end well.
pub fn well(scheduler: &Running) -> Ended {
    let ended = ended(scheduler);
    ended.assert(0);
    ended
}
