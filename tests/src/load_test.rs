//! A load test on a cluster with a node, as a user makes one: the manifests that are shipped, changed where a user
//! changes them, and a pipeline with the scheduler's own rights outside the cluster.

mod pods;
mod processes;

use std::{fs, net::TcpListener, path::PathBuf, time::Duration};

use nix::sys::signal::Signal;

pub use pods::{Pod, Pods};
pub use processes::RunnerProcess;

use crate::{
    cluster::{self, Cluster, Kubectl, Namespace},
    manifests::Manifests,
    process::{Program, Running},
    programs,
    scheduler::{Ended, ended_within},
    target::Target,
};

/// What the Job is called in the manifests.
pub const JOB: &str = "load-test";

/// The stage of the init container, and the init container.
pub const WARMUP: &str = "warmup";

/// The stage of the main container, and the container.
pub const MAIN: &str = "main";

/// How long it may take until pods run, are ready, or have ended: some seconds, or far longer when other tests keep
/// the machine busy.
pub const PODS_WITHIN: Duration = Duration::from_secs(120);

/// How long a scheduler may take for two stages, each with a lead of 20 s.
pub const ENDED_WITHIN: Duration = Duration::from_secs(240);

/// A script whose load is small and short: `DURATION` of one VU. The runners that `HELD` names (`main-0` is index 0 in
/// the stage `main`) are not ready until the target opens the gate of that name.
const SCRIPT: &str = r"
import http from 'k6/http';
import { sleep } from 'k6';

const params = { headers: { 'X-Tminus-Runner': __ENV.TMINUS_RUNNER }, timeout: '10m' };
const self = `${__ENV.TMINUS_STAGE}-${__ENV.JOB_COMPLETION_INDEX}`;

export const options = { vus: 1, duration: __ENV.DURATION || '2s', setupTimeout: '10m' };

export function setup() {
  const isHeld = (__ENV.HELD || '').split(',').includes(self);
  http.get(`${__ENV.TARGET}/setup${isHeld ? `/gate/${self}` : ''}`, params);
}

export default function () {
  http.get(`${__ENV.TARGET}/${__ENV.TMINUS_STAGE}`, params);
  sleep(0.1);
}
";

/// A user's copy of the manifests, with a namespace and a target of its own. All that is of it goes when it is dropped.
pub struct LoadTest<'a> {
    cluster: &'a Cluster,
    manifests: Manifests,
    target: Target,
    pods: Pods,
}

impl<'a> LoadTest<'a> {
    /// One of so many runners, with the manifests' own script, that asks the node for the time and sends its load to a
    /// target there. It has been applied in no part.
    pub fn new(cluster: &'a Cluster, runners: usize) -> Self {
        let network = cluster.network();
        let listener = network.run(|| TcpListener::bind((cluster::NODE_ADDRESS, 0)).unwrap());
        let manifests = Manifests::copied(cluster);
        let load_test = Self {
            target: Target::serve(listener),
            pods: Pods::of(&manifests.namespace),
            manifests,
            cluster,
        };
        let time = format!("value: {}", cluster::NODE_ADDRESS);
        load_test
            .change("parallelism: 6", &format!("parallelism: {runners}"))
            .change("completions: 6", &format!("completions: {runners}"))
            .change("value: auto", &time)
            .change(
                "value: http://target",
                &format!("value: {}", load_test.target.url()),
            )
            // The tests beside this one have pods on the same node.
            .change("cpu: 250m", "cpu: 10m");
        for part in ["setup", "job"] {
            let text = format!(
                "namespace: {}\nresources: [../kubernetes/{part}]\n",
                load_test.namespace().name()
            );
            fs::create_dir(load_test.part(part)).unwrap();
            fs::write(load_test.part(part).join("kustomization.yaml"), text).unwrap();
        }
        load_test
    }

    /// One whose load lasts so long (`2s`), and in which a test can hold runners back: those that `held` names, see
    /// [`release`](Self::release).
    pub fn short(cluster: &'a Cluster, runners: usize, duration: &str, held: &[&str]) -> Self {
        let load_test = Self::new(cluster, runners);
        fs::write(load_test.manifests.file("job/script.js"), SCRIPT).unwrap();
        let variables = format!(
            "- name: DURATION\n              value: {duration}\n            - name: HELD\n              value: '{}'\n            - name: LOAD",
            held.join(",")
        );
        load_test.change("- name: LOAD", &variables);
        load_test
    }

