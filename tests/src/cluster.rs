//! Real Kubernetes, brought up by the tests and gone with them.
//!
//! Most tests need no node, only etcd, the API server and perhaps the controllers: they share the cluster of [`api`],
//! and each has a [`Namespace`] of its own in it. A test that stops the API server brings one up for itself, with
//! [`Cluster::start`], which takes some three seconds. Tests of pods that run share the cluster of [`node`].
//!
//! Where the programs are not there (or, for a node, the test does not run as root), there is no cluster, and the test
//! is skipped; that says so, and fails in CI.

mod client;
mod control_plane;
mod images;
pub mod keeper;
mod kubectl;
mod namespace;
mod network;
mod node;
mod programs;
mod proxy;
mod requests;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Once, OnceLock},
    time::Duration,
};

use nix::sys::signal::Signal;

use control_plane::{ADMIN_TOKEN, API_SERVER, Files, Place};
use keeper::Keeper;
use namespace::Access;
use node::Node;
use programs::{NodePrograms, Programs};

pub use client::{client, config};
pub use images::{
    AGENT as AGENT_IMAGE, BUSYBOX as BUSYBOX_IMAGE, PLAIN_K6 as PLAIN_K6_IMAGE,
    SCHEDULER as SCHEDULER_IMAGE,
};
pub use kubectl::Kubectl;
pub use namespace::{Account, Namespace};
pub use network::Network;
pub use node::{ADDRESS as NODE_ADDRESS, NAME as NODE_NAME};
pub use proxy::Proxy;
pub use requests::{Object, Request, User};

use crate::{process::Program, wait};

/// How long the API server may take until it is ready: two seconds, or far longer when other programs keep the
/// machine busy. The node's parts may take as long.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// The cluster that the tests of one binary share: an API server, with no controllers and no node.
pub fn api() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(Cluster::start).as_ref()
}

/// The same cluster, with controllers: there are Jobs that make pods, and what has lost its owner goes.
pub fn controllers() -> Option<&'static Cluster> {
    static STARTED: Once = Once::new();
    let cluster = api()?;
    STARTED.call_once(|| cluster.start_controllers());
    Some(cluster)
}

/// The cluster with a node that the tests of one binary share: pods run there.
pub fn node() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(Cluster::start_with_node).as_ref()
}

/// A cluster. Dropping it leaves nothing of it behind.
pub struct Cluster {
    programs: Programs,
    place: Place,
    access: Arc<Access>,
    kubeconfig: PathBuf,
    node: Option<NodeParts>,
    // The last: what uses it goes before it.
    keeper: Keeper,
}

struct NodeParts {
    programs: NodePrograms,
    /// Leads from this machine's loopback to the API server in the node's network.
    entrance: Proxy,
}

impl Cluster {
    /// Brings one up that is not shared: etcd and an API server.
    pub fn start() -> Option<Self> {
        let programs = Programs::find()?;
        let keeper = Keeper::start(false);
        let place = Place::Loopback(control_plane::free_port());
        Some(Self::bring_up(programs, keeper, place, None))
    }

    /// Brings one up that is not shared, with all of Kubernetes, a node, and images for its pods.
    pub fn start_with_node() -> Option<Self> {
        let programs = Programs::find()?;
        let of_node = NodePrograms::find()?;
        let keeper = Keeper::start(true);
        let node = Node {
            programs: &of_node,
            keeper: &keeper,
        };
        node.make_libraries_known();
        node.make_network();
        let place = Place::Node(node::ADDRESS);
        let parts = NodeParts {
            entrance: Proxy::into_network(place.address(), Network::of(keeper.process())),
            programs: of_node,
        };
        let cluster = Self::bring_up(programs, keeper, place, Some(parts));
        cluster.start_node();
        Some(cluster)
    }

    fn bring_up(programs: Programs, keeper: Keeper, place: Place, node: Option<NodeParts>) -> Self {
        let files = Files::write(keeper.folder());
        keeper.run(control_plane::etcd(&programs, &files));
        keeper.run(control_plane::api_server(&programs, &files, place));
        wait::until("the API server's certificate", READY_WITHIN, || {
            keeper.assert_all_run();
            // It is written after the certificate.
            files.key().exists().then_some(())
        });
        let folder = keeper.folder().join("kubeconfigs");
        fs::create_dir(&folder).unwrap();
        let server = match &node {
            None => format!("https://{}", place.address()),
            Some(node) => url_of(&node.entrance, place),
        };
        let access = Arc::new(Access {
            folder,
            server,
            certificate: files.certificate(),
            kubectl: programs.kubectl(),
        });
        let cluster = Self {
            kubeconfig: access.kubeconfig(ADMIN_TOKEN, "default"),
            programs,
            place,
            access,
            node,
            keeper,
        };
        cluster.wait_for_api();
        cluster
    }

    fn start_node(&self) {
        let kubeconfig = self.kubeconfig_inside();
        let node = self.node();
        node.start();
        let controllers =
            control_plane::controller_manager(&self.programs, &self.files(), &kubeconfig);
        self.keeper.run(controllers);
        self.keeper
            .run(control_plane::scheduler(&self.programs, &kubeconfig));
        self.wait_for("containerd", || node.containerd_answers());
        node.start_kubelet(&kubeconfig);
        images::build(&node);
        let kubectl = self.kubectl();
        self.wait_for("the node to be ready", || {
            let ready = [
                "wait",
                "node",
                NODE_NAME,
                "--for=condition=Ready",
                "--timeout=1s",
            ];
            kubectl.attempt(ready)
        });
    }

    /// Adds [`PLAIN_K6_IMAGE`] to the images for pods.
    ///
    /// # Panics
    /// Without a node.
    pub fn add_plain_k6(&self) {
        images::build_plain_k6(&self.node());
    }

