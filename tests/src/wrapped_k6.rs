//! A k6, real or not, behind a script that notes each start of it and can do something before.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{programs, runner::Launch, stage::Stage};

/// A wrapped k6 that a test has set up.
pub struct WrappedK6 {
    program: PathBuf,
    starts: PathBuf,
    before: String,
}

impl WrappedK6 {
    /// One that stands for `program`, and keeps its notes beside the stage's store.
    pub fn new(stage: &Stage, program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            starts: stage.scratch().path().join("starts"),
            before: String::new(),
        }
    }

    /// Runs this in the shell before each start of the program, with the program's arguments as `$@`.
    pub fn before(mut self, shell: &str) -> Self {
        shell.clone_into(&mut self.before);
        self
    }

    /// What is to be named in place of k6. It is a file of the repository and not written by the test: where
    /// another thread forks at that moment, a file just written cannot be executed.
    pub fn path(&self) -> PathBuf {
        programs::repository().join("tests/scripts/wrapped-k6.sh")
    }

    /// Lets an agent hand to the script what it is to do.
    pub fn environment<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        launch
            .env("WRAPPED_PROGRAM", &self.program)
            .env("WRAPPED_STARTS", &self.starts)
            .env("WRAPPED_BEFORE", &self.before)
    }

    /// The arguments of each start so far, in order.
    pub fn starts(&self) -> Vec<Vec<String>> {
        let notes = match fs::read_to_string(&self.starts) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            notes => notes.unwrap(),
        };
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        notes.lines().map(words).collect()
    }
}
