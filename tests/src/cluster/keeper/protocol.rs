//! What a test and the keeper of its cluster say to each other: a line of JSON each.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the keeper says once, before anything else.
#[derive(Debug, Serialize, Deserialize)]
pub struct Begun {
    /// An empty folder that goes with the cluster.
    pub folder: PathBuf,
    /// The process below which all others run; in a node's namespaces, where there are some.
    pub process: i32,
    /// The node's cgroup, as in `/proc/self/cgroup`.
    pub cgroup: Option<String>,
}

/// What the keeper is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Starts a program.
    Start(Daemon),
    /// Sends a program, which is named, a signal, by its number.
    Signal(String, i32),
    /// Ends a program with SIGKILL and waits for its end.
    Kill(String),
    /// Names the programs that have ended without being asked to.
    Check,
}

/// Its answer; an error says what went wrong.
pub type Reply = Result<(), String>;

/// A program that runs until it is killed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Daemon {
    /// What it is called here. It runs in the folder, and its output goes to `NAME.log` there.
    pub name: String,
    /// Its file.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What its environment has besides the keeper's own.
    pub environment: Vec<(String, String)>,
}
