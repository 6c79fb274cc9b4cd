//! Which file holds which document. The names are checked when they are made,
//! so none of these paths leaves the directory.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::store_error;
use crate::names::{RunnerId, StageName};
use crate::store::StoreError;

/// The paths of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

/// What a file among the reports is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The report of a runner.
    Report(RunnerId),
    /// A draft that is being written, or was when its writer was killed.
    Draft,
    /// Nothing of ours.
    Foreign,
}

impl Layout {
    /// The paths below a directory, given as an absolute path.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A stage's plan.
    pub fn plan(&self, stage: &StageName) -> PathBuf {
        self.root.join(format!("plan-{stage}.json"))
    }

    /// The stage whose plan a file of this name is, if it is any's.
    pub fn stage_of_plan(name: &OsStr) -> Option<StageName> {
        let stage = name
            .to_str()?
            .strip_prefix("plan-")?
            .strip_suffix(".json")?;
        StageName::new(stage).ok()
    }

    /// The run-wide abort.
    pub fn abort(&self) -> PathBuf {
        self.root.join("abort.json")
    }

    /// The directory of all reports.
    pub fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// The directory of a stage's reports.
    pub fn stage(&self, stage: &StageName) -> PathBuf {
        self.reports().join(stage.as_str())
    }

    /// A runner's report.
    pub fn report(&self, stage: &StageName, runner: &RunnerId) -> PathBuf {
        self.stage(stage).join(format!("{runner}.json"))
    }

    /// The directory of all places that runners hold.
    pub fn places(&self) -> PathBuf {
        self.root.join("places")
    }

    /// The directory of the places that runners of a stage hold.
    pub fn places_of(&self, stage: &StageName) -> PathBuf {
        self.places().join(stage.as_str())
    }

    /// The file that a runner's process locks as long as it lives. It stays, with the note that it left there.
    pub fn place(&self, stage: &StageName, runner: &RunnerId) -> PathBuf {
        self.places_of(stage).join(format!("{runner}.lock"))
    }

    /// A file that is never there, by whose draft writing is tried.
    pub fn probe(&self) -> PathBuf {
        self.root.join("writable")
    }

    /// Whether there is a store at all: only then a file that is not there means
    /// that nothing was written.
    pub fn check_root(&self) -> Result<(), StoreError> {
        let detail = match std::fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => return Ok(()),
            Ok(_) => "it is no directory",
            Err(error) if error.kind() == ErrorKind::NotFound => "there is no such directory",
            Err(error) => return Err(store_error("use the store in", &self.root, &error)),
        };
        Err(StoreError::Unavailable {
            action: format!("use the store in {}", shown(&self.root)),
            detail: detail.to_owned(),
        })
    }
}

impl Entry {
    /// What a file among the reports is.
    pub fn of(name: &OsStr) -> Self {
        let Some(name) = name.to_str() else {
            return Self::Foreign;
        };
        if name.starts_with('.') && name.ends_with(".tmp") {
            return Self::Draft;
        }
        name.strip_suffix(".json")
            .and_then(|runner| RunnerId::new(runner).ok())
            .map_or(Self::Foreign, Self::Report)
    }
}

/// Where the draft of a document is written: beside it, as a rename must not
/// cross file systems, and under one name only, so that writers that are killed
/// leave one file at most.
pub fn draft_of(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.tmp"))
}

/// A path as it is told to people: without control characters, which a foreign
/// file's name may hold.
pub fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[test]
    fn every_document_has_a_file_of_its_own_below_the_directory() {
        let layout = Layout::new("/s".into());
        let stage = StageName::new("z-warmup").unwrap();
        let runner = RunnerId::new("k6-1").unwrap();
        assert_eq!(layout.plan(&stage), Path::new("/s/plan-z-warmup.json"));
        assert_eq!(layout.abort(), Path::new("/s/abort.json"));
        let report = layout.report(&stage, &runner);
        assert_eq!(report, Path::new("/s/reports/z-warmup/k6-1.json"));
        assert_eq!(
            draft_of(&report),
            Path::new("/s/reports/z-warmup/.k6-1.json.tmp")
        );
    }

    #[rstest]
    #[case("k6-1.json", Entry::Report(RunnerId::new("k6-1").unwrap()))]
    #[case(".k6-1.json.tmp", Entry::Draft)]
    #[case("k6-1", Entry::Foreign)]
    #[case("k6-1.json.bak", Entry::Foreign)]
    #[case(".json", Entry::Foreign)]
    #[case(".hidden", Entry::Foreign)]
    #[case("K6.json", Entry::Foreign)]
    #[case("a b.json", Entry::Foreign)]
    fn a_file_among_the_reports_is_known_by_its_name(#[case] name: &str, #[case] entry: Entry) {
        assert_eq!(Entry::of(OsStr::new(name)), entry);
    }

    #[test]
    fn a_name_that_is_no_text_is_foreign_and_is_shown_on_one_line() {
        use std::os::unix::ffi::OsStrExt;
        let name = OsStr::from_bytes(b"\xff\x1b[2J\n.json");
        assert_eq!(Entry::of(name), Entry::Foreign);
        let text = shown(&Path::new("/s").join(name));
        assert!(text.starts_with("/s/"));
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