    /// Leaves the warm-up out.
    pub fn without_warmup(self) -> Self {
        self.edit(|job| {
            let (before, rest) = job.split_once("      initContainers:\n").unwrap();
            let (_, after) = rest.split_once("      containers:\n").unwrap();
            format!("{before}      containers:\n{after}")
        });
        self
    }

    /// Lets Kubernetes run a container again that failed, so many times; then no index can fail by itself.
    pub fn restarting(self, times: usize) -> Self {
        self.edit(|job| {
            let (before, rest) = job.split_once("  backoffLimitPerIndex: 0\n").unwrap();
            let (_, after) = rest.split_once("  podReplacementPolicy: Failed\n").unwrap();
            format!("{before}  backoffLimit: {times}\n{after}")
        });
        self.change("restartPolicy: Never", "restartPolicy: OnFailure");
        self
    }

    /// Changes `job.yaml`.
    ///
    /// # Panics
    /// If `from` does not stand in it.
    pub fn change(&self, from: &str, to: &str) -> &Self {
        self.manifests.change("job/job.yaml", from, to);
        self
    }

    fn edit(&self, how: impl FnOnce(String) -> String) {
        let file = self.manifests.file("job/job.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, how(text)).unwrap();
    }

    /// Sets the namespace up, and applies the Job.
    pub fn apply(&self) {
        self.set_up();
        self.apply_job();
    }

    /// Sets the namespace up.
    pub fn set_up(&self) {
        self.apply_part("setup");
    }

    /// Applies the Job and its script.
    pub fn apply_job(&self) {
        self.apply_part("job");
    }

    fn apply_part(&self, part: &str) {
        let folder = self.part(part);
        self.manifests
            .applied(&["--kustomize".as_ref(), folder.as_ref()]);
    }

    fn part(&self, part: &str) -> PathBuf {
        self.manifests.folder.path().join(part)
    }

    /// The user's copy.
    pub fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// Where all of it is.
    pub fn namespace(&self) -> &Namespace {
        &self.manifests.namespace
    }

    /// For one who may do everything.
    pub fn kubectl(&self) -> Kubectl {
        self.namespace().kubectl()
    }

    /// Where the load goes. A runner is called as its pod is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its pods.
    pub fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Lets a runner become ready that is held: `main-0` is index 0 in the stage `main`.
    pub fn release(&self, held: &str) {
        self.target.open(held);
    }

    /// The scheduler in a pipeline outside the cluster, with the rights of its Role and no others, about to start these
    /// stages of a Job and to wait for their ends. It tells its results in JSON.
    ///
    /// # Panics
    /// Before the namespace is set up.
    pub fn start_of(&self, job: &str, stages: &[&str]) -> Program {
        let stages = stages.iter().flat_map(|stage| ["--stage", stage]);
        self.command("start", job)
            .args(stages)
            .args(["--wait", "--output", "json"])
    }

    /// The same for the manifests' own Job; it is started.
    pub fn start(&self, stages: &[&str]) -> Running {
        self.start_of(JOB, stages).start()
    }

    /// A command of the scheduler's, such as `abort`, for a Job.
    pub fn command(&self, command: &str, job: &str) -> Program {
        let namespace = self.namespace();
        self.kubectl()
            .run(["get", "serviceaccount", "tminus-scheduler"]);
        let account = namespace.account("tminus-scheduler");
        Program::new(programs::scheduler())
            .args([command, "--job", job, "--namespace", namespace.name()])
            .env("KUBECONFIG", account.kubeconfig)
            .current_dir(self.manifests.folder.path())
    }

    /// Loses a pod's sandbox.
    pub fn lose_sandbox(&self, pod: &Pod) {
        self.cluster.lose_sandbox(&pod.uid);
    }

    /// Kills a runner's agent as a kernel that is out of memory does; with it goes its container.
    pub fn kill_agent(pod: &Pod) {
        let processes = RunnerProcess::all_of(&pod.uid);
        let agent = processes
            .iter()
            .find(|process| process.name == "tminus-agent");
        let agent = agent.unwrap_or_else(|| panic!("no agent of {}: {processes:?}", pod.name));
        agent.signal(Signal::SIGKILL);
    }
}

/// Waits for the end of a scheduler that has pods to wait for.
///
/// # Panics
/// If it does not end, is killed by a signal, or leaves a process behind.
pub fn ended(scheduler: &Running) -> Ended {
    ended_within(scheduler, ENDED_WITHIN)
}
