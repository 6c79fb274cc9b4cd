//! The test cluster with a node: pods run on it, and nothing of it is left when the test has ended.
#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use support::{
    cluster::{self, Cluster},
    process::Program,
    target::Target,
    wait,
};

/// How long pods may take to start and to end, on a busy machine.
const SOON: Duration = Duration::from_secs(90);

/// How long a whole cluster with a node may take to come up beside others.
const UP_WITHIN: Duration = Duration::from_secs(240);

/// How long a cluster may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(30);

const JOB: &str = "
apiVersion: batch/v1
kind: Job
metadata: {name: load}
spec:
  parallelism: 6
  completions: 6
  completionMode: Indexed
  backoffLimitPerIndex: 0
  template:
    spec:
      restartPolicy: Never
      initContainers:
      - {name: warmup, image: 'busybox:1', command: [sleep, '1']}
      containers:
      - {name: main, image: 'busybox:1', command: [echo, done]}
";

#[test]
fn a_job_of_six_pods_with_an_init_container_completes() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl();
    kubectl.apply(JOB);
    wait::until("the end of the Job", SOON, || {
        let complete = [
            "wait",
            "job/load",
            "--for=condition=Complete",
            "--timeout=1s",
        ];
        kubectl.attempt(complete).ok()
    });
    let logs = kubectl.run(["logs", "--selector=job-name=load", "--max-log-requests=6"]);
    assert_eq!(logs, "done\n".repeat(6));
}

/// As strictly as a cluster may want it (the level `restricted` of pod security).
const LOCKED_DOWN: &str = "
apiVersion: v1
kind: Pod
metadata: {name: clock}
spec:
  restartPolicy: Never
  securityContext:
    runAsNonRoot: true
    runAsUser: 12345
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: clock
    image: tminus-k6:1
    command: [tminus-agent, clock, --ntp, 10.89.0.1]
    env: [{name: PATH, value: '/usr/local/bin'}]
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
";

#[test]
fn a_locked_down_pod_measures_its_clock_against_the_nodes_ntp_server() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl();
    kubectl.apply(LOCKED_DOWN);
    wait::until("the end of the measurement", SOON, || {
        ended(&kubectl, "clock")
    });
    let log = kubectl.run(["logs", "clock"]);
    assert_eq!(phase(&kubectl, "clock"), "Succeeded", "{log}");
    assert!(log.contains(&cluster::NODE_ADDRESS.to_string()), "{log}");
}

#[test]
fn the_schedulers_image_runs() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl();
    let image = format!("--image={}", cluster::SCHEDULER_IMAGE);
    kubectl.run(["run", "help", &image, "--restart=Never", "--", "--help"]);
    wait::until("its end", SOON, || ended(&kubectl, "help"));
    let log = kubectl.run(["logs", "help"]);
    assert_eq!(phase(&kubectl, "help"), "Succeeded", "{log}");
    assert!(log.contains("tminus-scheduler"), "{log}");
}

#[test]
fn a_pod_reaches_a_target_of_the_test() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let network = cluster.network();
    let listener = network.run(|| TcpListener::bind((cluster::NODE_ADDRESS, 0)).unwrap());
    let target = Target::serve(listener);
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl();
    let url = format!("{}/?runner=pod", target.url());
    kubectl.run([
        "run",
        "load",
        "--image=busybox:1",
        "--restart=Never",
        "--",
        "wget",
        "-qO-",
        &url,
    ]);
    wait::until("a request of the pod", SOON, || {
        (target.load_count("pod") == 1).then_some(())
    });
}

#[test]
fn a_pod_that_loses_its_sandbox_fails() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl();
    start_sleeper(&kubectl);
    cluster.lose_sandbox(&uid(&kubectl, "sleeper"));
    wait::until("the end of the pod", SOON, || ended(&kubectl, "sleeper"));
    assert_eq!(phase(&kubectl, "sleeper"), "Failed");
}

