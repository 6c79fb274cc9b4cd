//! A run on a cluster without a node: what its agents and its scheduler reach it by, and its plans.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use rendezvous::{
    KubernetesStore, Plan, PlanId, PlanState, RunId, StageName, Terms,
    kubernetes::{Owner, Pod},
};
use support::{
    cluster::{Account, Cluster},
    load_test::{JOB, MAIN},
    manifests::Manifests,
    moment::Moment,
};

/// What the manifests call who the agents are.
const AGENTS: &str = "tminus-agent";

/// How far ahead an instant is: nobody counts down to it here.
const LEAD: Duration = Duration::from_secs(3600);

/// A run of the Job that is shipped, with the rights that are shipped.
pub struct Run {
    pub id: RunId,
    pub stage: StageName,
    manifests: Manifests,
    agents: Account,
}

impl Run {
    pub fn new(cluster: &Cluster) -> Self {
        let manifests = Manifests::copied(cluster);
        manifests.apply();
        let uid = ["get", "job", JOB, "--output=jsonpath={.metadata.uid}"];
        Self {
            id: RunId::new(manifests.namespace.kubectl().run(uid)).unwrap(),
            stage: StageName::new(MAIN).unwrap(),
            agents: manifests.namespace.account(AGENTS),
            manifests,
        }
    }

    /// What an audit log calls the agents.
    pub fn username(&self) -> String {
        format!("system:serviceaccount:{}:{AGENTS}", self.namespace())
    }

    /// How an agent reaches the API server.
    pub async fn config_of_agents(&self) -> Config {
        config(&self.agents.kubeconfig).await
    }

    /// The store as an agent in this pod has it, with connections of its own.
    pub fn of_agent(&self, config: Config, pod: Pod) -> KubernetesStore {
        KubernetesStore::of_runner(config, self.namespace(), JOB, pod).unwrap()
    }

    /// The store as a scheduler has it that may do everything.
    pub async fn of_scheduler(&self) -> KubernetesStore {
        let config = config(self.manifests.namespace.kubeconfig()).await;
        let owner = Owner {
            name: JOB.to_owned(),
            uid: self.id.to_string(),
        };
        let client = Client::try_from(config).unwrap();
        KubernetesStore::with_client(client, self.namespace(), JOB, Some(owner))
    }

    /// A plan that waits for so many runners.
    pub fn gathering(&self, runners: u32) -> Plan {
        let left = LEAD;
        self.plan(runners, PlanState::Gathering { left })
    }

    /// A plan for so many runners whose instant is set. Each is another plan.
    pub fn set(&self, runners: u32) -> Plan {
        let state = PlanState::Set {
            start_at: Moment::now().utc + LEAD,
            quorum: runners,
        };
        self.plan(runners, state)
    }

    fn plan(&self, runners_wanted: u32, state: PlanState) -> Plan {
        Plan {
            run: self.id.clone(),
            stage: self.stage.clone(),
            id: PlanId::random(),
            state,
            runners_wanted,
            terms: Terms::default(),
        }
    }

    fn namespace(&self) -> &str {
        self.manifests.namespace.name()
    }
}

async fn config(kubeconfig: &Path) -> Config {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    config.default_retry = false;
    config
}
