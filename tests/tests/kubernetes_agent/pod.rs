//! A run in a namespace of its own, and containers of its pods, without a node: each container is a process that has
//! the files, the shared memory and the variables that a kubelet gives it, in a mount namespace of its own.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use chrono::{DateTime, Utc};
use nix::unistd::geteuid;
use rendezvous::{
    Abort, KubernetesStore, Phase, Plan, PlanId, PlanState, Report, RunId, RunnerId, StageName,
    Store, Terms, Write,
};
use serde_json::json;
use support::{
    cluster::{self, Account, Cluster, Namespace, Request},
    manifests::set_up_for,
    moment::Moment,
    process::{Exit, Program, Running},
    programs,
    runner::SOON,
    scratch::Scratch,
    wait,
};
use tokio::runtime::{self, Runtime};

/// The Job, as the shipped Role names its ConfigMap.
pub const JOB: &str = "load-test";

/// The ConfigMap with the plan.
pub const CONFIG_MAP: &str = "tminus-load-test";

/// What a kubelet mounts, and then what it starts. `/var/run` is `/run` on every distribution.
const MOUNT_AND_START: &str = r#"
set -e
mount -t tmpfs none "$POD/dev"
for device in null zero full random urandom; do
    : >"$POD/dev/$device"
    mount --bind "/dev/$device" "$POD/dev/$device"
done
mkdir "$POD/dev/shm"
if [ -d "$POD/shm" ]; then mount --bind "$POD/shm" "$POD/dev/shm"; else rmdir "$POD/dev/shm"; fi
: >"$POD/dev/termination-log"
mount --bind "$POD/termination-log" "$POD/dev/termination-log"
mount --rbind "$POD/dev" /dev
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
mount --bind "$POD/serviceaccount" /run/secrets/kubernetes.io/serviceaccount
exec "$0" "$@"
"#;

/// One run, with the stage `main`.
pub struct Run {
    pub namespace: Namespace,
    /// How many runners its plans want.
    pub runners: u32,
    id: RunId,
    plan: RefCell<PlanId>,
    server: SocketAddr,
    certificate: PathBuf,
    /// What the scheduler does is done by one who may do everything.
    store: KubernetesStore,
    runtime: Runtime,
    scratch: Scratch,
}

impl Run {
    /// A run whose pods have the rights that the shipped Role gives them.
    pub fn new(cluster: &Cluster) -> Self {
        let run = Self::without_rights(cluster);
        run.grant(|shipped| shipped);
        run
    }

    /// A run whose pods may do nothing.
    pub fn without_rights(cluster: &Cluster) -> Self {
        let namespace = cluster.namespace();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let store = runtime.block_on(async {
            let client = cluster::client(namespace.kubeconfig()).await;
            KubernetesStore::with_client(client, namespace.name(), JOB, None)
        });
        Self {
            runners: 1,
            id: RunId::random(),
            plan: RefCell::new(PlanId::random()),
            server: address(cluster.server()),
            certificate: cluster.certificate().to_owned(),
            store,
            runtime,
            scratch: Scratch::new(),
            namespace,
        }
    }

    /// Gives the pods the rights of the shipped manifest, changed.
    pub fn grant(&self, change: impl Fn(String) -> String) {
        let shipped = set_up_for(&self.namespace, "agent.yaml");
        self.namespace.kubectl().apply(&change(shipped));
    }

    /// A pod of this name, which no kubelet will ever run.
    pub fn pod(&self, name: &str) -> Pod<'_> {
        let manifest = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "k6"}},
            "spec": {"containers": [{"name": "main", "image": "none"}]},
        });
        let kubectl = self.namespace.kubectl();
        kubectl.with_input(["create", "--filename", "-"], &manifest.to_string());
        let pod = kubectl.json(["get", "pod", name]);
        let uid = pod["metadata"]["uid"].as_str().unwrap();

        let folder = self.scratch.path().join(name);
        for part in ["dev", "shm", "serviceaccount"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let Account { token, .. } = self.namespace.account("tminus-agent");
        let files = folder.join("serviceaccount");
        fs::write(files.join("token"), token).unwrap();
        fs::write(files.join("namespace"), self.namespace.name()).unwrap();
        fs::copy(&self.certificate, files.join("ca.crt")).unwrap();
        Pod {
            run: self,
            name: name.to_owned(),
            uid: RunnerId::new(uid).unwrap(),
            folder,
        }
    }

    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The stage's plan in this state.
    pub fn write(&self, state: PlanState) {
        let plan = Plan {
            run: self.id.clone(),
            stage: stage(),
            id: self.plan.borrow().clone(),
            state,
            runners_wanted: self.runners,
            terms: Terms::default(),
        };
        self.runtime.block_on(async {
            let board = self.store.read(&plan.stage).await.unwrap();
            let written = self.store.write_plan(&plan, &board.revision).await.unwrap();
            assert_eq!(written, Write::Done);
        });
    }

    /// Says that the scheduler gathers.
    pub fn gather(&self) {
        self.write(PlanState::Gathering {
            left: Duration::from_secs(600),
        });
    }

    /// Sets the instant to so much later than now, and gives it.
    pub fn set_in(&self, lead: Duration) -> DateTime<Utc> {
        let start_at = Moment::now().utc + lead;
        self.write(PlanState::Set {
            start_at,
            quorum: self.runners,
        });
        start_at
    }

    /// The same with a plan of another id, as a scheduler has that knows nothing of the first.
    pub fn set_anew_in(&self, lead: Duration) -> DateTime<Utc> {
        self.plan.replace(PlanId::random());
        self.set_in(lead)
    }

    /// The requests of its pods so far that the API server has answered.
    pub fn requests(&self, cluster: &Cluster) -> Vec<Request> {
        let account = format!(
            "system:serviceaccount:{}:tminus-agent",
            self.namespace.name()
        );
        let mut requests = cluster.requests();
        requests.retain(|request| request.user.username == account);
        requests
    }

    /// Aborts it.
    pub fn abort(&self) {
        let abort = Abort::new(self.id.clone(), "the test", "enough");
        self.runtime
            .block_on(self.store.write_abort(&abort))
            .unwrap();
    }

    /// Deletes the ConfigMap.
    pub fn delete_plan(&self) {
        let kubectl = self.namespace.kubectl();
        kubectl.run(["delete", "configmap", CONFIG_MAP]);
    }
}

