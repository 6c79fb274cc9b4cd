//! `local`, which starts its runners itself.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use crate::{process::Program, programs, scratch::Scratch};

/// Where `local` is started: a directory with nothing in it but what the test puts there. Its runners' directories
/// are made below `out`.
pub struct Local {
    home: Scratch,
}

impl Local {
    /// An empty one.
    #[allow(
        clippy::new_without_default,
        reason = "a default value that makes a directory would surprise"
    )]
    pub fn new() -> Self {
        let home = Scratch::new();
        fs::create_dir(home.path().join("tmp")).unwrap();
        Self { home }
    }

    /// The directory.
    pub fn home(&self) -> &Scratch {
        &self.home
    }

    /// `local` with so many runners, these options and this command for k6. It tells its result in JSON.
    pub fn program(
        &self,
        runners: usize,
        options: &[&str],
        k6: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Program {
        Program::new(programs::scheduler())
            .args(["local", "--runners", &runners.to_string()])
            .args(options)
            .args(["--"])
            .args(k6)
            .current_dir(self.home.path())
            // Not as arguments, so that a test may say otherwise.
            .env("TMINUS_DIR", "out")
            .env("TMINUS_OUTPUT", "json")
            .env("TMPDIR", self.home.path().join("tmp"))
    }

    /// A path below a runner's own directory.
    pub fn of_runner(&self, number: usize, path: &str) -> PathBuf {
        let below = format!("out/runner-{number}");
        self.home.path().join(below).join(path)
    }

    /// What a runner's agent and k6 have printed.
    pub fn log(&self, number: usize) -> String {
        fs::read_to_string(self.of_runner(number, "k6.log")).unwrap()
    }

    /// # Panics
    /// If anything was made besides the runners' directories and what the test has put there.
    pub fn assert_tidy(&self, put_there: &[&str]) {
        let strange = |path: &PathBuf| {
            !path.starts_with("out") && !put_there.iter().any(|it| path == Path::new(it))
        };
        let strange: Vec<_> = self.home.files().into_iter().filter(strange).collect();
        assert!(strange.is_empty(), "left behind: {strange:?}");
        let store = self.home.path().join("out/store");
        assert!(!store.exists(), "the store is still there");
    }
}
