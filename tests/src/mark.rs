//! Knowing one's processes again: each program under test carries a mark in its environment, which all that it
//! starts inherit, whatever process group they move to and whoever adopts them.

use std::{
    ffi::OsStr,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use procfs::process::{Process, all_processes};
use uuid::Uuid;

/// The variable that holds the mark.
pub const VARIABLE: &str = "TMINUS_TEST_MARK";

/// How long the kernel may take to remove a process that has been killed: on a busy machine far longer than
/// the milliseconds that it needs, and far shorter than any load would last.
const KILL_TAKES: Duration = Duration::from_secs(2);

/// How often it is looked meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// A mark that no other process carries.
#[derive(Debug)]
pub struct Mark(String);

/// A running process that carries the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Its id.
    pub id: Pid,
    /// Its name: that of its program, at most 15 bytes of it.
    pub name: String,
    /// Its program and arguments.
    pub command_line: Vec<String>,
}

impl Mark {
    /// Makes one.
    #[allow(
        clippy::new_without_default,
        reason = "each is another: there is no default one"
    )]
    pub fn new() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// What `VARIABLE` is to be set to.
    pub fn value(&self) -> &str {
        &self.0
    }

    /// The processes that carry it, zombies left out.
    pub fn processes(&self) -> Vec<Marked> {
        all_processes()
            .expect("/proc can be read")
            .filter_map(|process| self.marked(&process.ok()?))
            .collect()
    }

    /// `None` as well for a process that ends while it is looked at.
    fn marked(&self, process: &Process) -> Option<Marked> {
        let environment = process.environ().ok()?;
        (environment.get(OsStr::new(VARIABLE))? == self.value()).then_some(())?;
        Some(Marked {
            id: Pid::from_raw(process.pid),
            name: process.stat().ok()?.comm,
            command_line: process.cmdline().ok()?,
        })
    }

    /// Kills all that carry it; gives those that are there all the same.
    pub fn kill(&self) -> Vec<Marked> {
        self.watch(|process| {
            // It may have ended by itself.
            let _ = kill(process.id, Signal::SIGKILL);
        })
    }

    /// # Panics
    /// If a process carries the mark, though it was given the time that a killed one needs to go.
    pub fn assert_none(&self) {
        let left = self.watch(|_| {});
        assert!(left.is_empty(), "left behind: {left:#?}");
    }

    fn watch(&self, each: impl Fn(&Marked)) -> Vec<Marked> {
        let deadline = Instant::now() + KILL_TAKES;
        loop {
            let left = self.processes();
            if left.is_empty() || Instant::now() > deadline {
                return left;
            }
            left.iter().for_each(&each);
            sleep(PAUSE);
        }
    }
}
