//! The store in Kubernetes, for runners in pods and a scheduler anywhere.
//!
//! Plans and the abort stand in one ConfigMap, `tminus-<name>`, a key each; it
//! belongs to the run's Job and goes with it. Each report stands in a Lease of its
//! own, `tminus-<runner id>-<stage>`, that belongs to the runner's pod. Nothing is written
//! without the condition that nobody else has written meanwhile, and what others put into
//! these objects is kept.
//!
//! A plan is watched for and polled for: a watch is quick, and may look healthy for long
//! while nothing comes through. Each request has a time limit of its own, and a connection
//! that has kept somebody waiting is not used again.

mod access;
mod calls;
mod config_map;
mod connection;
mod edit;
mod failure;
mod in_pod;
mod lease;
pub(crate) mod names;
mod object_watch;
mod pacing;
mod plan_watch;
mod poll;
mod publishing;
mod report_news;
mod report_watch;
mod server_date;
mod view;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use kube::{Client, Config};

use crate::abort::Abort;
use crate::hold::Hold;
use crate::names::{RunId, RunnerId, StageName};
use crate::plan::Plan;
use crate::report::Report;
use crate::store::{Board, ReportEvent, Revision, Slot, Store, StoreError, Write};

use calls::Calls;
use config_map::{BoardContent, Content, Place};
use connection::Connection;
use edit::Entry;
use pacing::Pacing;
use plan_watch::PlanWatch;
use publishing::Publishing;
use report_watch::ReportWatch;
use writing::OfAnotherJob;

pub use connection::LONGEST_CALL;
pub use failure::in_words;
pub use names::config_map as config_map_name;
pub use server_date::ServerDate;

/// The Job that a run's ConfigMap belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The Job's name.
    pub name: String,
    /// Its UID, which tells it from others of the name.
    pub uid: String,
}

/// The pod that a runner's Leases belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// The pod's name.
    pub name: String,
    /// Its UID, which tells it from others of the name.
    pub uid: String,
}

/// A [`Store`] in a namespace of a Kubernetes cluster. Each runner's id has to be the UID of
/// its pod: it is what keeps their Leases apart.
#[derive(Debug)]
pub struct KubernetesStore {
    /// Single requests, which share one connection.
    calls: Arc<Calls>,
    /// Watches have others.
    watches: Arc<Connection>,
    owner: Option<Owner>,
    pacing: Arc<Pacing>,
    publishing: Publishing,
}

impl KubernetesStore {
    /// The store of a run as a runner in a pod sees it: with the pod's service account,
    /// and never through a proxy. `namespace`: the service account's own, if not given.
    /// `name` is the Job's name, or what else the run is called by; `pod` is the runner's own.
    ///
    /// Within a Tokio runtime.
    ///
    /// # Errors
    /// [`StoreError`] that says what is missing in the pod.
    pub fn in_pod(namespace: Option<&str>, name: &str, pod: Pod) -> Result<Self, StoreError> {
        let config = in_pod::config()?;
        let namespace = namespace.unwrap_or(&config.default_namespace).to_owned();
        Self::of_runner(config, &namespace, name, pod)
    }

    /// The store of a run as a runner sees it, through an API server that it is told of. As
    /// with [`KubernetesStore::in_pod`], no proxy is used, and no request is repeated
    /// behind our back.
    ///
    /// # Errors
    /// [`StoreError`] if the configuration makes no sense.
    pub fn of_runner(
        mut config: Config,
        namespace: &str,
        name: &str,
        pod: Pod,
    ) -> Result<Self, StoreError> {
        config.proxy_url = None;
        // It obeys the server's Retry-After up to 15 times, whatever we have time for.
        config.default_retry = false;
        // Each request has a limit of its own, which comes before this; a connection that
        // nobody waits for any more must end as well.
        config.connect_timeout = Some(2 * LONGEST_CALL);
        let connection = || Connection::new(config.clone()).map_err(in_pod::unusable);
        Ok(Self::new(
            Place {
                namespace: namespace.to_owned(),
                name: names::config_map(name),
            },
            connection()?,
            connection()?,
            None,
            Some(pod),
        ))
    }

    /// The store of a run as the scheduler sees it. `owner` is the run's Job, if it has one:
    /// what is made belongs to it, and what belongs to another Job of its name is replaced.
    ///
    /// The client should not repeat requests by itself (`Config::default_retry`), since each
    /// has a time limit here ([`LONGEST_CALL`]).
    #[must_use]
    pub fn with_client(client: Client, namespace: &str, name: &str, owner: Option<Owner>) -> Self {
        Self::new(
            Place {
                namespace: namespace.to_owned(),
                name: names::config_map(name),
            },
            Connection::over(client.clone()),
            Connection::over(client),
            owner,
            None,
        )
    }

