//! What is worth telling of a stage's reports: a decision over two looks at them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::documents::foreign_report;
use crate::document::DocumentError;
use crate::names::RunnerId;
use crate::report::Report;
use crate::store::{ReportEvent, StoreError};

/// In how many looks a file's mark has to be the same before the file is not read
/// again. Coarse file systems count time in 2 s; in that time a file may be written
/// twice, into the same inode and with the same length, and keep its mark. 30 looks
/// are 3 s.
const SETTLED_AFTER: u32 = 30;

/// By what a changed file is known without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    inode: u64,
    modified: (i64, i64),
    bytes: u64,
}

impl Mark {
    /// A file's mark.
    pub fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            modified: (file.mtime(), file.mtime_nsec()),
            bytes: file.size(),
        }
    }
}

/// What a look found in a report's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A report of the run.
    Report(Box<Report>),
    /// A report of another run, or none any more.
    NotOurs,
    /// No report.
    Unreadable(DocumentError),
    /// Nobody knows.
    Failed(StoreError),
}

/// A look at a stage's reports.
#[derive(Debug, Default)]
pub struct Look {
    /// Each report's file, and what it holds unless it was not read again.
    pub reports: BTreeMap<RunnerId, (Mark, Option<Finding>)>,
    /// Files whose names are none of ours.
    pub foreign: BTreeSet<PathBuf>,
}

/// What a watch over reports yields.
pub type News = Result<ReportEvent, StoreError>;

/// What a watch has told so far.
#[derive(Debug, Default)]
pub struct Told {
    files: BTreeMap<RunnerId, ToldFile>,
    foreign: BTreeSet<PathBuf>,
    /// Whether there was a look before, without a failure since.
    followed: bool,
}

#[derive(Debug, Default)]
struct ToldFile {
    mark: Option<Mark>,
    same_mark: u32,
    finding: Option<Finding>,
    /// The listener holds a report of it.
    held: bool,
}

impl Told {
    /// The marks of the files that need not be read again.
    pub fn settled(&self) -> BTreeMap<RunnerId, Mark> {
        let settled = |file: &ToldFile| {
            let read = !matches!(file.finding, None | Some(Finding::Failed(_)));
            file.mark
                .filter(|_| read && file.same_mark >= SETTLED_AFTER)
        };
        self.files
            .iter()
            .filter_map(|(runner, file)| Some((runner.clone(), settled(file)?)))
            .collect()
    }

    /// A look failed. What the next one finds may be of any age, and is told again.
    pub fn lose_sight(&mut self) {
        self.followed = false;
        self.foreign.clear();
        for file in self.files.values_mut() {
            file.finding = None;
        }
    }

    /// What a look brings that was not told yet.
    pub fn news(&mut self, look: Look) -> Vec<News> {
        let mut news = Vec::new();
        for path in look.foreign.difference(&self.foreign) {
            news.push(Ok(ReportEvent::Unreadable(foreign_report(path))));
        }
        self.foreign = look.foreign;
        self.files.retain(|runner, file| {
            let there = look.reports.contains_key(runner);
            if !there && file.held {
                news.push(Ok(ReportEvent::Gone(runner.clone())));
            }
            there
        });
        for (runner, (mark, finding)) in look.reports {
            let file = self.files.entry(runner.clone()).or_default();
            news.extend(file.news(runner, mark, finding, self.followed));
        }
        self.followed = true;
        news
    }
}

impl ToldFile {
    fn news(
        &mut self,
        runner: RunnerId,
        mark: Mark,
        finding: Option<Finding>,
        followed: bool,
    ) -> Option<News> {
        let touched = self.mark.replace(mark) != Some(mark);
        self.same_mark = if touched {
            0
        } else {
            self.same_mark.saturating_add(1)
        };
        let finding = finding?;
        let repeated = self.finding.as_ref() == Some(&finding);
        let sight_was_lost = matches!(self.finding, Some(Finding::Failed(_)));
        let news = match &finding {
            // What is wrong is told for each change, also if the same is wrong again.
            Finding::Unreadable(error) if touched || !repeated => {
                Some(Ok(ReportEvent::Unreadable(error.clone())))
            }
            _ if repeated => None,
            Finding::Unreadable(_) => None,
            Finding::Report(report) => Some(Ok(ReportEvent::Seen {
                report: report.clone(),
                live: followed && !sight_was_lost,
            })),
            Finding::NotOurs => self.held.then_some(Ok(ReportEvent::Gone(runner))),
            Finding::Failed(error) => Some(Err(error.clone())),
        };
        match finding {
            Finding::Report(_) => self.held = true,
            Finding::NotOurs => self.held = false,
            Finding::Unreadable(_) | Finding::Failed(_) => {}
        }
        self.finding = Some(finding);
        news
    }
}
