//! The scheduler as a program: for runners that the test starts, and with runners of its own.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    process::{Exit, Program, Running},
    programs,
    runner::SOON,
    scratch::Scratch,
    stage::Stage,
};

/// The store of a stage, as it is named on a command line.
pub fn store_of(stage: &Stage) -> String {
    format!("dir:{}", stage.directory().display())
}

/// A command of the scheduler's, such as `start`, for a stage's store and run.
pub fn command(stage: &Stage, command: &str) -> Program {
    Program::new(programs::scheduler())
        .args([command, "--store", &store_of(stage)])
        .args(["--run", stage.run().as_str()])
        .current_dir(stage.scratch().path())
}

/// Starts `start` with so many runners and these options. It waits for their ends, and tells its result in JSON.
pub fn start(stage: &Stage, runners: usize, options: &[&str]) -> Running {
    command(stage, "start")
        .args(["--runners", &runners.to_string()])
        .args(["--wait", "--output", "json"])
        .args(options)
        .start()
}

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
            .args(["--dir", "out", "--output", "json"])
            .args(options)
            .args(["--"])
            .args(k6)
            .current_dir(self.home.path())
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

/// The end of a scheduler that left no process behind.
#[derive(Debug)]
pub struct Ended {
    /// What it exited with.
    pub code: i32,
    /// How it ended.
    pub exit: Exit,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// Waits for the end of a scheduler, and checks that it left no process behind.
///
/// # Panics
/// If it does not end soon, is killed by a signal, or leaves a process behind.
pub fn ended(scheduler: &Running) -> Ended {
    let exit = scheduler.wait(SOON);
    scheduler.assert_nothing_left();
    let (stdout, stderr) = (scheduler.stdout(), scheduler.stderr());
    let code = exit
        .code
        .unwrap_or_else(|| panic!("{exit:?}\n{stdout}\n{stderr}"));
    Ended {
        code,
        exit,
        stdout,
        stderr,
    }
}

impl Ended {
    /// # Panics
    /// If it did not exit with this code.
    pub fn assert(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// # Panics
    /// If it did not tell this on standard error.
    pub fn assert_told(&self, part: &str) -> &Self {
        let told = &self.stderr;
        assert!(told.contains(part), "no {part:?} in\n{told}");
        self
    }

    /// Its result.
    ///
    /// # Panics
    /// If its standard output is anything but one line of JSON, or says another exit code.
    pub fn result(&self) -> Outcome {
        let line = self.stdout.strip_suffix('\n');
        let line = line.filter(|line| !line.contains('\n'));
        let line = line.unwrap_or_else(|| panic!("not one line: {self:#?}"));
        let result: Value = serde_json::from_str(line).unwrap();
        assert_eq!(result["exit_code"], self.code, "{result:#}");
        Outcome(result)
    }
}

/// The result of a start, as the scheduler tells it to machines.
#[derive(Debug)]
pub struct Outcome(pub Value);

impl Outcome {
    /// The instant, if one was set.
    pub fn start_at(&self) -> Option<DateTime<Utc>> {
        time(&self.0["start_at"])
    }

    /// What it says of the runner of this name, if it knows one.
    pub fn runner(&self, name: &str) -> Option<&Value> {
        let runners = self.0["runners"].as_array().unwrap();
        runners.iter().find(|runner| runner["runner"] == name)
    }

    /// The names of the runners and what each exited with.
    pub fn exit_codes(&self) -> Vec<(&str, Option<i64>)> {
        let runners = self.0["runners"].as_array().unwrap();
        let runners = runners.iter();
        runners
            .map(|runner| (runner["runner"].as_str().unwrap(), runner["exit_code"].as_i64()))
            .collect()
    }

    /// # Panics
    /// If it does not name these runners, in this order and with these exit codes.
    pub fn assert_exit_codes(&self, codes: &[(&str, i64)]) -> &Self {
        let expected: Vec<_> = codes.iter().map(|(name, code)| (*name, Some(*code))).collect();
        assert_eq!(self.exit_codes(), expected, "{:#}", self.0);
        self
    }

    /// # Panics
    /// If it ended in another way than this, or says less of it than this.
    pub fn assert_ending(&self, kind: &str, message: &str) -> &Self {
        let told = self.0["message"].as_str().unwrap();
        assert!(self.0["result"] == kind && told.contains(message), "{:#}", self.0);
        self
    }
}

/// A time in a result.
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}