#[test]
fn nothing_is_left_of_a_node_that_was_dropped() {
    let Some(cluster) = Cluster::start_with_node() else {
        return;
    };
    start_sleeper(&cluster.kubectl());
    let traces = Traces::of(cluster.folder(), cluster.network().path());
    assert!(traces.left().len() > 3, "{:?}", traces.left());
    drop(cluster);
    assert_eq!(traces.left(), Vec::<String>::new());
}

#[test]
fn nothing_is_left_of_a_node_when_its_test_was_killed() {
    if cluster::node().is_none() {
        return;
    }
    let this = env::current_exe().unwrap();
    let test = Program::new(this)
        .args(["--exact", "holds_a_node_until_it_is_killed", "--nocapture"])
        .env(HOLD, "yes")
        .input("")
        .start();
    let line = test.wait_for_line("holds ", UP_WITHIN);
    let words: Vec<_> = line.split("holds ").nth(1).unwrap().split(' ').collect();
    let traces = Traces::of(Path::new(words[0]), Path::new(words[1]));
    assert!(traces.left().len() > 3, "{:?}", traces.left());

    test.signal(Signal::SIGKILL);
    wait::until("the end of all that it held", GONE_WITHIN, || {
        traces.left().is_empty().then_some(())
    });
    test.assert_nothing_left();
}

/// Set where the next test is not to end.
const HOLD: &str = "HOLD_A_NODE";

/// The test that the one before it kills. By itself it does nothing.
#[test]
fn holds_a_node_until_it_is_killed() {
    if env::var_os(HOLD).is_none() {
        return;
    }
    let cluster = Cluster::start_with_node().unwrap();
    start_sleeper(&cluster.kubectl());
    let network = cluster.network();
    println!(
        "holds {} {}",
        cluster.folder().display(),
        network.path().display()
    );
    loop {
        thread::park();
    }
}

/// What a cluster with a node is seen by from outside.
struct Traces {
    folder: PathBuf,
    /// Which PID namespace it is.
    processes: PathBuf,
}

impl Traces {
    /// Those of a cluster that is up; `network` belongs to its first process.
    fn of(folder: &Path, network: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            processes: fs::read_link(network.with_file_name("pid")).unwrap(),
        }
    }

    /// Those that there are now: files, cgroups, mounts, and processes.
    fn left(&self) -> Vec<String> {
        let name = self.folder.file_name().unwrap().to_str().unwrap();
        let mut left = Vec::new();
        if self.folder.exists() {
            left.push(self.folder.display().to_string());
        }
        let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
        let cgroups = hierarchies.map(|hierarchy| hierarchy.path().join(name));
        left.extend(
            cgroups
                .filter(|path| path.exists())
                .map(|path| path.display().to_string()),
        );
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        left.extend(
            mounts
                .lines()
                .filter(|mount| mount.contains(name))
                .map(str::to_owned),
        );
        for process in procfs::process::all_processes().unwrap().flatten() {
            let is_in_it = |file: &str| fs::read_link(format!("/proc/{}/ns/{file}", process.pid));
            if is_in_it("pid").is_ok_and(|namespace| namespace == self.processes) {
                left.push(format!("{:?}", process.cmdline()));
            }
        }
        left
    }
}

fn start_sleeper(kubectl: &cluster::Kubectl) {
    let sleep = [
        "run",
        "sleeper",
        "--image=busybox:1",
        "--restart=Never",
        "--",
        "sleep",
        "3600",
    ];
    wait::until("a pod to be let in", SOON, || kubectl.attempt(sleep).ok());
    wait::until("the pod to run", SOON, || {
        (phase(kubectl, "sleeper") == "Running").then_some(())
    });
}

fn ended(kubectl: &cluster::Kubectl, pod: &str) -> Option<()> {
    ["Succeeded", "Failed"]
        .contains(&&*phase(kubectl, pod))
        .then_some(())
}

fn phase(kubectl: &cluster::Kubectl, pod: &str) -> String {
    kubectl.run(["get", "pod", pod, "--output=jsonpath={.status.phase}"])
}

fn uid(kubectl: &cluster::Kubectl, pod: &str) -> String {
    kubectl.run(["get", "pod", pod, "--output=jsonpath={.metadata.uid}"])
}
