//! Following objects: a list, then a watch from there, and again from the beginning
//! whenever that breaks.
//!
//! The client library has a watcher too. It sets no time limit for the list and for the start
//! of a watch, so that a connection that swallows everything would hold it for ever; it
//! pauses for up to 30 s after failures; and a server that closes each watch at once is
//! asked again without any pause.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, Stream};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::failure::Failure;
use crate::backoff::Backoff;

/// For how much longer than it was to last a watch is waited for: the server ends it in time,
/// and what is not ended then is a lost connection.
const GRACE: Duration = Duration::from_secs(5);
/// A watch that ends sooner was no good: a server that ends each of them at once must not
/// be asked again and again without a pause.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);
/// Servers end a watch by themselves after 5 to 10 minutes; the client library refuses 295 s
/// and more.
pub const LONGEST_WATCH: Duration = Duration::from_secs(290);
/// Between two attempts at what is forbidden. It is not for want of trying, and rules that
/// are being set up are there within seconds.
const FORBIDDEN_PAUSE: Duration = Duration::from_secs(30);
/// For how long it may be the API server itself: one that has just started knows no rules yet, and
/// forbids everything for a moment.
const FORBIDDEN_FOR_A_MOMENT: Duration = Duration::from_secs(10);
/// The most objects in one answer: 500 reports are 2 MiB, which takes well below a second.
const PAGE: u32 = 500;

/// Which objects to follow, and how.
#[derive(Debug, Clone)]
pub struct Selection {
    /// In this namespace.
    pub namespace: String,
    /// By their fields, such as `metadata.name=NAME`.
    pub fields: Option<String>,
    /// By their labels.
    pub labels: Option<String>,
}

/// What is seen of the objects.
#[derive(Debug)]
pub enum Sight<K> {
    /// All that were there, asked for at `asked`, in the state that `version` names.
    Listed {
        /// When they were asked for.
        asked: Instant,
        /// The objects.
        objects: Vec<K>,
        /// The `resourceVersion` of the whole.
        version: String,
    },
    /// One has come, or has changed.
    Changed(K),
    /// One was deleted, or is none of those any more.
    Deleted(K),
    /// They cannot be followed just now, and are listed anew after a pause.
    Lost(Loss),
}

/// Why objects can be followed no longer.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// What was tried: "list" or "watch".
    pub verb: &'static str,
    /// What it came to.
    pub failure: Failure,
}

type Events<K> = BoxStream<'static, kube::Result<WatchEvent<K>>>;

enum State<K> {
    List,
    Watch { version: String },
    Follow(Follow<K>),
}

/// A watch that is up.
struct Follow<K> {
    /// The state of the objects that was told.
    version: String,
    events: Events<K>,
    since: Instant,
    /// By when the server has to have ended it.
    until: Instant,
}

/// A watch over objects of one kind.
pub struct ObjectWatch<K> {
    source: Source,
    backoff: Backoff,
    pause: Duration,
    /// Since when it has been forbidden every time.
    forbidden_since: Option<Instant>,
    state: State<K>,
}

/// A kind of objects in namespaces.
pub trait Followed:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + Debug
    + Send
    + 'static
{
}

impl Followed for ConfigMap {}
impl Followed for Lease {}

impl<K: Followed> ObjectWatch<K> {
    /// A watch that has seen nothing yet. `lasts` says for how long the server is asked to keep
    /// each watch up, from 1 s to [`LONGEST_WATCH`]; a lost connection is noticed 5 s after that.
    pub fn new(
        connection: Arc<Connection>,
        selection: Selection,
        lasts: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self {
            source: Source {
                connection,
                selection,
                lasts: Box::new(lasts),
            },
            backoff: Backoff::default(),
            pause: Duration::ZERO,
            forbidden_since: None,
            state: State::List,
        }
    }

    /// What is seen, for ever.
    pub fn into_stream(self) -> impl Stream<Item = Sight<K>> + Send {
        stream::unfold(self, |mut watch| async move {
            let sight = watch.next().await;
            Some((sight, watch))
        })
    }

