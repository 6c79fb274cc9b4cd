//! What is worth telling of a stage's Leases. Values only.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;

use super::{lease, names};
use crate::document::{DocumentError, DocumentKind, Problem};
use crate::names::{RunId, StageName};
use crate::report::Report;
use crate::store::{ReportEvent, StoreError};

/// What a watch over reports yields.
pub type News = Result<ReportEvent, StoreError>;

/// What a watch has told so far.
#[derive(Debug)]
pub struct Told {
    namespace: String,
    run: RunId,
    stage: StageName,
    /// What was told last of each Lease, by its name.
    leases: BTreeMap<String, ToldLease>,
}

#[derive(Debug, Default)]
struct ToldLease {
    finding: Option<Finding>,
    /// The listener holds a report of it.
    held: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Finding {
    Report(Box<Report>),
    /// A report of another run.
    NotOurs,
    Unreadable(DocumentError),
}

impl Told {
    /// Nothing yet.
    pub fn new(namespace: String, run: RunId, stage: StageName) -> Self {
        Self {
            namespace,
            run,
            stage,
            leases: BTreeMap::new(),
        }
    }

    /// All Leases that are there. Whatever they hold may be of any age, and is told also if it
    /// was told before.
    pub fn listed(&mut self, leases: &[Lease]) -> Vec<News> {
        let mut before = std::mem::take(&mut self.leases);
        let mut news = Vec::new();
        for lease in leases {
            let name = lease.metadata.name.clone().unwrap_or_default();
            let mut told = before.remove(&name).unwrap_or_default();
            told.finding = None;
            self.leases.insert(name, told);
        }
        for (name, told) in before {
            news.extend(self.gone(&name, &told));
        }
        for lease in leases {
            news.extend(self.seen(lease, false));
        }
        news
    }

    /// A Lease has come, or has changed.
    pub fn changed(&mut self, lease: &Lease) -> Option<News> {
        self.seen(lease, true)
    }

    /// A Lease was deleted, or is no longer one of the run and stage.
    pub fn deleted(&mut self, lease: &Lease) -> Option<News> {
        let name = lease.metadata.name.as_deref().unwrap_or_default();
        let told = self.leases.remove(name)?;
        self.gone(name, &told)
    }

    fn gone(&self, name: &str, told: &ToldLease) -> Option<News> {
        let runner = names::runner_of_lease(name, &self.stage)?;
        told.held.then_some(Ok(ReportEvent::Gone(runner)))
    }

    fn seen(&mut self, lease: &Lease, live: bool) -> Option<News> {
        let name = lease.metadata.name.clone().unwrap_or_default();
        let finding = self.finding(&name, lease);
        let told = self.leases.entry(name.clone()).or_default();
        // Somebody has changed something else of it.
        if told.finding.as_ref() == Some(&finding) {
            return None;
        }
        told.finding = Some(finding.clone());
        match finding {
            Finding::Report(report) => {
                told.held = true;
                Some(Ok(ReportEvent::Seen { report, live }))
            }
            Finding::Unreadable(error) => Some(Ok(ReportEvent::Unreadable(error))),
            Finding::NotOurs => {
                let gone = std::mem::take(told);
                self.gone(&name, &gone)
            }
        }
    }

    fn finding(&self, name: &str, lease: &Lease) -> Finding {
        let location = location(&self.namespace, name);
        let Some(runner) = names::runner_of_lease(name, &self.stage) else {
            return Finding::Unreadable(DocumentError {
                kind: DocumentKind::Report,
                location,
                problem: Problem::Foreign(
                    "a Lease of another name than tminus-<runner id>-<stage>".to_owned(),
                ),
            });
        };
        match lease::report(lease, location, &self.stage, &runner) {
            Ok(Some(report)) if report.run == self.run => Finding::Report(Box::new(report)),
            Ok(_) => Finding::NotOurs,
            Err(error) => Finding::Unreadable(error),
        }
    }
}

/// A Lease, for people.
pub fn location(namespace: &str, name: &str) -> String {
    format!("Lease {namespace}/{name}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kubernetes::lease;
    use std::time::Duration;

    const RUN: &str = "run-1";

    fn told() -> Told {
        Told::new("load".to_owned(), RUN.parse().unwrap(), stage())
    }

    fn stage() -> StageName {
        "main".parse().unwrap()
    }

    fn report(run: &str, runner: &str, sequence: u64) -> Report {
        let text = format!(
            r#"{{"version": 1, "run": "{run}", "stage": "main", "runner": "{runner}", "name": "{runner}",
                "incarnation": "first", "sequence": {sequence}, "phase": "starting",
                "clock": {{"utc": "2026-11-25T10:00:00Z", "source": "system"}}}}"#
        );
        Report::from_json(&text).unwrap()
    }

