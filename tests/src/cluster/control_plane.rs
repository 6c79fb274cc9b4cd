//! The programs of the control plane, and what they are told.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{keeper::Daemon, programs::Programs};

/// What the programs are called, here and in the names of their logs.
pub const ETCD: &str = "etcd";
/// See [`ETCD`].
pub const API_SERVER: &str = "kube-apiserver";
/// See [`ETCD`].
pub const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// See [`ETCD`].
pub const SCHEDULER: &str = "kube-scheduler";

/// The token of the user who may do everything.
pub const ADMIN_TOKEN: &str = "admin-of-the-test-cluster";

/// The addresses of services; the first is that of the API server.
const SERVICES: &str = "10.96.0.0/24";
/// See [`SERVICES`].
pub const KUBERNETES_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Which user does which request to what, each once when it was answered (a watch: when it began), and once when
/// it was over.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// Where the API server listens.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// On a port of this machine's loopback, without a node.
    Loopback(u16),
    /// In a network of its own, on a node of this address.
    Node(Ipv4Addr),
}

impl Place {
    /// The address that it is reached at from the network that it is in.
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Loopback(port) => (Ipv4Addr::LOCALHOST, port).into(),
            Self::Node(_) => (KUBERNETES_SERVICE, 443).into(),
        }
    }
}

/// The files of a control plane, all in one folder.
pub struct Files<'a> {
    folder: &'a Path,
}

impl<'a> Files<'a> {
    /// Those in a folder where they have been written.
    pub fn of(folder: &'a Path) -> Self {
        Self { folder }
    }

    /// Writes what the programs read.
    pub fn write(folder: &'a Path) -> Self {
        let files = Self::of(folder);
        let tokens = format!("{ADMIN_TOKEN},admin,admin,system:masters\n");
        fs::write(files.tokens(), tokens).unwrap();
        fs::write(files.audit_policy(), AUDIT_POLICY).unwrap();
        files
    }

    /// What certifies the API server: a certificate of its own that it makes at its first start.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("certificates/apiserver.crt")
    }

    /// A line of JSON for each request.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    fn audit_policy(&self) -> PathBuf {
        self.folder.join("audit-policy.yaml")
    }

    /// The key of the certificate, made with it. It signs the tokens of service accounts as well: it is there before
    /// the API server looks for that one.
    pub fn key(&self) -> PathBuf {
        self.certificate().with_extension("key")
    }
}

/// Where etcd listens, and would for its peers: sockets in the folder that it and the API server run in, which take
/// no port. etcd wants their names to look like a host and a port.
const ETCD_SOCKET: &str = "unix://etcd:1";
/// See [`ETCD_SOCKET`].
const ETCD_PEERS: &str = "unix://etcd:2";

/// etcd, of one member.
pub fn etcd(programs: &Programs, files: &Files<'_>) -> Daemon {
    daemon(
        ETCD,
        programs.etcd(),
        [
            format!("--data-dir={}/etcd", files.folder.display()),
            format!("--listen-client-urls={ETCD_SOCKET}"),
            format!("--advertise-client-urls={ETCD_SOCKET}"),
            format!("--listen-peer-urls={ETCD_PEERS}"),
            format!("--initial-advertise-peer-urls={ETCD_PEERS}"),
            format!("--initial-cluster=default={ETCD_PEERS}"),
        ],
    )
}

/// The API server, with roles, and one token from a file.
pub fn api_server(programs: &Programs, files: &Files<'_>, place: Place) -> Daemon {
    let key = files.key().display().to_string();
    let mut arguments = vec![
        format!("--etcd-servers={ETCD_SOCKET}"),
        format!("--cert-dir={}/certificates", files.folder.display()),
        format!("--token-auth-file={}", files.tokens().display()),
        format!("--audit-policy-file={}", files.audit_policy().display()),
        format!("--audit-log-path={}", files.audit_log().display()),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={key}"),
        format!("--service-account-signing-key-file={key}"),
        format!("--service-cluster-ip-range={SERVICES}"),
    ];
    arguments.extend(match place {
        Place::Loopback(port) => vec![
            "--authorization-mode=RBAC".to_owned(),
            format!("--secure-port={port}"),
            format!("--bind-address={}", Ipv4Addr::LOCALHOST),
            // A loopback address may not be an endpoint of the kubernetes service.
            "--endpoint-reconciler-type=none".into(),
            // A pod may be made before the controllers have made its namespace's service account, or without them.
            "--disable-admission-plugins=ServiceAccount".into(),
        ],
        Place::Node(address) => vec![
            "--authorization-mode=Node,RBAC".to_owned(),
            "--secure-port=443".into(),
            format!("--advertise-address={address}"),
            // It cannot look the node's name up.
            "--kubelet-preferred-address-types=InternalIP".into(),
        ],
    });
    daemon(API_SERVER, programs.kubernetes(API_SERVER), arguments)
}

/// All controllers: Jobs, garbage collection, namespaces, service accounts…
pub fn controller_manager(programs: &Programs, files: &Files<'_>, kubeconfig: &Path) -> Daemon {
    daemon(
        CONTROLLER_MANAGER,
        programs.kubernetes(CONTROLLER_MANAGER),
        [
            format!("--kubeconfig={}", kubeconfig.display()),
            format!(
                "--service-account-private-key-file={}",
                files.key().display()
            ),
            // What pods verify the API server with.
            format!("--root-ca-file={}", files.certificate().display()),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
            // The usual 20 a second would hold up a thousand pods.
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=1000".into(),
        ],
    )
}

/// What assigns pods to the node.
pub fn scheduler(programs: &Programs, kubeconfig: &Path) -> Daemon {
    daemon(
        SCHEDULER,
        programs.kubernetes(SCHEDULER),
        [
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
        ],
    )
}

/// A program with an environment like the keeper's.
pub fn daemon(name: &str, program: PathBuf, arguments: impl IntoIterator<Item = String>) -> Daemon {
    Daemon {
        name: name.into(),
        program,
        arguments: arguments.into_iter().collect(),
        environment: Vec::new(),
    }
}

/// A file that lets its holder speak to an API server as whom the token stands for.
pub fn kubeconfig(server: &str, certificate: &Path, token: &str, namespace: &str) -> String {
    let certificate = certificate.display();
    format!(
        "apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster: {{server: '{server}', certificate-authority: '{certificate}'}}
users:
- name: test
  user: {{token: '{token}'}}
contexts:
- name: test
  context: {{cluster: test, user: test, namespace: '{namespace}'}}
"
    )
}

/// A port of loopback that is free, and that stays so while nothing listens there: below those that the kernel
/// gives to whoever asks for any.
pub fn free_port() -> u16 {
    let is_free =
        |port| std::net::TcpListener::bind((IpAddr::from(Ipv4Addr::LOCALHOST), port)).is_ok();
    (0..100)
        .map(|_| PORTS.start + (uuid::Uuid::new_v4().as_u128() % PORTS.len() as u128) as u16)
        .find(|port| is_free(*port))
        .expect("a free port")
}

/// Above those of well-known services, and below 32,768, where those that the kernel picks begin.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