    /// Starts all of Kubernetes's controllers.
    pub fn start_controllers(&self) {
        let files = self.files();
        let daemon = control_plane::controller_manager(&self.programs, &files, &self.kubeconfig);
        self.keeper.run(daemon);
    }

    /// The folder that all its files are in. It goes with the cluster.
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// For one who may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl with that.
    pub fn kubectl(&self) -> Kubectl {
        self.access.kubectl(&self.kubeconfig)
    }

    /// kubectl as the holder of a kubeconfig.
    pub fn kubectl_with(&self, kubeconfig: &Path) -> Kubectl {
        self.access.kubectl(kubeconfig)
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.access.server
    }

    /// What certifies the API server, in PEM.
    pub fn certificate(&self) -> &Path {
        &self.access.certificate
    }

    /// A new namespace.
    pub fn namespace(&self) -> Namespace {
        let namespace = Namespace::new(&self.access, &self.kubectl());
        if self.node.is_some() {
            // No pod is let in before.
            let kubectl = namespace.kubectl();
            self.wait_for("the service account of a new namespace", || {
                kubectl.attempt(["get", "serviceaccount", "default"])
            });
        }
        namespace
    }

    /// The node's network: what listens at [`NODE_ADDRESS`] in it can be reached by pods, and pods by what runs in it.
    ///
    /// # Panics
    /// Without a node.
    pub fn network(&self) -> Network {
        assert!(self.node.is_some(), "this cluster has no node");
        Network::of(self.keeper.process())
    }

    /// A program that runs in the node's network.
    ///
    /// # Panics
    /// Without a node.
    pub fn program(&self, path: impl AsRef<OsStr>) -> Program {
        let network = self.network().path().to_owned();
        let option = format!("--net={}", network.display());
        Program::new("nsenter").args([option.as_ref(), OsStr::new("--"), path.as_ref()])
    }

    /// A kubeconfig for what runs in the node's network, for one who may do everything.
    pub fn kubeconfig_inside(&self) -> PathBuf {
        let server = format!("https://{}", self.place.address());
        self.access.kubeconfig_at(&server, ADMIN_TOKEN, "default")
    }

    /// Kills what keeps a pod's namespaces, as the loss of its sandbox does.
    ///
    /// # Panics
    /// If there is no such pod on the node.
    pub fn lose_sandbox(&self, pod_uid: &str) {
        let filter = format!(
            "labels.\"io.kubernetes.pod.uid\"=={pod_uid},labels.\"io.cri-containerd.kind\"==sandbox"
        );
        let node = self.node();
        let found = node::run(node.ctr().args(["containers", "list", "--quiet", &filter]));
        let sandbox = found.trim();
        assert!(!sandbox.is_empty(), "no sandbox of pod {pod_uid}");
        node::run(
            node.ctr()
                .args(["tasks", "kill", "--signal=SIGKILL", sandbox]),
        );
    }

    /// A proxy in front of the API server; [`kubeconfig_through`](Self::kubeconfig_through) leads through it.
    pub fn proxy(&self) -> Proxy {
        match &self.node {
            None => Proxy::to(self.place.address()),
            Some(_) => Proxy::into_network(self.place.address(), self.network()),
        }
    }

    /// A kubeconfig for the holder of a token that leads through a proxy.
    pub fn kubeconfig_through(&self, proxy: &Proxy, token: &str, namespace: &str) -> PathBuf {
        let server = url_of(proxy, self.place);
        self.access.kubeconfig_at(&server, token, namespace)
    }

    /// All requests to the API server so far.
    pub fn requests(&self) -> Vec<Request> {
        requests::read(&self.files().audit_log())
    }

    /// Ends the API server at once, as a crash does.
    pub fn kill_api(&self) {
        self.keeper.kill(API_SERVER);
    }

    /// Starts it again, where it was and with what it knew, and returns when it is ready.
    pub fn start_api(&self) {
        let files = self.files();
        let daemon = control_plane::api_server(&self.programs, &files, self.place);
        self.keeper.run(daemon);
        self.wait_for_api();
    }

    /// Makes the API server stop doing anything, with all its connections open.
    pub fn freeze_api(&self) {
        self.keeper.signal(API_SERVER, Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw_api(&self) {
        self.keeper.signal(API_SERVER, Signal::SIGCONT);
    }

    fn files(&self) -> Files<'_> {
        Files::of(self.keeper.folder())
    }

    fn node(&self) -> Node<'_> {
        let node = self.node.as_ref().expect("this cluster has no node");
        Node {
            programs: &node.programs,
            keeper: &self.keeper,
        }
    }

    fn wait_for_api(&self) {
        let kubectl = self.kubectl();
        self.wait_for("the API server to be ready", || {
            let asked = kubectl.attempt(["get", "--raw", "/readyz"]);
            asked.map_err(|answer| what_is_not_ready(&answer))
        });
    }

    fn wait_for(&self, what: &str, attempt: impl Fn() -> Result<String, String>) {
        wait::until_ok(what, READY_WITHIN, || {
            self.keeper.assert_all_run();
            attempt()
        });
    }
}

/// Of the API server's list of what is ready (`[+]`) and what is not (`[-]`), what is not.
fn what_is_not_ready(answer: &str) -> String {
    let lines = answer.lines().filter(|line| !line.starts_with("[+]"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the API server is reached through a proxy: on loopback, by what its certificate calls that.
fn url_of(proxy: &Proxy, place: Place) -> String {
    let port = proxy.address().port();
    match place {
        Place::Loopback(_) => format!("https://127.0.0.1:{port}"),
        Place::Node(_) => format!("https://localhost:{port}"),
    }
}
