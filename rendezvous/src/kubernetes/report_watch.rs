//! The reports of a stage, and their changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, Stream};
use k8s_openapi::api::coordination::v1::Lease;

use super::calls::Calls;
use super::connection::Connection;
use super::names;
use super::object_watch::{Loss, ObjectWatch, Selection, Sight};
use super::report_news::{News, Told};
use crate::names::{RunId, StageName};
use crate::store::StoreError;

/// For how long a watch is asked for. There is one such watch a run, so it costs little to
/// begin another, and a lost connection is noticed 5 s after that.
const WATCH_FOR: Duration = Duration::from_secs(10);

/// A watch over the reports of a run and stage.
pub struct ReportWatch {
    calls: Arc<Calls>,
    leases: BoxStream<'static, Sight<Lease>>,
    told: Told,
    /// The failure that lasts, and what it is that failed: a list that is answered says
    /// nothing of whether a watch is.
    failure: Option<(&'static str, StoreError)>,
    untold: VecDeque<News>,
}

impl ReportWatch {
    /// One that has told nothing yet.
    pub fn new(calls: Arc<Calls>, watches: Arc<Connection>, run: RunId, stage: StageName) -> Self {
        let selection = Selection {
            namespace: calls.place().namespace.clone(),
            fields: None,
            labels: Some(names::leases_of_stage(&run, &stage)),
        };
        let leases = ObjectWatch::new(watches, selection, || WATCH_FOR);
        let namespace = calls.place().namespace.clone();
        Self {
            calls,
            leases: leases.into_stream().boxed(),
            told: Told::new(namespace, run, stage),
            failure: None,
            untold: VecDeque::new(),
        }
    }

    /// Tells what is there, then what changes, and once each error while it lasts.
    pub fn into_stream(self) -> impl Stream<Item = News> + Send {
        stream::unfold(self, |mut watch| async move {
            let news = watch.next().await?;
            Some((news, watch))
        })
    }

    /// `None` does not occur: the watch beneath never ends.
    async fn next(&mut self) -> Option<News> {
        loop {
            if let Some(news) = self.untold.pop_front() {
                return Some(news);
            }
            match self.leases.next().await? {
                Sight::Listed { objects, .. } => {
                    self.failure.take_if(|(verb, _)| *verb == "list");
                    self.untold.extend(self.told.listed(&objects));
                }
                Sight::Changed(lease) => {
                    self.failure = None;
                    self.untold.extend(self.told.changed(&lease));
                }
                Sight::Deleted(lease) => {
                    self.failure = None;
                    self.untold.extend(self.told.deleted(&lease));
                }
                Sight::Lost(loss) => {
                    if let Some(error) = self.lose(&loss) {
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    /// What is to be told of a loss.
    fn lose(&mut self, loss: &Loss) -> Option<StoreError> {
        let error = self
            .calls
            .lease_attempt(loss.verb, None)
            .failed(&loss.failure);
        // A state that is forgotten is no trouble: it is listed anew.
        if loss.failure.is_gone() {
            tracing::info!("listing the reports anew: {error}");
            return None;
        }
        let told = self.failure.replace((loss.verb, error.clone()));
        (told != Some((loss.verb, error.clone()))).then_some(error)
    }
}
