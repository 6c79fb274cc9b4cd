//! What stands there for a stage, and its changes: by a watch, which is quick, and by
//! polling, which is sure.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, Stream};
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::time::Instant;

use super::calls::Calls;
use super::config_map::BoardContent;
use super::connection::Connection;
use super::object_watch::{Loss, ObjectWatch, Selection, Sight};
use super::pacing::Pacing;
use super::poll::{Poll, Polled};
use super::view::{Look, Version, View};
use crate::names::StageName;
use crate::store::{Board, StoreError};

enum News {
    Watched(Sight<ConfigMap>),
    Polled(Polled),
}

/// A watch over a stage's board.
pub struct PlanWatch {
    calls: Arc<Calls>,
    stage: StageName,
    pacing: Arc<Pacing>,
    news: BoxStream<'static, News>,
    view: View,
    /// Why the watch was lost, if no change has come by it since. It was said.
    lost: Option<Loss>,
}

impl PlanWatch {
    /// One that has told nothing yet. It polls by `calls`, and watches over `watches`.
    pub fn new(
        calls: Arc<Calls>,
        watches: Arc<Connection>,
        pacing: Arc<Pacing>,
        stage: StageName,
    ) -> Self {
        let selection = Selection {
            namespace: calls.place().namespace.clone(),
            // Without it, a role that names the object forbids the request.
            fields: Some(format!("metadata.name={}", calls.place().name)),
            labels: None,
        };
        let pace = Arc::clone(&pacing);
        let watch = ObjectWatch::new(watches, selection, move || pace.watch_for());
        let poll = Poll::new(Arc::clone(&calls), Arc::clone(&pacing));
        let news = stream::select(
            watch.into_stream().map(News::Watched),
            poll.into_stream().map(News::Polled),
        );
        Self {
            calls,
            stage,
            pacing,
            news: news.boxed(),
            view: View::default(),
            lost: None,
        }
    }

    /// Tells what is there, then what changes, and once each error while it lasts.
    pub fn into_stream(self) -> impl Stream<Item = Result<Board, StoreError>> + Send {
        stream::unfold(self, |mut watch| async move {
            let board = watch.next().await?;
            Some((board, watch))
        })
    }

    /// `None` does not occur: what is merged here never ends.
    async fn next(&mut self) -> Option<Result<Board, StoreError>> {
        loop {
            let look = match self.news.next().await? {
                News::Polled((asked, Ok(object))) => {
                    let version = object
                        .as_ref()
                        .and_then(|object| object.metadata.resource_version.clone());
                    self.look(Some(asked), version, object.as_ref())
                }
                News::Polled((_, Err(error))) => match self.view.fail(error) {
                    Some(error) => return Some(Err(error)),
                    None => continue,
                },
                News::Watched(sight) => match self.sighted(sight) {
                    Some(look) => look,
                    None => continue,
                },
            };
            if let Some(content) = self.view.look(look) {
                let board = content.board(self.calls.place(), &self.stage);
                self.pacing.note(&board);
                return Some(Ok(board));
            }
        }
    }

    fn sighted(&mut self, sight: Sight<ConfigMap>) -> Option<Look> {
        match sight {
            Sight::Listed {
                asked,
                objects,
                version,
            } => {
                self.pacing.watches(true);
                // A name is one object's.
                Some(self.look(Some(asked), Some(version), objects.first()))
            }
            Sight::Changed(object) => {
                self.lost = None;
                let version = object.metadata.resource_version.clone();
                Some(self.look(None, version, Some(&object)))
            }
            Sight::Deleted(object) => {
                self.lost = None;
                Some(self.look(None, object.metadata.resource_version, None))
            }
            Sight::Lost(loss) => {
                self.lose(loss);
                None
            }
        }
    }

    fn look(
        &self,
        asked: Option<Instant>,
        version: Option<String>,
        object: Option<&ConfigMap>,
    ) -> Look {
        Look {
            content: BoardContent::of(object, &self.stage),
            version: Version::of(version.as_deref()),
            asked,
            seen: Instant::now(),
        }
    }

    /// What is lost with the watch is only speed. So it is logged, and what cannot be read is
    /// told only if polling finds it so as well, and that at once.
    fn lose(&mut self, loss: Loss) {
        self.pacing.watches(false);
        if self.lost.as_ref() == Some(&loss) {
            return;
        }
        let error = self.calls.attempt(loss.verb).failed(&loss.failure);
        if loss.failure.is_forbidden() {
            tracing::warn!("polling for the plan only: {error}");
        } else {
            tracing::info!("polling for the plan until it can be watched again: {error}");
        }
        self.pacing.hurry();
        self.lost = Some(loss);
    }
}
