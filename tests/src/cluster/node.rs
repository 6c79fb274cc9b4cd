//! The one node of a cluster: a network, containerd and the kubelet, in namespaces of their own, and an NTP server
//! for its pods.

use std::{
    ffi::OsStr,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::{
    control_plane::{KUBERNETES_SERVICE, daemon},
    images,
    keeper::{Daemon, Keeper},
    programs::NodePrograms,
};

/// The node's name.
pub const NAME: &str = "node";

/// The node's address: pods reach its NTP server here, and what tests let listen.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);

/// The addresses of pods.
const PODS: &str = "10.88.0.0/16";

/// What the programs are called, here and in the names of their logs.
const CONTAINERD: &str = "containerd";
/// See [`CONTAINERD`].
const KUBELET: &str = "kubelet";
/// See [`CONTAINERD`].
const CHRONYD: &str = "chronyd";

/// Where containerd listens, below `/run`, which is the node's own.
const SOCKET: &str = "/run/containerd/containerd.sock";

/// What the node's programs are run with.
pub struct Node<'a> {
    /// Where they are.
    pub programs: &'a NodePrograms,
    /// What runs them.
    pub keeper: &'a Keeper,
}

impl Node<'_> {
    /// A command that runs a program in the node's namespaces, where it ends with the node at the latest.
    pub fn enter(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.keeper.process()))
            .args(["--net", "--mount", "--pid", "--"])
            .arg(program)
            .env("PATH", self.programs.path());
        command
    }

    /// containerd's own client, with the images and containers of the kubelet.
    pub fn ctr(&self) -> Command {
        let mut command = self.enter(self.programs.containerd("ctr"));
        command.args(["--address", SOCKET, "--namespace", "k8s.io"]);
        command
    }

    /// Lets the programs find the libraries that were unpacked with them. A variable would not do: `buildah` runs itself
    /// again without any.
    pub fn make_libraries_known(&self) {
        let mut ldconfig = self.enter("/sbin/ldconfig");
        ldconfig.args(["-X", "-C", "/run/ld.so.cache"]);
        run(ldconfig.args(self.programs.libraries()));
        run(self
            .enter("mount")
            .args(["--bind", "/run/ld.so.cache", "/etc/ld.so.cache"]));
    }

    /// Sets the network up: the node's address, with a default route, which the kubelet wants; and that of the API
    /// server as a service, which so needs nothing that forwards to it.
    pub fn make_network(&self) {
        let commands = [
            "link set lo up".to_owned(),
            format!("address add {KUBERNETES_SERVICE}/32 dev lo"),
            "link add node type bridge".to_owned(),
            format!("address add {ADDRESS}/24 dev node"),
            "link set node up".to_owned(),
            "route add default dev node".to_owned(),
        ];
        for command in commands {
            let mut ip = self.enter(self.programs.unpacked("sbin/ip"));
            run(ip.args(command.split(' ')));
        }
    }

    /// Starts containerd and an NTP server.
    pub fn start(&self) {
        self.keeper.run(self.containerd());
        self.keeper.run(self.chronyd());
    }

    /// Starts the kubelet, which registers the node. It ends at once where containerd does not answer.
    pub fn start_kubelet(&self, kubeconfig: &Path) {
        self.keeper.run(self.kubelet(kubeconfig));
    }

    /// Asks containerd for its version, once it can be asked.
    pub fn containerd_answers(&self) -> Result<String, String> {
        attempt(self.ctr().arg("version"))
    }

    fn containerd(&self) -> Daemon {
        let plugins = self.write("cni/pods.conflist", &network_of_pods().to_string());
        let folder = plugins.parent().unwrap().display();
        let configuration = format!(
            "version = 3
root = '/run/containerd/root'
state = '/run/containerd/state'
[grpc]
address = '{SOCKET}'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{pause}'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['{plugins}']
conf_dir = '{folder}'
",
            pause = images::PAUSE,
            plugins = self.programs.unpacked("usr/lib/cni").display(),
        );
        let path = self.write("containerd.toml", &configuration);
        let arguments = [format!("--config={}", path.display())];
        let mut daemon = daemon(CONTAINERD, self.programs.containerd(CONTAINERD), arguments);
        daemon.environment = vec![("PATH".into(), self.programs.path())];
        daemon
    }

    fn kubelet(&self, kubeconfig: &Path) -> Daemon {
        let resolver = self.write("resolv.conf", &format!("nameserver {ADDRESS}\n"));
        let configuration = json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "0.0.0.0",
            // Who is in this network may ask it: tests alone are.
            "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.keeper.cgroup(),
            "failCgroupV1": false,
            "failSwapOn": false,
            "enforceNodeAllocatable": [],
            // Without the right to change the kernel's settings, it does not insist.
            "featureGates": {"KubeletInUserNamespace": true},
            "oomScoreAdj": 0,
            "localStorageCapacityIsolation": false,
            // However full the machine is, no pod is thrown out for it.
            "evictionHard": {
                "memory.available": "1Mi",
                "nodefs.available": "0.01%",
                "nodefs.inodesFree": "0.01%",
                "imagefs.available": "0.01%",
                "imagefs.inodesFree": "0.01%",
            },
            "imageGCHighThresholdPercent": 100,
            "podLogsDir": "/run/pod-logs",
            // There is no DNS, and no pod's events complain of that.
            "clusterDNS": [ADDRESS],
            "resolvConf": resolver,
        });
        let configuration = self.write("kubelet.json", &configuration.to_string());
        let arguments = [
            format!("--config={}", configuration.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={ADDRESS}"),
            "--root-dir=/run/kubelet".to_owned(),
            "--cert-dir=/run/kubelet/certificates".to_owned(),
        ];
        daemon(KUBELET, self.programs.kubelet(), arguments)
    }

    /// Its clock is the machine's, which it does not touch.
    fn chronyd(&self) -> Daemon {
        let configuration = "local stratum 1\nallow all\ncmdport 0\nbindcmdaddress /\npidfile /run/chronyd.pid\nuser root\n";
        let path = self.write("chrony.conf", configuration);
        let arguments = ["-x", "-d", "-U", "-f"].map(str::to_owned);
        let arguments = arguments.into_iter().chain([path.display().to_string()]);
        daemon(CHRONYD, self.programs.chronyd(), arguments)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.keeper.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

/// A bridge with all pods on it, and the way out of it to the node. Nothing leads out of the node.
fn network_of_pods() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "pods",
            "isGateway": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": "/run/pod-addresses",
            },
        }],
    })
}

/// Runs a command, and gives its output.
///
/// # Panics
/// If it fails; what it complains about is told.
pub fn run(command: &mut Command) -> String {
    attempt(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a command, and gives its output, or what it complains about.
fn attempt(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stdout = text(&output.stdout);
    if output.status.success() {
        return Ok(stdout);
    }
    Err(format!(
        "{}\n{stdout}{}",
        output.status,
        text(&output.stderr)
    ))
}
