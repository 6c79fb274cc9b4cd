//! A run whose agents the test starts, and whose scheduler is the real one.

use std::{
    ffi::{OsStr, OsString},
    fs,
    net::SocketAddr,
    path::PathBuf,
};

use crate::{
    ntp::named,
    process::{Program, Running},
    programs::{self, K6},
    runner::{Launch, Runner, k6_run},
    stage::Stage,
    target::Target,
    wrapped_k6::WrappedK6,
};

/// Options with which no test waits longer for its instant than it must.
pub const SOONEST: [&str; 2] = ["--lead", "1s"];

/// A command of the scheduler's for the run of this stage, in its store.
pub fn command_for(stage: &Stage, command: &str) -> Program {
    let store = format!("dir:{}", stage.directory().display());
    Program::new(programs::scheduler()).args([
        command,
        "--store",
        &store,
        "--run",
        stage.run().as_str(),
    ])
}

/// A run of a test's own: its store, its target, and its k6.
pub struct Run {
    /// The one stage of it.
    pub stage: Stage,
    /// Where its load goes.
    pub target: Target,
    k6: PathBuf,
}

impl Run {
    /// One in which nothing has happened yet, with k6 v1: the version makes no difference to the scheduler.
    #[allow(
        clippy::new_without_default,
        reason = "a default value that listens on a port would surprise"
    )]
    pub fn new() -> Self {
        Self {
            stage: Stage::new(),
            target: Target::start(),
            k6: K6::V1.program().unwrap(),
        }
    }

    /// The runner of this name, about to be started.
    pub fn launch<'a>(&'a self, name: &str) -> Launch<'a> {
        Launch::new(&self.stage, name).env("TARGET", self.target.url())
    }

    /// The command for a script of the tests.
    pub fn k6(&self, script: &str) -> Vec<OsString> {
        k6_run(&self.k6, &[], script)
    }

    /// A runner with a setup(), whose load takes this long.
    pub fn runner<'a>(&'a self, name: &str, duration: &str) -> Runner<'a> {
        self.launch(name)
            .env("DURATION", duration)
            .start(self.k6("one-is-different"))
    }

    /// One that asks these servers for the time, and whose load is one request.
    pub fn asking<'a>(&'a self, name: &str, servers: &[SocketAddr]) -> Runner<'a> {
        self.launch(name)
            .options(["--ntp", &named(servers)])
            .start(self.k6("one-iteration"))
    }

    /// One whose load takes a second, and whose k6 is held up until it is [released](Self::release).
    pub fn held<'a>(&'a self, name: &str) -> Runner<'a> {
        let k6 = WrappedK6::new(&self.stage, &self.k6)
            .before("until [ -e \"released-$TMINUS_RUNNER\" ]; do sleep 0.02; done");
        let command = k6_run(&k6.path(), &[], "one-is-different");
        k6.environment(self.launch(name)).start(command)
    }

    /// Lets the k6 of a runner go that is held up.
    pub fn release(&self, name: &str) {
        let path = self.stage.scratch().path().join(format!("released-{name}"));
        fs::write(path, "").unwrap();
    }

    /// Whether a plan stands in the store.
    pub fn has_plan(&self) -> bool {
        self.stage.plan_file().exists()
    }

    /// A command of the scheduler's, such as `status`, for this run.
    pub fn command(&self, command: &str) -> Program {
        command_for(&self.stage, command)
            .current_dir(self.stage.scratch().path())
            // Not as an argument, so that a test may say otherwise.
            .env("TMINUS_OUTPUT", "json")
    }

    /// Starts `start` with so many runners and these options. It waits for their ends, and tells its result in
    /// JSON.
    pub fn start(
        &self,
        runners: usize,
        options: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Running {
        self.command("start")
            .args(["--wait", "--runners", &runners.to_string()])
            .args(options)
            .start()
    }
}
