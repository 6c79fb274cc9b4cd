//! A directory of a test's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// An empty directory that goes, with all that is in it, when it is dropped.
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes one.
    #[allow(
        clippy::new_without_default,
        reason = "a default value that makes a directory would surprise"
    )]
    pub fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("tminus-test-")
                .tempdir()
                .unwrap(),
        )
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, for instance a k6 script, and gives its whole path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The files below the directory, relative to it, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path().strip_prefix(self.path()).unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_is_in_it_and_leaves_nothing_behind() {
        let scratch = Scratch::new();
        let script = scratch.write("script.js", "export default function () {}");
        fs::create_dir_all(scratch.path().join("a/b")).unwrap();
        scratch.write("a/b/c.txt", "");
        assert_eq!(
            scratch.files(),
            [Path::new("a/b/c.txt"), Path::new("script.js")]
        );

        drop(scratch);
        assert!(!script.parent().unwrap().exists());
    }
}
