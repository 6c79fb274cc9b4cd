//! The reports of a stage, and their changes.

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;

use futures_util::stream::{self, Stream};
use tokio::time::sleep;

use super::documents;
use super::error::store_error;
use super::file;
use super::layout::{Entry, Layout};
use super::report_news::{Finding, Look, Mark, News, Told};
use super::work::{LOOK_EVERY, Worker};
use crate::names::{RunId, RunnerId, StageName};
use crate::report::Report;
use crate::store::StoreError;

/// A watch over the reports of a run and stage.
#[derive(Debug)]
pub struct ReportWatch {
    layout: Layout,
    run: RunId,
    stage: StageName,
    worker: Worker<Result<Look, StoreError>>,
    told: Told,
    /// The failure that lasts.
    failure: Option<StoreError>,
    /// Whether there was a first look.
    begun: bool,
    untold: VecDeque<News>,
}

impl ReportWatch {
    /// One that has told nothing yet.
    pub fn new(layout: Layout, run: RunId, stage: StageName) -> Self {
        Self {
            worker: Worker::new(&layout),
            layout,
            run,
            stage,
            told: Told::default(),
            failure: None,
            begun: false,
            untold: VecDeque::new(),
        }
    }

    /// Tells what is there, then what changes, and once each error while it lasts.
    pub fn into_stream(self) -> impl Stream<Item = News> + Send {
        stream::unfold(self, |mut watch| async move {
            let news = watch.next().await;
            Some((news, watch))
        })
    }

    async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.untold.pop_front() {
                return news;
            }
            if self.begun {
                sleep(LOOK_EVERY).await;
            }
            self.begun = true;
            let (layout, run, stage) = (self.layout.clone(), self.run.clone(), self.stage.clone());
            let settled = self.told.settled();
            let look = self
                .worker
                .run(move || look(&layout, &run, &stage, &settled));
            match look.await.flatten() {
                Ok(look) => {
                    self.failure = None;
                    self.untold.extend(self.told.news(look));
                }
                Err(error) => {
                    self.told.lose_sight();
                    if self.failure.as_ref() != Some(&error) {
                        self.failure = Some(error.clone());
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// Looks at a stage's reports, and reads those that are not settled.
fn look(
    layout: &Layout,
    run: &RunId,
    stage: &StageName,
    settled: &BTreeMap<RunnerId, Mark>,
) -> Result<Look, StoreError> {
    let folder = layout.stage(stage);
    let failed = |error| store_error("list the reports in", &folder, &error);
    let mut look = Look::default();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Nobody has reported yet, if there is a store at all.
            layout.check_root()?;
            return Ok(look);
        }
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let runner = match Entry::of(&entry.file_name()) {
            Entry::Report(runner) => runner,
            Entry::Draft => continue,
            Entry::Foreign => {
                look.foreign.insert(entry.path());
                continue;
            }
        };
        let mark = match entry.metadata() {
            Ok(metadata) => Mark::of(&metadata),
            // Removed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let finding =
            (settled.get(&runner) != Some(&mark)).then(|| finding(layout, run, stage, &runner));
        look.reports.insert(runner, (mark, finding));
    }
    Ok(look)
}

/// What a report's file holds for a run.
fn finding(layout: &Layout, run: &RunId, stage: &StageName, runner: &RunnerId) -> Finding {
    let path = layout.report(stage, runner);
    let content = match file::read(&path, Report::MOST_BYTES) {
        Ok(content) => content,
        Err(error) => return Finding::Failed(error),
    };
    match documents::report(&content, &path, stage, runner) {
        Ok(Some(report)) if report.run == *run => Finding::Report(Box::new(report)),
        Ok(_) => Finding::NotOurs,
        Err(error) => Finding::Unreadable(error),
    }
}
