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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::{DocumentKind, Problem};

    fn runner() -> RunnerId {
        RunnerId::new("k6-1").unwrap()
    }

    fn mark(inode: u64) -> Mark {
        Mark {
            inode,
            modified: (0, 0),
            bytes: 1,
        }
    }

    fn report(sequence: u64) -> Finding {
        let text = format!(
            r#"{{"version": 1, "run": "r", "stage": "main", "runner": "k6-1", "name": "k6-1",
                "incarnation": "first", "sequence": {sequence}, "phase": "starting",
                "clock": {{"utc": "2026-11-25T10:00:00Z", "source": "system"}}}}"#
        );
        Finding::Report(Box::new(Report::from_json(&text).unwrap()))
    }

    fn failed() -> Finding {
        Finding::Failed(StoreError::Unavailable {
            action: "read it".to_owned(),
            detail: "input/output error".to_owned(),
        })
    }

    fn unreadable() -> Finding {
        Finding::Unreadable(DocumentError {
            kind: DocumentKind::Report,
            location: "/s/x".to_owned(),
            problem: Problem::Syntax("cut off".to_owned()),
        })
    }

    /// A look that finds one runner's file.
    fn look(inode: u64, finding: impl Into<Option<Finding>>) -> Look {
        Look {
            reports: [(runner(), (mark(inode), finding.into()))].into(),
            ..Look::default()
        }
    }

    fn is_live(news: &[News]) -> bool {
        match news {
            [Ok(ReportEvent::Seen { live, .. })] => *live,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_read_again_until_its_mark_has_been_the_same_for_long() {
        let mut told = Told::default();
        for _ in 0..=SETTLED_AFTER {
            assert_eq!(told.settled(), BTreeMap::new());
            told.news(look(1, report(1)));
        }
        assert_eq!(told.settled(), [(runner(), mark(1))].into());
        assert_eq!(told.news(look(1, None)), []);
        assert_eq!(told.settled(), [(runner(), mark(1))].into());
        told.news(look(2, report(1)));
        assert_eq!(told.settled(), BTreeMap::new());
    }

    #[test]
    fn what_changes_under_the_same_mark_is_told_while_that_is_young() {
        let mut told = Told::default();
        assert!(!is_live(&told.news(look(1, report(1)))));
        assert!(is_live(&told.news(look(1, report(2)))));
        assert_eq!(told.news(look(1, report(2))), []);
    }

    #[test]
    fn a_file_that_nobody_may_read_is_told_once_and_tried_again_for_ever() {
        let mut told = Told::default();
        told.news(look(1, report(1)));
        assert!(matches!(told.news(look(1, failed()))[..], [Err(_)]));
        for _ in 0..2 * SETTLED_AFTER {
            assert_eq!(told.news(look(1, failed())), []);
            assert_eq!(told.settled(), BTreeMap::new());
        }
        // What it holds may have stood there for all that time.
        assert!(!is_live(&told.news(look(1, report(2)))));
        assert!(is_live(&told.news(look(1, report(3)))));
    }

    #[test]
    fn after_a_failed_look_everything_is_read_and_told_again_as_of_any_age() {
        let mut told = Told::default();
        for _ in 0..=SETTLED_AFTER {
            told.news(look(1, report(1)));
        }
        told.lose_sight();
        assert_eq!(told.settled(), BTreeMap::new());
        assert!(!is_live(&told.news(look(1, report(1)))));
        told.lose_sight();
        let gone = [Ok(ReportEvent::Gone(runner()))];
        assert_eq!(told.news(Look::default()), gone);
    }

    #[test]
    fn a_damaged_report_is_gone_only_when_it_is_removed_or_anothers() {
        let mut told = Told::default();
        told.news(look(1, report(1)));
        let news = told.news(look(2, unreadable()));
        assert!(matches!(news[..], [Ok(ReportEvent::Unreadable(_))]));
        assert_eq!(told.news(look(2, unreadable())), []);
        let gone = [Ok(ReportEvent::Gone(runner()))];
        assert_eq!(told.news(look(3, Finding::NotOurs)), gone);
        assert_eq!(told.news(look(4, Finding::NotOurs)), []);
        assert_eq!(told.news(Look::default()), [], "it was told already");
    }
}