/// One pod.
pub struct Pod<'a> {
    run: &'a Run,
    pub name: String,
    uid: RunnerId,
    folder: PathBuf,
}

impl Pod<'_> {
    /// Its container, as the shipped manifest has it.
    pub fn container(&self) -> Container<'_> {
        let (server, stage) = (self.run.server, stage());
        let variables = [
            ("POD", self.folder.to_str().unwrap()),
            ("KUBERNETES_SERVICE_HOST", &server.ip().to_string()),
            ("KUBERNETES_SERVICE_PORT", &server.port().to_string()),
            ("TMINUS_STAGE", stage.as_str()),
            ("TMINUS_CONTAINER", "main"),
            ("TMINUS_STORE", &format!("kubernetes:{JOB}")),
            ("TMINUS_RUN", self.run.id.as_str()),
            ("TMINUS_RUNNER", self.uid.as_str()),
            ("TMINUS_NAME", &self.name),
            ("TMINUS_NODE", "node-1"),
            // There is none. Nobody may go through it.
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
            ("HTTP_PROXY", "http://127.0.0.1:9"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Container {
            pod: self,
            variables: BTreeMap::from(variables),
        }
    }

    /// Takes its shared memory away.
    pub fn without_shared_memory(self) -> Self {
        fs::remove_dir_all(self.folder.join("shm")).unwrap();
        self
    }

    /// Takes its service account's files away, as `automountServiceAccountToken: false` does.
    pub fn without_service_account(self) -> Self {
        let files = self.folder.join("serviceaccount");
        fs::remove_dir_all(&files).unwrap();
        fs::create_dir(files).unwrap();
        self
    }

    /// What is in its shared memory.
    pub fn shared_memory(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("shm")).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        entries.map(|entry| name(entry.unwrap())).collect()
    }

    /// What its last container left for `kubectl describe pod`.
    pub fn termination_message(&self) -> String {
        fs::read_to_string(self.folder.join("termination-log")).unwrap()
    }

    /// Its report, if it has published one.
    pub fn report(&self) -> Option<Report> {
        let run = self.run;
        let stage = stage();
        let read = run.store.read_report(&stage, &self.uid);
        run.runtime.block_on(read).unwrap().unwrap()
    }

    /// Waits until its report is as it should be.
    ///
    /// # Panics
    /// If it is not soon.
    pub fn wait_for_report(&self, what: &str, is_it: impl Fn(&Report) -> bool) -> Report {
        wait::until(what, SOON, || self.report().filter(&is_it))
    }

    /// Waits until its report says this phase.
    ///
    /// # Panics
    /// If it does not soon.
    pub fn wait_for(&self, phase: Phase) -> Report {
        self.wait_for_report(&format!("the phase {phase}"), |it| it.phase == phase)
    }

    /// Deletes its Lease.
    pub fn delete_report(&self) {
        let name = format!("tminus-{}-{}", self.uid, stage());
        self.run.namespace.kubectl().run(["delete", "lease", &name]);
    }
}

/// A container that is about to be started.
pub struct Container<'a> {
    pod: &'a Pod<'a>,
    variables: BTreeMap<String, String>,
}

impl Container<'_> {
    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a variable out.
    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(name).unwrap();
        self
    }

    /// Lets it reach the API server at another address.
    pub fn through(self, address: SocketAddr) -> Self {
        self.env("KUBERNETES_SERVICE_HOST", address.ip().to_string())
            .env("KUBERNETES_SERVICE_PORT", address.port().to_string())
    }

    /// Starts it with this command for k6. Its termination message is empty then.
    pub fn start(self, command: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Running {
        fs::write(self.pod.folder.join("termination-log"), "").unwrap();
        let user: &[&str] = match geteuid().is_root() {
            true => &[],
            false => &["--user", "--map-root-user"],
        };
        let program = Program::new("unshare")
            .args(user)
            .args(["--mount", "/bin/sh", "-c", MOUNT_AND_START])
            .args([programs::agent()])
            .args(["--"])
            .args(command)
            .current_dir(&self.pod.folder);
        let variables = self.variables.into_iter();
        variables
            .fold(program, |program, (name, value)| program.env(&name, value))
            .start()
    }
}

/// Waits for the end of a container that leaves nothing behind, with this code.
///
/// # Panics
/// If it ends with another, or leaves anything.
pub fn ended(process: &Running, code: i32) -> Exit {
    let exit = process.wait(SOON * 2);
    assert_eq!(exit.code, Some(code), "{}", process.stderr());
    process.assert_nothing_left();
    exit
}

/// The stage that all do.
pub fn stage() -> StageName {
    StageName::new("main").unwrap()
}

/// A command for the real k6, with a script of the tests' own.
pub fn k6_run(k6: &std::path::Path, script: &str) -> Vec<OsString> {
    support::runner::k6_run(k6, &[], script)
}

fn address(server: &str) -> SocketAddr {
    server.strip_prefix("https://").unwrap().parse().unwrap()
}
