//! Watching objects of a cluster, with a limit for every wait.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use rendezvous::kubernetes::in_words;

use super::error::{ClusterError, refusal};

/// How long the API server keeps a watch up before it is begun again, in seconds: a connection
/// that is dead without anybody having said so is noticed 5 s after that.
pub const WATCH_FOR: u32 = 20;

/// How long a list may take; the client itself would wait for ever. Some thousand pods take a
/// few seconds.
const LIST_WITHIN: Duration = Duration::from_secs(30);

/// How soon is tried again what failed.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What has to be watched: an object of a kind that a namespace has.
pub trait Watchable:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static
{
}

impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static> Watchable
    for K
{
}

/// Watches objects: those that are there, then each change. It never ends; after an error it
/// goes on by itself, after a pause.
pub struct Watching<K: Watchable> {
    api: Api<K>,
    config: Config,
    action: &'static str,
    stream: BoxStream<'static, watcher::Result<Event<K>>>,
    list_by: Option<Instant>,
    is_failing: bool,
}

impl<K: Watchable> Watching<K> {
    /// Begins. `config`: which objects. `action`: what this is, for errors, such as "watch pods".
    pub fn new(api: Api<K>, config: Config, action: &'static str) -> Self {
        let config = config.timeout(WATCH_FOR);
        Self {
            stream: stream(api.clone(), config.clone()),
            api,
            config,
            action,
            list_by: None,
            is_failing: false,
        }
    }

    /// What comes next. May be dropped while it waits.
    ///
    /// # Errors
    /// [`ClusterError`] if it fails; it goes on all the same.
    pub async fn next(&mut self) -> Result<Event<K>, ClusterError> {
        let item = match self.list_by {
            Some(by) => timeout_at(by, self.stream.next()).await,
            None => Ok(self.stream.next().await),
        };
        match item {
            Ok(Some(Ok(event))) => {
                match &event {
                    Event::Init => self.list_by = Some(Instant::now() + LIST_WITHIN),
                    Event::InitDone => self.list_by = None,
                    Event::InitApply(_) | Event::Apply(_) | Event::Delete(_) => {}
                }
                Ok(event)
            }
            Ok(Some(Err(error))) => {
                self.list_by = None;
                Err(self.error(&error))
            }
            // It ends as little as it answers.
            Ok(None) | Err(_) => {
                self.stream = stream(self.api.clone(), self.config.clone());
                self.list_by = None;
                Err(ClusterError::Failed {
                    action: self.action.to_owned(),
                    detail: "the API server has not answered in time".to_owned(),
                })
            }
        }
    }

    /// The next event. Errors are told once while they last.
    pub async fn event(&mut self) -> Event<K> {
        loop {
            match self.next().await {
                // That a list begins, says nothing yet.
                Ok(Event::Init) => return Event::Init,
                Ok(event) => {
                    if std::mem::take(&mut self.is_failing) {
                        info!("can {} again", self.action);
                    }
                    return event;
                }
                Err(error) if self.is_failing => tracing::debug!("{error}"),
                Err(error) => {
                    warn!("{error}; trying again");
                    self.is_failing = true;
                }
            }
        }
    }

    fn error(&self, error: &watcher::Error) -> ClusterError {
        let failed = |detail: String| ClusterError::Failed {
            action: self.action.to_owned(),
            detail,
        };
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => ClusterError::of(self.action, error),
            watcher::Error::WatchError(status) => failed(refusal(status.code, &status.message)),
            watcher::Error::NoResourceVersion => failed(in_words(error)),
        }
    }
}

fn stream<K: Watchable>(
    api: Api<K>,
    config: Config,
) -> BoxStream<'static, watcher::Result<Event<K>>> {
    watcher(api, config).backoff(Pauses).boxed()
}

/// Between two attempts: soon enough that nothing is missed for long, rarely enough for one process.
struct Pauses;

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(TRY_AGAIN)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {}
}