    async fn next(&mut self) -> Sight<K> {
        loop {
            match std::mem::replace(&mut self.state, State::List) {
                State::List => {
                    sleep(std::mem::take(&mut self.pause)).await;
                    let asked = Instant::now();
                    match self.source.list().await {
                        Ok((objects, version)) => {
                            self.state = State::Watch {
                                version: version.clone(),
                            };
                            return Sight::Listed {
                                asked,
                                objects,
                                version,
                            };
                        }
                        Err(failure) => return self.lost("list", failure),
                    }
                }
                State::Watch { version } => match self.source.watch(&version).await {
                    Ok((events, lasts)) => {
                        self.forbidden_since = None;
                        let since = Instant::now();
                        self.state = State::Follow(Follow {
                            version,
                            events,
                            since,
                            until: since + lasts + GRACE,
                        });
                    }
                    Err(failure) => return self.lost("watch", failure),
                },
                State::Follow(follow) => {
                    if let Some(sight) = self.follow(follow).await {
                        return sight;
                    }
                }
            }
        }
    }

    /// Waits for the next event of a watch. Nothing, if it is none to be told.
    async fn follow(&mut self, mut follow: Follow<K>) -> Option<Sight<K>> {
        let event = match timeout_at(follow.until, follow.events.next()).await {
            Ok(Some(Ok(event))) => event,
            Ok(Some(Err(error))) => return Some(self.lost("watch", Failure::of(error))),
            Ok(None) if follow.since.elapsed() < SHORTEST_WATCH => {
                let text = "the API server has ended the watch at once";
                return Some(self.lost("watch", Failure::Broken(text.to_owned())));
            }
            // As it was asked to.
            Ok(None) => {
                self.backoff.reset();
                self.state = State::Watch {
                    version: follow.version,
                };
                return None;
            }
            Err(_) => {
                self.source.connection.renew();
                return Some(self.lost("watch", Failure::TimedOut));
            }
        };
        self.backoff.reset();
        let (version, sight) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                (object.resource_version(), Some(Sight::Changed(object)))
            }
            WatchEvent::Deleted(object) => {
                (object.resource_version(), Some(Sight::Deleted(object)))
            }
            WatchEvent::Bookmark(mark) => (Some(mark.metadata.resource_version), None),
            WatchEvent::Error(status) => return Some(self.lost("watch", Failure::Refused(status))),
        };
        // Without a version there is nothing from where to go on, and the state stays "list".
        if let Some(version) = version.filter(|version| !version.is_empty()) {
            self.state = State::Follow(Follow { version, ..follow });
        }
        sight
    }

    /// Begins anew after a pause.
    fn lost(&mut self, verb: &'static str, failure: Failure) -> Sight<K> {
        self.state = State::List;
        self.pause = self.backoff.after_failure();
        if !failure.is_forbidden() {
            self.forbidden_since = None;
        } else if self
            .forbidden_since
            .get_or_insert_with(Instant::now)
            .elapsed()
            >= FORBIDDEN_FOR_A_MOMENT
        {
            self.pause += FORBIDDEN_PAUSE;
        }
        Sight::Lost(Loss { verb, failure })
    }
}

/// Where the objects come from.
struct Source {
    connection: Arc<Connection>,
    selection: Selection,
    lasts: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl Source {
    /// Lists all objects, page by page, each within its time.
    async fn list<K: Followed>(&self) -> Result<(Vec<K>, String), Failure> {
        let mut objects = Vec::new();
        let mut params = ListParams {
            label_selector: self.selection.labels.clone(),
            field_selector: self.selection.fields.clone(),
            limit: Some(PAGE),
            ..ListParams::default()
        };
        loop {
            let page = self
                .connection
                .call(|client| {
                    let (api, params) = (self.api::<K>(client), params.clone());
                    async move { api.list(&params).await }
                })
                .await?;
            objects.extend(page.items);
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                let version = page.metadata.resource_version.unwrap_or_default();
                return Ok((objects, version));
            }
        }
    }

    /// Starts a watch, and says for how long.
    async fn watch<K: Followed>(&self, version: &str) -> Result<(Events<K>, Duration), Failure> {
        let lasts = (self.lasts)().clamp(SHORTEST_WATCH, LONGEST_WATCH);
        let params = WatchParams {
            label_selector: self.selection.labels.clone(),
            field_selector: self.selection.fields.clone(),
            timeout: u32::try_from(lasts.as_secs()).ok(),
            ..WatchParams::default()
        };
        let events = self
            .connection
            .call(|client| {
                let (api, version) = (self.api::<K>(client), version.to_owned());
                async move { Ok(api.watch(&params, &version).await?.boxed()) }
            })
            .await?;
        Ok((events, lasts))
    }

    fn api<K: Followed>(&self, client: Client) -> Api<K> {
        Api::namespaced(client, &self.selection.namespace)
    }
}
