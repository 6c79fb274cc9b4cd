//! The directory of a local run: one for each runner, which stay, and the store, which
//! goes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rendezvous::{RunId, RunnerId};
use tracing::warn;

use super::error::LocalError;

/// Where runs go when nobody says so.
const DEFAULT: &str = "tminus-local";

const STORE: &str = "store";

/// The directory of a local run. The store in it is removed in the end.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes it, for these runners. `base` is an absolute path, which relative paths start from.
    ///
    /// # Errors
    /// [`LocalError::Used`] if an earlier run's files are there, [`LocalError::Make`]
    /// if it cannot be made.
    pub fn make(
        base: &Path,
        directory: Option<&Path>,
        run: &RunId,
        runners: &[RunnerId],
    ) -> Result<Self, LocalError> {
        let default = || Path::new(DEFAULT).join(run.as_str());
        let root = base.join(directory.map_or_else(default, Path::to_owned));
        make(&root, &root, |path| fs::create_dir_all(path))?;
        // Whoever makes the store has the directory, should two come at once.
        make(&root, &root.join(STORE), |path| fs::create_dir(path))?;
        let folder = Self { root };
        for runner in runners {
            make(&folder.root, &folder.runner(runner), |path| {
                fs::create_dir(path)
            })?;
        }
        Ok(folder)
    }

    /// The directory itself, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The store's place.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join(STORE)
    }

    /// A runner's own directory.
    #[must_use]
    pub fn runner(&self, runner: &RunnerId) -> PathBuf {
        self.root.join(runner.as_str())
    }

    /// Makes the file for what a runner's agent and k6 print.
    ///
    /// # Errors
    /// [`LocalError::Make`].
    pub fn log(&self, runner: &RunnerId) -> Result<File, LocalError> {
        make(&self.root, &self.runner(runner).join("k6.log"), |path| {
            File::create_new(path)
        })
    }

    /// Keeps a script that came on standard input, so that each runner can be given it anew.
    ///
    /// # Errors
    /// [`LocalError::Make`].
    pub fn keep_script(&self, script: &[u8]) -> Result<PathBuf, LocalError> {
        let path = self.root.join("script.js");
        let mut file = make(&self.root, &path, |path| File::create_new(path))?;
        make(&self.root, &path, |_| file.write_all(script))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let store = self.store();
        if let Err(error) = fs::remove_dir_all(&store) {
            warn!("cannot remove {}: {error}", store.display());
        }
    }
}

/// Makes something of a run's directory.
fn make<T>(
    directory: &Path,
    path: &Path,
    how: impl FnOnce(&Path) -> io::Result<T>,
) -> Result<T, LocalError> {
    how(path).map_err(|source| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::AlreadyExists {
            LocalError::Used {
                path,
                directory: directory.to_owned(),
            }
        } else {
            LocalError::Make { path, source }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{run_id, runner};

    fn runners() -> Vec<RunnerId> {
        ["runner-1", "runner-2"].map(runner).to_vec()
    }

    fn make_in(base: &Path, directory: Option<&str>) -> Result<Folder, LocalError> {
        Folder::make(base, directory.map(Path::new), &run_id(), &runners())
    }

    #[test]
    fn each_run_has_a_directory_of_its_own_unless_it_is_given_one() {
        let base = tempfile::tempdir().unwrap();
        let folder = make_in(base.path(), None).unwrap();
        assert_eq!(folder.root(), base.path().join("tminus-local/run-1"));
        let folder = make_in(base.path(), Some("out")).unwrap();
        assert_eq!(folder.root(), base.path().join("out"));
    }

    #[test]
    fn the_runners_directories_stay_and_the_store_goes() {
        let base = tempfile::tempdir().unwrap();
        let folder = make_in(base.path(), Some("out")).unwrap();
        folder.log(&runner("runner-1")).unwrap();
        folder.keep_script(b"export default () => {}").unwrap();
        fs::write(folder.store().join("plan-main.json"), "{}").unwrap();
        drop(folder);
        let out = base.path().join("out");
        assert!(out.join("runner-1/k6.log").exists());
        assert!(out.join("runner-2").is_dir());
        assert!(out.join("script.js").exists());
        assert!(!out.join("store").exists());
    }

    #[test]
    fn an_earlier_runs_files_are_not_overwritten() {
        let base = tempfile::tempdir().unwrap();
        drop(make_in(base.path(), Some("out")).unwrap());
        let error = make_in(base.path(), Some("out")).unwrap_err();
        assert!(matches!(&error, LocalError::Used { path, .. } if path.ends_with("out/runner-1")));
        assert!(!base.path().join("out/store").exists());
    }

    #[test]
    fn what_a_killed_run_left_is_named_with_the_directory_to_remove() {
        let base = tempfile::tempdir().unwrap();
        std::mem::forget(make_in(base.path(), Some("out")).unwrap());
        let error = make_in(base.path(), Some("out")).unwrap_err().to_string();
        let out = base.path().join("out").display().to_string();
        assert!(
            error.starts_with(&format!("{out}/store is there already")),
            "{error}"
        );
        assert!(
            error.ends_with(&format!("if nothing runs there, remove {out}")),
            "{error}"
        );
    }

    #[test]
    fn a_run_that_is_under_way_keeps_its_store() {
        let base = tempfile::tempdir().unwrap();
        let first = make_in(base.path(), Some("out")).unwrap();
        let error = make_in(base.path(), Some("out")).unwrap_err();
        assert!(matches!(&error, LocalError::Used { path, .. } if path.ends_with("out/store")));
        assert!(first.store().is_dir());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("out"), "").unwrap();
        let error = make_in(base.path(), Some("out/here")).unwrap_err();
        assert!(error.to_string().contains("out/here"), "{error}");
    }
}