    fn lease_of(report: &Report) -> Lease {
        lease::new(report, "load", None, Duration::from_secs(10))
    }

    fn lease(runner: &str, sequence: u64) -> Lease {
        lease_of(&report(RUN, runner, sequence))
    }

    /// What is told, in short.
    fn short(news: impl IntoIterator<Item = News>) -> Vec<String> {
        let one = |news: News| match news.unwrap() {
            ReportEvent::Seen { report, live } => {
                let how = if live { "live" } else { "listed" };
                format!("{} {} {how}", report.runner, report.sequence)
            }
            ReportEvent::Gone(runner) => format!("{runner} gone"),
            ReportEvent::Unreadable(error) => format!("{} unreadable", error.location),
        };
        news.into_iter().map(one).collect()
    }

    #[test]
    fn what_is_listed_may_be_of_any_age_and_what_changes_is_live() {
        let mut told = told();
        assert_eq!(short(told.listed(&[lease("a", 1)])), ["a 1 listed"]);
        assert_eq!(short(told.changed(&lease("b", 1))), ["b 1 live"]);
        assert_eq!(short(told.changed(&lease("a", 2))), ["a 2 live"]);
        assert_eq!(short(told.deleted(&lease("a", 2))), ["a gone"]);
        assert_eq!(short(told.deleted(&lease("a", 2))), [""; 0]);
    }

    #[test]
    fn a_list_tells_everything_again_and_what_has_gone_meanwhile() {
        let mut told = told();
        told.listed(&[lease("a", 1), lease("b", 1)]);
        let news = short(told.listed(&[lease("b", 1), lease("c", 1)]));
        assert_eq!(news, ["a gone", "b 1 listed", "c 1 listed"]);
    }

    #[test]
    fn a_change_of_anything_but_the_report_is_no_news() {
        let mut told = told();
        told.listed(&[lease("a", 1)]);
        let mut touched = lease("a", 1);
        let labels = touched.metadata.labels.get_or_insert_default();
        labels.insert("team".to_owned(), "blue".to_owned());
        assert_eq!(short(told.changed(&touched)), [""; 0]);
    }

    #[test]
    fn a_lease_that_another_run_took_is_gone() {
        let mut told = told();
        told.listed(&[lease("a", 1)]);
        let other = lease_of(&report("run-2", "a", 1));
        assert_eq!(short(told.changed(&other)), ["a gone"]);
        assert_eq!(short(told.changed(&other)), [""; 0]);
        assert_eq!(short(told.deleted(&other)), [""; 0]);
        assert_eq!(short(told.changed(&lease("a", 2))), ["a 2 live"]);
    }

    #[test]
    fn what_is_no_report_is_told_and_takes_back_nothing() {
        let mut told = told();
        told.listed(&[lease("a", 1)]);
        let mut damaged = lease("a", 2);
        damaged.metadata.annotations = None;
        let news = short(told.changed(&damaged));
        assert_eq!(news, ["Lease load/tminus-a-main unreadable"]);
        assert_eq!(short(told.changed(&damaged)), [""; 0]);
        assert_eq!(short(told.deleted(&damaged)), ["a gone"]);
    }

    #[test]
    fn a_report_in_anothers_lease_is_nobodys() {
        let mut told = told();
        let mut forged = lease("a", 1);
        forged.metadata.name = Some("tminus-b-main".to_owned());
        assert_eq!(
            short(told.changed(&forged)),
            ["Lease load/tminus-b-main unreadable"]
        );
        forged.metadata.name = Some("notes".to_owned());
        assert_eq!(
            short(told.changed(&forged)),
            ["Lease load/notes unreadable"]
        );
    }
}
