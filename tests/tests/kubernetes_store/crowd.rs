//! Two hundred runners of one run, each with connections of its own.

use std::{sync::Arc, time::Duration};

use rendezvous::KubernetesStore;
use support::{
    cluster::Cluster,
    store_run::{Boards, Run, put, within},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

const RUNNERS: usize = 200;

/// How long the API server is away.
const AWAY: Duration = Duration::from_secs(60);

/// A mounted ConfigMap takes a minute. Here it takes some hundredths of a second, and longer on a busy machine.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// A runner asks again after 5 s at the most, and is refused a few times; the rest is a busy machine.
const FOUND_AGAIN_WITHIN: Duration = Duration::from_secs(30);

/// Lets the agents have next to nothing of the API server, and refuses what is too much.
const TINY: &str = "
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: tiny}
spec:
  type: Limited
  limited: {nominalConcurrencyShares: 1, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: {type: Reject}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: agents}
spec:
  priorityLevelConfiguration: {name: tiny}
  matchingPrecedence: 100
  rules:
  - subjects: [{kind: ServiceAccount, serviceAccount: {name: tminus-agent, namespace: NAMESPACE}}]
    resourceRules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*']}]
";

/// What each of them was told last, and when.
struct Crowd(Vec<watch::Receiver<(Option<String>, Instant)>>);

impl Crowd {
    fn of(stores: Vec<KubernetesStore>) -> Self {
        let listen = |store: KubernetesStore| {
            let (sender, receiver) = watch::channel((None, Instant::now()));
            tokio::spawn(async move {
                let mut boards = Boards::of(&store);
                while !sender.is_closed() {
                    // Errors that pass are no news of a plan.
                    if let Ok(board) = boards.next(Duration::MAX).await {
                        let plan = board.plan.unwrap().map(|plan| plan.id.to_string());
                        sender.send_replace((plan, Instant::now()));
                    }
                }
            });
            receiver
        };
        Self(stores.into_iter().map(listen).collect())
    }

    /// How long after `since` each of them had been told of this plan, the quickest first.
    async fn all_told(&mut self, plan: &str, since: Instant, limit: Duration) -> Vec<Duration> {
        let told = async {
            let mut took = Vec::new();
            for one in &mut self.0 {
                let told = one.wait_for(|(told, _)| told.as_deref() == Some(plan));
                took.push(told.await.unwrap().1 - since);
            }
            took.sort_unstable();
            took
        };
        within(limit, told).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_runners_hear_of_a_plan_at_once_and_find_a_server_again_that_hardly_lets_them_in()
 {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let cluster = Arc::new(cluster);
    let (run, proxy) = (Run::new(&cluster), cluster.proxy());
    let (account, scheduler) = (run.agent(), run.of_scheduler().await);
    put(&scheduler, &run.plan("main", "none")).await;
    let kubeconfig = cluster.kubeconfig_through(&proxy, &account.token, run.namespace.name());
    let mut stores = Vec::new();
    for n in 0..RUNNERS {
        stores.push(run.of_runner_at(&kubeconfig, &format!("uid-{n}")).await);
    }
    let mut crowd = Crowd::of(stores);
    crowd
        .all_told("none", Instant::now(), FOUND_AGAIN_WITHIN)
        .await;

    let published = Instant::now();
    put(&scheduler, &run.plan("main", "one")).await;
    let took = crowd.all_told("one", published, FOUND_AGAIN_WITHIN).await;
    let (half, most) = (took[RUNNERS / 2], took[RUNNERS * 99 / 100]);
    println!("{RUNNERS} runners were told of a plan: half within {half:?}, 99 % within {most:?}");
    assert!(most < HEARD_WITHIN, "{took:?}");

    run.namespace
        .kubectl()
        .apply(&TINY.replace("NAMESPACE", run.namespace.name()));
    let before = proxy.connections();
    of_cluster(&cluster, Cluster::kill_api).await;
    sleep(AWAY).await;
    // Each attempt is a connection, as none of them leads anywhere.
    let attempts = proxy.connections() - before;
    println!("while it was away for {AWAY:?} they made {attempts} attempts");
    let most = RUNNERS * usize::try_from(AWAY.as_secs()).unwrap();
    assert!((RUNNERS..=most).contains(&attempts), "{attempts}");

    of_cluster(&cluster, Cluster::start_api).await;
    let back = Instant::now();
    put(&scheduler, &run.plan("main", "two")).await;
    let took = crowd.all_told("two", back, FOUND_AGAIN_WITHIN).await;
    let account = format!(
        "system:serviceaccount:{}:tminus-agent",
        run.namespace.name()
    );
    let requests = cluster.requests();
    let refused = requests
        .iter()
        .filter(|one| one.user.username == account && one.code() == Some(429))
        .count();
    println!(
        "once it was back, half were told of a plan within {:?}, all within {:?}; {refused} requests were refused",
        took[RUNNERS / 2],
        took[RUNNERS - 1]
    );
    assert!(refused > 0, "it let everybody in");
}

/// Does something that blocks.
async fn of_cluster(cluster: &Arc<Cluster>, does: fn(&Cluster)) {
    let cluster = Arc::clone(cluster);
    tokio::task::spawn_blocking(move || does(&cluster))
        .await
        .unwrap();
}
