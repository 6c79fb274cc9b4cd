//! What a runner is open to, and what it may.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rendezvous::Phase;
use support::{
    cluster::{self, Kubectl},
    load_test::{LoadTest, MAIN, PODS_WITHIN, RunnerProcess},
    wait,
};

/// A pod with a shell, beside the runner.
const NEIGHBOUR: &str = "
apiVersion: v1
kind: Pod
metadata: {name: neighbour}
spec:
  restartPolicy: Never
  securityContext: {runAsNonRoot: true, runAsUser: 12345, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: shell
    image: busybox:1
    command: [sleep, '3600']
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

/// On a bridge of one machine a connection is made or refused at once; one that is dropped would take this long.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn no_port_of_a_runner_can_be_reached_from_another_pod() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 1, "1s", &[]).without_warmup();
    load_test.apply();
    let kubectl = load_test.kubectl();
    kubectl.apply(NEIGHBOUR);
    let pod = load_test.pods().wait_for_phase(0, MAIN, Phase::Ready);
    wait::until("the neighbour to run", PODS_WITHIN, || {
        kubectl.attempt(["exec", "neighbour", "--", "true"]).ok()
    });
    let processes = RunnerProcess::all_of(&pod.uid);
    let names: BTreeSet<_> = processes.iter().map(|process| &*process.name).collect();
    assert_eq!(names, BTreeSet::from(["k6", "tminus-agent"]));

    let listening = processes[0].listening();
    assert!(!listening.is_empty(), "k6 has an API");
    assert!(
        listening.iter().all(|address| address.ip().is_loopback()),
        "{listening:?}"
    );
    // A runner may be ready before its kubelet has told its pod's address.
    let address = load_test.pods().wait_for("the pod's address", |pods| {
        pods.iter().find_map(|pod| pod.address().map(str::to_owned))
    });
    for local in listening {
        assert!(!reaches(&kubectl, &address, local.port()), "{local}");
    }
    let target: SocketAddr = load_test.target().url()["http://".len()..].parse().unwrap();
    assert!(
        reaches(&kubectl, &target.ip().to_string(), target.port()),
        "the neighbour reaches what it can"
    );

    let open = cluster.network().run(|| {
        let ports = 1..=u16::MAX;
        let address = address.parse().unwrap();
        let is_open = |port: &u16| {
            TcpStream::connect_timeout(&SocketAddr::new(address, *port), CONNECTED_WITHIN).is_ok()
        };
        ports.filter(is_open).collect::<Vec<_>>()
    });
    assert_eq!(open, Vec::<u16>::new());
}

fn reaches(neighbour: &Kubectl, address: &str, port: u16) -> bool {
    let port = port.to_string();
    let connect = [
        "exec",
        "neighbour",
        "--",
        "nc",
        "-w",
        "2",
        address,
        &port,
        "-e",
        "/bin/true",
    ];
    neighbour.attempt(connect).is_ok()
}

#[test]
fn a_runner_is_nobody_and_may_nothing() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 1, "1s", &[]).without_warmup();
    load_test.apply();
    let pod = load_test.pods().wait_for_phase(0, MAIN, Phase::Ready);
    for process in RunnerProcess::all_of(&pod.uid) {
        let status = process.status();
        let (name, user) = (
            &process.name,
            [status.ruid, status.euid, status.suid, status.fuid],
        );
        assert_eq!(user, [12345; 4], "{name}");
        assert_eq!(
            (status.capeff, status.capprm, status.capbnd),
            (0, 0, Some(0)),
            "{name}"
        );
        // Filtered system calls, and no way to more rights.
        assert_eq!(
            (status.seccomp, status.nonewprivs),
            (Some(2), Some(1)),
            "{name}"
        );
    }
}
