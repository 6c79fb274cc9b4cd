//! The store as values: the documents as they are written, and the conditions under which they are.

use std::rc::Rc;

use rendezvous::{
    Abort, DocumentError, DocumentKind, Plan, Report, RunId, Slot, StageName, Write,
    document::Problem,
};

use super::time::utc;

/// What stands in the place of a document.
pub type Text = Option<Rc<str>>;

/// The run of which all is.
pub fn run() -> RunId {
    RunId::new("run-1").unwrap()
}

/// Its only stage.
pub fn stage() -> StageName {
    StageName::new("main").unwrap()
}

/// The store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    /// The plan.
    pub plan: Text,
    /// The abort.
    pub abort: Text,
    /// The reports of the runners.
    pub reports: Vec<Text>,
    /// What is in them, but for when it was said: where only that changes, nothing has happened.
    pub substance: Vec<Text>,
}

impl Store {
    /// The plan as a reader has it.
    pub fn read_plan(&self) -> Slot<Plan> {
        read(&self.plan, DocumentKind::Plan, Plan::from_json)
    }

    /// The abort as a reader has it.
    pub fn read_abort(&self) -> Slot<Abort> {
        read(&self.abort, DocumentKind::Abort, Abort::from_json)
    }

    /// The report of a runner as a reader has it.
    pub fn read_report(&self, runner: usize) -> Slot<Report> {
        read(
            &self.reports[runner],
            DocumentKind::Report,
            Report::from_json,
        )
    }

    /// Writes the plan if what stands there is what was `expected`.
    pub fn write_plan(&mut self, plan: &Plan, expected: &Text) -> Write {
        if self.plan != *expected {
            return Write::Conflict;
        }
        self.plan = Some(plan.to_json().into());
        Write::Done
    }

    /// Writes the report of a runner.
    pub fn write_report(&mut self, runner: usize, report: &Report) {
        let mut substance = report.clone();
        (substance.sequence, substance.clock.utc) = (0, utc(0));
        self.substance[runner] = Some(substance.to_json().into());
        self.reports[runner] = Some(report.to_json().into());
    }

    /// Whether something has happened since.
    pub fn has_news_since(&self, earlier: &Self) -> bool {
        (&self.plan, &self.abort, &self.substance)
            != (&earlier.plan, &earlier.abort, &earlier.substance)
    }

    /// Writes an abort, unless the run has one.
    pub fn write_abort(&mut self, abort: &Abort) {
        let stands = self.read_abort();
        if !matches!(stands, Ok(Some(first)) if first.run == abort.run) {
            self.abort = Some(abort.to_json().into());
        }
    }
}

fn read<T>(text: &Text, kind: DocumentKind, parse: impl Fn(&str) -> Result<T, Problem>) -> Slot<T> {
    let Some(text) = text else { return Ok(None) };
    parse(text).map(Some).map_err(|problem| DocumentError {
        kind,
        location: "the model".to_owned(),
        problem,
    })
}
