//! Pods of a Job that has nothing of tminus, each with a paused k6.

use std::{net::TcpListener, process::Command, time::Duration};

use serde_json::{Value, json};
use support::{
    cluster::{self, Cluster, Kubectl, Namespace},
    target::Target,
    wait,
};

use crate::methods::{PODS, SCRIPT};

/// Far more than pods take to come up, and to end, on a busy machine.
const WITHIN: Duration = Duration::from_secs(120);

/// From where k6 can be resumed.
#[derive(Clone, Copy)]
pub enum Api {
    /// From inside its pod.
    InPod,
    /// From wherever its pod can be reached.
    OfPod,
}

/// A Job of such pods, all of which are ready to be resumed.
pub struct PausedJob {
    pub pods: Vec<Pod>,
    namespace: Namespace,
    target: Target,
    /// For what runs in the node's network.
    kubectl: Kubectl,
}

pub struct Pod {
    pub name: String,
    pub address: String,
}

impl PausedJob {
    /// Starts one, and waits until each k6 is ready (status 4).
    pub fn start(cluster: &Cluster, api: Api) -> Self {
        let network = cluster.network();
        let listener = network.run(|| TcpListener::bind((cluster::NODE_ADDRESS, 0)).unwrap());
        let target = Target::serve(listener);
        let namespace = cluster.namespace();
        let manifests = manifests(api, &target.url());
        namespace.kubectl().apply(&manifests.to_string());
        let job = Self {
            pods: pods(&namespace),
            namespace,
            target,
            kubectl: cluster.kubectl_with(&cluster.kubeconfig_inside()),
        };
        for pod in &job.pods {
            wait::until("a paused k6", WITHIN, || {
                let asked = network.run(|| job.exec(pod).args(["k6", "status"]).output().unwrap());
                let status = String::from_utf8_lossy(&asked.stdout).into_owned();
                status.lines().any(|line| line == "status: 4").then_some(())
            });
        }
        job
    }

    /// kubectl, about to run what is added in a pod. It reaches the API server from the node's network.
    pub fn exec(&self, pod: &Pod) -> Command {
        let mut command = self.kubectl.command();
        command.args(["--namespace", self.namespace.name()]);
        command.args(["exec", &pod.name, "--"]);
        command
    }

    /// Waits until all pods have made their load and ended, and gives what has seen it.
    pub fn finish(self) -> Target {
        let kubectl = self.namespace.kubectl();
        let complete = ["wait", "job/paused", "--for=condition=Complete"];
        wait::until("the end of the Job", WITHIN, || {
            kubectl
                .attempt(complete.iter().chain(&["--timeout=5s"]))
                .ok()
        });
        self.target
    }
}

/// All pods, once each has an address.
fn pods(namespace: &Namespace) -> Vec<Pod> {
    let kubectl = namespace.kubectl();
    wait::until("the pods", WITHIN, || {
        let list = kubectl.json(["get", "pods"]);
        let pods = list["items"].as_array()?.iter().map(pod);
        let pods: Vec<Pod> = pods.collect::<Option<_>>()?;
        (pods.len() == PODS).then_some(pods)
    })
}

fn pod(object: &Value) -> Option<Pod> {
    Some(Pod {
        name: object["metadata"]["name"].as_str()?.to_owned(),
        address: object["status"]["podIP"].as_str()?.to_owned(),
    })
}

fn manifests(api: Api, target: &str) -> Value {
    let address = match api {
        Api::InPod => "127.0.0.1:6565",
        Api::OfPod => "0.0.0.0:6565",
    };
    let container = json!({
        "name": "k6",
        "image": cluster::PLAIN_K6_IMAGE,
        "command": ["k6", "run", "--paused", "--address", address, "/scripts/script.js"],
        "env": [
            {"name": "TARGET", "value": target},
            {"name": "TMINUS_RUNNER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            {"name": "K6_NO_USAGE_REPORT", "value": "true"},
        ],
        "volumeMounts": [{"name": "script", "mountPath": "/scripts"}],
        // As in the manifests that are shipped.
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    });
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "paused"},
        "spec": {
            "parallelism": PODS,
            "completions": PODS,
            "completionMode": "Indexed",
            "backoffLimit": 0,
            "template": {"spec": {
                "restartPolicy": "Never",
                "volumes": [{"name": "script", "configMap": {"name": "script"}}],
                "containers": [container],
            }},
        },
    });
    let script = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "script"},
        "data": {"script.js": SCRIPT},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [script, job]})
}