    /// What time the API server says it is, by one request of [`LONGEST_CALL`] at most; nothing if it does not answer.
    pub async fn server_date(&self) -> Option<ServerDate> {
        self.calls
            .server_date()
            .await
            .inspect_err(|failure| tracing::debug!(?failure, "the API server's Date is not known"))
            .ok()
    }

    fn new(
        place: Place,
        calls: Connection,
        watches: Connection,
        owner: Option<Owner>,
        pod: Option<Pod>,
    ) -> Self {
        let pacing = Arc::new(Pacing::new());
        let calls = Arc::new(Calls::new(Arc::new(calls), place));
        Self {
            publishing: Publishing::new(Arc::clone(&calls), Arc::clone(&pacing), pod),
            calls,
            watches: Arc::new(watches),
            owner,
            pacing,
        }
    }
}

#[async_trait]
impl Store for KubernetesStore {
    fn location(&self) -> String {
        self.calls.place().to_string()
    }

    async fn read(&self, stage: &StageName) -> Result<Board, StoreError> {
        let object = self.calls.config_map().await?;
        let board = BoardContent::of(object.as_ref(), stage).board(self.calls.place(), stage);
        self.pacing.note(&board);
        Ok(board)
    }

    fn watch(&self, stage: &StageName) -> BoxStream<'static, Result<Board, StoreError>> {
        PlanWatch::new(
            Arc::clone(&self.calls),
            Arc::clone(&self.watches),
            Arc::clone(&self.pacing),
            stage.clone(),
        )
        .into_stream()
        .boxed()
    }

    async fn write_plan(&self, plan: &Plan, expected: &Revision) -> Result<Write, StoreError> {
        let entry = Entry {
            key: names::plan_key(&plan.stage),
            text: plan.to_json(),
            run: plan.run.clone(),
        };
        let is_expected =
            |object: Option<&_>| Content::of(object, &entry.key).revision() == *expected;
        let put = writing::put(
            &self.calls,
            self.owner.as_ref(),
            &entry,
            OfAnotherJob::Replace,
            is_expected,
        );
        Ok(if put.await? {
            Write::Done
        } else {
            Write::Conflict
        })
    }

    async fn write_abort(&self, abort: &Abort) -> Result<(), StoreError> {
        let entry = Entry {
            key: names::ABORT_KEY.to_owned(),
            text: abort.to_json(),
            run: abort.run.clone(),
        };
        let is_first = |object: Option<&_>| {
            object.is_none_or(|object| {
                !config_map::is_aborted(object, self.calls.place(), &abort.run)
            })
        };
        // An abort may come late, when the next Job of the name is there already.
        let of_another_job = OfAnotherJob::Leave;
        writing::put(
            &self.calls,
            self.owner.as_ref(),
            &entry,
            of_another_job,
            is_first,
        )
        .await?;
        Ok(())
    }

    async fn knows(&self, run: &RunId) -> Result<bool, StoreError> {
        let object = self.calls.config_map().await?;
        if object.is_some_and(|object| config_map::knows(&object, self.calls.place(), run)) {
            return Ok(true);
        }
        self.calls.any_lease(&names::leases_of_run(run)).await
    }

    async fn hold(&self, _: &StageName, _: &RunnerId) -> Result<Option<Hold>, StoreError> {
        Ok(Some(Hold::needless()))
    }

    async fn publish(&self, report: &Report) -> Result<(), StoreError> {
        self.publishing.publish(report).await
    }

    async fn read_report(
        &self,
        stage: &StageName,
        runner: &RunnerId,
    ) -> Result<Slot<Report>, StoreError> {
        let name = names::lease(runner, stage);
        let Some(lease) = self.calls.lease(&name).await? else {
            return Ok(Ok(None));
        };
        let location = report_news::location(&self.calls.place().namespace, &name);
        Ok(lease::report(&lease, location, stage, runner))
    }

    fn watch_reports(
        &self,
        run: &RunId,
        stage: &StageName,
    ) -> BoxStream<'static, Result<ReportEvent, StoreError>> {
        ReportWatch::new(
            Arc::clone(&self.calls),
            Arc::clone(&self.watches),
            run.clone(),
            stage.clone(),
        )
        .into_stream()
        .boxed()
    }
}
