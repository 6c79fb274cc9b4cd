//! A run of a test that asks the store in Kubernetes itself, in a namespace of its own, and the two sides' ways to its store.

use std::{future::Future, path::Path, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use rendezvous::{
    Abort, Board, KubernetesStore, Plan, Report, RunId, StageName, Store, StoreError, Write,
    kubernetes::{Owner, Pod},
};
use serde_json::json;

use crate::{
    cluster::{Account, Cluster, Namespace, Proxy, client, config},
    manifests::set_up_for,
};

/// The Job, as the shipped Roles name its ConfigMap.
pub const JOB: &str = "load-test";

/// The ConfigMap with the plans.
pub const CONFIG_MAP: &str = "tminus-load-test";

/// What comes by a watch, on a machine with more to do than it can.
pub const SOON: Duration = Duration::from_secs(20);

/// One run.
pub struct Run {
    /// Where it is.
    pub namespace: Namespace,
    /// Its id, which is the UID of its Job.
    pub id: RunId,
}

impl Run {
    /// One of which nothing is there.
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            namespace: cluster.namespace(),
            id: RunId::random(),
        }
    }

    /// Applies a shipped manifest, changed, to this namespace.
    pub fn apply(&self, manifest: &str, change: impl Fn(String) -> String) {
        let shipped = set_up_for(&self.namespace, manifest);
        self.namespace.kubectl().apply(&change(shipped));
    }

    /// The agents' service account, with the rights of the shipped Role.
    pub fn agent(&self) -> Account {
        self.apply("agent.yaml", |shipped| shipped);
        self.namespace.account("tminus-agent")
    }

    /// The store as a runner sees it, whose pod has this UID.
    pub async fn of_runner(&self, account: &Account, uid: &str) -> KubernetesStore {
        self.of_runner_at(&account.kubeconfig, uid).await
    }

    /// The same by any kubeconfig.
    pub async fn of_runner_at(&self, kubeconfig: &Path, uid: &str) -> KubernetesStore {
        let pod = Pod {
            name: format!("k6-{uid}"),
            uid: uid.to_owned(),
        };
        let config = config(kubeconfig).await;
        KubernetesStore::of_runner(config, self.namespace.name(), JOB, pod).unwrap()
    }

    /// The same through a proxy.
    pub async fn of_runner_through(
        &self,
        cluster: &Cluster,
        proxy: &Proxy,
        account: &Account,
        uid: &str,
    ) -> KubernetesStore {
        let kubeconfig = cluster.kubeconfig_through(proxy, &account.token, self.namespace.name());
        self.of_runner_at(&kubeconfig, uid).await
    }

    /// The store as a scheduler sees it that may do everything.
    pub async fn of_scheduler(&self) -> KubernetesStore {
        self.of_scheduler_at(self.namespace.kubeconfig()).await
    }

    /// The same by any kubeconfig.
    pub async fn of_scheduler_at(&self, kubeconfig: &Path) -> KubernetesStore {
        let client = client(kubeconfig).await;
        KubernetesStore::with_client(client, self.namespace.name(), JOB, Some(self.owner()))
    }

    /// The run's Job.
    pub fn owner(&self) -> Owner {
        Owner {
            name: JOB.to_owned(),
            uid: self.id.to_string(),
        }
    }

    /// A plan of the run with this id.
    pub fn plan(&self, stage: &str, id: &str) -> Plan {
        let text = json!({
            "version": 1, "run": self.id, "stage": stage, "plan": id, "state": "gathering",
            "seconds_left": 30, "runners_wanted": 4
        });
        Plan::from_json(&text.to_string()).unwrap()
    }

    /// A report of the run.
    pub fn report(&self, runner: &str, sequence: u64) -> Report {
        let text = json!({
            "version": 1, "run": self.id, "stage": "main", "runner": runner, "name": "k6-0",
            "incarnation": "first", "sequence": sequence, "phase": "starting",
            "clock": {"utc": "2026-11-25T10:00:00Z", "source": "system"}
        });
        Report::from_json(&text.to_string()).unwrap()
    }

    /// An abort of the run.
    pub fn abort(&self, why: &str) -> Abort {
        Abort::new(self.id.clone(), "a test", why)
    }
}

/// The stage of most tests.
pub fn main_stage() -> StageName {
    "main".parse().unwrap()
}

/// Writes a plan over whatever stands there.
pub async fn put(store: &KubernetesStore, plan: &Plan) {
    loop {
        let board = store.read(&plan.stage).await.unwrap();
        if store.write_plan(plan, &board.revision).await.unwrap() == Write::Done {
            return;
        }
    }
}

/// What comes of it within a limit.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future)
        .await
        .unwrap_or_else(|_| panic!("it has not happened for {limit:?}"))
}

/// What a watch over a plan tells.
pub struct Boards(BoxStream<'static, Result<Board, StoreError>>);

impl Boards {
    /// Those that a store tells from now on.
    pub fn of(store: &KubernetesStore) -> Self {
        Self(store.watch(&main_stage()))
    }

    /// What is told next.
    pub async fn next(&mut self, limit: Duration) -> Result<Board, StoreError> {
        within(limit, self.0.next())
            .await
            .expect("a watch does not end")
    }

    /// The id of the plan that is told next.
    pub async fn plan(&mut self, limit: Duration) -> Option<String> {
        let plan = self.next(limit).await.unwrap().plan.unwrap();
        plan.map(|plan| plan.id.to_string())
    }

    /// Goes on until this plan is told, whatever comes before.
    pub async fn until(&mut self, id: &str, limit: Duration) {
        within(limit, async {
            loop {
                let told = self.0.next().await.expect("a watch does not end");
                let plan = told.ok().and_then(|board| board.plan.ok().flatten());
                if plan.is_some_and(|plan| plan.id.as_str() == id) {
                    return;
                }
            }
        })
        .await;
    }

    /// Nothing is told for so long.
    pub async fn are_silent_for(&mut self, time: Duration) {
        tokio::select! {
            told = self.0.next() => panic!("{told:?}"),
            () = tokio::time::sleep(time) => {}
        }
    }
}
