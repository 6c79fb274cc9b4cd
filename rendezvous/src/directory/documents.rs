//! From what stands in a file to the document that its name promises.

use std::path::Path;

use super::file::Content;
use super::layout::shown;
use crate::abort::Abort;
use crate::document::{DocumentError, DocumentKind, Problem, same};
use crate::names::{RunnerId, StageName};
use crate::plan::Plan;
use crate::report::Report;
use crate::store::Slot;

/// A stage's plan.
pub fn plan(content: &Content, path: &Path, stage: &StageName) -> Slot<Plan> {
    document(DocumentKind::Plan, content, path, |text| {
        let plan = Plan::from_json(text)?;
        same("stage", &plan.stage, stage, "file")?;
        Ok(plan)
    })
}

/// The run-wide abort.
pub fn abort(content: &Content, path: &Path) -> Slot<Abort> {
    document(DocumentKind::Abort, content, path, Abort::from_json)
}

/// A runner's report for a stage.
pub fn report(
    content: &Content,
    path: &Path,
    stage: &StageName,
    runner: &RunnerId,
) -> Slot<Report> {
    document(DocumentKind::Report, content, path, |text| {
        let report = Report::from_json(text)?;
        same("stage", &report.stage, stage, "file")?;
        same("runner", &report.runner, runner, "file")?;
        Ok(report)
    })
}

/// A file among the reports whose name is none of ours.
pub fn foreign_report(path: &Path) -> DocumentError {
    DocumentError {
        kind: DocumentKind::Report,
        location: shown(path),
        problem: Problem::Foreign("a file of another name than <runner id>.json".to_owned()),
    }
}

fn document<T>(
    kind: DocumentKind,
    content: &Content,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> Slot<T> {
    let read = match content {
        Content::Absent => return Ok(None),
        Content::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => parse(text),
            Err(error) => Err(Problem::Syntax(error.to_string())),
        },
        &Content::TooLong { bytes, longest } => Err(Problem::TooLong { bytes, longest }),
        Content::Foreign(what) => Err(Problem::Foreign((*what).to_owned())),
    };
    read.map(Some).map_err(|problem| DocumentError {
        kind,
        location: shown(path),
        problem,
    })
}
