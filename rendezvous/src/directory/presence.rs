//! Whether anything of a run stands in a store.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::path::Path;

use super::documents;
use super::error::store_error;
use super::file;
use super::layout::{Entry, Layout};
use crate::abort::Abort;
use crate::names::{RunId, StageName};
use crate::plan::Plan;
use crate::report::Report;
use crate::store::StoreError;

/// Whether a plan, a report or the abort of a run stands there. A plan or an abort that
/// cannot be read may be its own.
pub fn knows(layout: &Layout, run: &RunId) -> Result<bool, StoreError> {
    layout.check_root()?;
    let content = file::read(&layout.abort(), Abort::MOST_BYTES)?;
    match documents::abort(&content, &layout.abort()) {
        Ok(None) => {}
        Ok(Some(abort)) if abort.run != *run => {}
        Ok(Some(_)) | Err(_) => return Ok(true),
    }
    for entry in entries(layout.root())? {
        let Some(stage) = Layout::stage_of_plan(&entry.file_name()) else {
            continue;
        };
        let path = entry.path();
        let content = file::read(&path, Plan::MOST_BYTES)?;
        match documents::plan(&content, &path, &stage) {
            Ok(None) => {}
            Ok(Some(plan)) if plan.run != *run => {}
            Ok(Some(_)) | Err(_) => return Ok(true),
        }
    }
    for folder in entries(&layout.reports())? {
        let stage = folder.file_name().into_string().ok();
        let Some(stage) = stage.and_then(|name| StageName::new(name).ok()) else {
            continue;
        };
        for entry in entries(&folder.path())? {
            if let Entry::Report(runner) = Entry::of(&entry.file_name()) {
                let path = entry.path();
                let content = file::read(&path, Report::MOST_BYTES)?;
                let report = documents::report(&content, &path, &stage, &runner);
                if report.is_ok_and(|report| report.is_some_and(|report| report.run == *run)) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// What is in a directory; nothing if there is none.
fn entries(directory: &Path) -> Result<Vec<DirEntry>, StoreError> {
    let listed = fs::read_dir(directory).and_then(Iterator::collect);
    match listed {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        listed => listed.map_err(|error| store_error("list", directory, &error)),
    }
}
