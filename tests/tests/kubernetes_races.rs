//! Many who write at once into the store in Kubernetes, on a real API server. They leave nothing to tests beside them, so
//! they are a binary of their own.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use rendezvous::{Store, StoreError, Write};
use serde::de::DeserializeOwned;
use serde_json::json;
use support::cluster::{self, client};
use tokio::task::JoinHandle;

use support::store_run::{CONFIG_MAP, Run, main_stage, put, within};

/// So many writers.
const WRITERS: u32 = 100;
/// More often than anybody edits anything by hand or in a controller's loop.
const EDITED_EVERY: Duration = Duration::from_millis(50);
/// For all of them, on two cores that are busy with other things.
const LIMIT: Duration = Duration::from_secs(300);

/// Tries again when it was too much at a time, as both programs do.
async fn persistently<T>(mut attempt: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(StoreError::Unavailable { .. }) => {}
            Err(denied) => panic!("{denied}"),
        }
    }
}

/// Somebody else, who changes a label of an object again and again.
struct Meddler {
    stop: Arc<AtomicBool>,
    changes: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Meddler {
    fn start<K>(api: Api<K>, name: &'static str) -> Self
    where
        K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    {
        let (stop, changes) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (stopped, counted) = (stop.clone(), changes.clone());
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                let change = counted.fetch_add(1, Ordering::SeqCst) + 1;
                let labels = json!({"metadata": {"labels": {"edits": change.to_string()}}});
                let params = PatchParams::default();
                api.patch(name, &params, &Patch::Merge(labels))
                    .await
                    .unwrap();
                tokio::time::sleep(EDITED_EVERY).await;
            }
        });
        Self {
            stop,
            changes,
            task,
        }
    }

    /// How often it changed the label.
    async fn end(self) -> u32 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        self.changes.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writers_of_one_config_map_and_one_who_edits_its_labels_lose_nothing() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    put(&run.of_scheduler().await, &run.plan("main", "first")).await;
    let client = client(run.namespace.kubeconfig()).await;
    let objects: Api<ConfigMap> = Api::namespaced(client, run.namespace.name());
    let meddler = Meddler::start(objects.clone(), CONFIG_MAP);

    let stage = |number: u32| format!("stage-{number}");
    let stores = join_all((0..WRITERS).map(|_| run.of_scheduler())).await;
    let writes = stores.iter().zip(0..).map(|(store, number)| {
        let plan = run.plan(&stage(number), "plan");
        async move {
            // Each writes to its own key, so nobody is in anybody's way.
            let read = persistently(async || store.read(&plan.stage).await).await;
            let write = async || store.write_plan(&plan, &read.revision).await;
            // One that was given up may have come to pass, and then there is a conflict with oneself.
            persistently(write).await;
        }
    });
    within(LIMIT, join_all(writes)).await;
    let edits = meddler.end().await;
    assert!(edits > 10, "{edits}");

    let object = objects.get(CONFIG_MAP).await.unwrap();
    let data = object.data.unwrap();
    assert_eq!(data.len() as u32, WRITERS + 1);
    for number in 0..WRITERS {
        let key = format!("plan-{}.json", stage(number));
        assert_eq!(data[&key], run.plan(&stage(number), "plan").to_json());
    }
    assert_eq!(object.metadata.labels.unwrap()["edits"], edits.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_reports_into_one_lease_and_one_who_edits_its_labels_lose_nothing() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let agent = run.agent();
    run.of_runner(&agent, "uid-1")
        .await
        .publish(&run.report("uid-1", 1))
        .await
        .unwrap();
    let client = client(run.namespace.kubeconfig()).await;
    let leases: Api<Lease> = Api::namespaced(client, run.namespace.name());
    let meddler = Meddler::start(leases.clone(), "tminus-uid-1-main");

    let stores = join_all((0..WRITERS).map(|_| run.of_runner(&agent, "uid-1"))).await;
    let writes = stores.iter().zip(100..).map(|(store, sequence)| {
        let report = run.report("uid-1", sequence);
        async move { persistently(async || store.publish(&report).await).await }
    });
    within(LIMIT, join_all(writes)).await;
    let edits = meddler.end().await;
    assert!(edits > 10, "{edits}");

    let runner = run.report("uid-1", 1).runner;
    let last = stores[0]
        .read_report(&main_stage(), &runner)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(last.sequence >= 100, "{last:?}");
    let lease = leases.get("tminus-uid-1-main").await.unwrap();
    assert_eq!(lease.metadata.labels.unwrap()["edits"], edits.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_schedulers_that_race_for_a_plan_one_wins_each_time() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let (one, two) = (run.of_scheduler().await, run.of_scheduler().await);
    for round in 0..50 {
        // The first of all also race to make the object.
        let (a, b) = (format!("a-{round}"), format!("b-{round}"));
        let read = one.read(&main_stage()).await.unwrap();
        let (plan_a, plan_b) = (run.plan("main", &a), run.plan("main", &b));
        let (won_a, won_b) = tokio::join!(
            one.write_plan(&plan_a, &read.revision),
            two.write_plan(&plan_b, &read.revision)
        );
        let winner = match (won_a.unwrap(), won_b.unwrap()) {
            (Write::Done, Write::Conflict) => plan_a,
            (Write::Conflict, Write::Done) => plan_b,
            both => panic!("round {round}: {both:?}"),
        };
        assert_eq!(
            two.read(&main_stage()).await.unwrap().plan,
            Ok(Some(winner))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_aborts_the_first_stays() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let stores = join_all((0..10).map(|_| run.of_scheduler())).await;
    let aborts = stores.iter().zip(0..).map(|(store, number)| {
        let abort = run.abort(&format!("reason {number}"));
        async move { store.write_abort(&abort).await.unwrap() }
    });
    join_all(aborts).await;
    let first = stores[0].read(&main_stage()).await.unwrap().abort;
    stores[0].write_abort(&run.abort("late")).await.unwrap();
    assert!(matches!(first, Ok(Some(_))), "{first:?}");
    assert_eq!(stores[0].read(&main_stage()).await.unwrap().abort, first);
}
