//! A stand-in for `k6 run --paused --address … --no-setup script.js` that acts as k6 does on its REST API, and in
//! the ways that the real one shows rarely or never. It records what it was sent, and when.
//!
//! A test says how it is to behave, gives its environment to the program under test, and reads the record:
//!
//! ```no_run
//! use support::{fake_k6::{Answer, Behaviour, FakeK6}, process::Program, programs, scratch::Scratch};
//!
//! let scratch = Scratch::new();
//! let k6 = FakeK6::new(&scratch, "k6", &Behaviour { resume: Answer::Never, ..Behaviour::default() });
//! let agent = k6.environment(Program::new(programs::agent())).args(["--"]).args([k6.program()]).start();
//! ```

mod api;
mod program;
mod record;

use std::{ffi::OsStr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{process::Program, programs, scratch::Scratch};
pub use program::main;
pub use record::{Event, Record};

/// The variable that holds the behaviour, as JSON.
const BEHAVIOUR: &str = "FAKE_K6";

/// The variable that names the file with the record.
const RECORD: &str = "FAKE_K6_RECORD";

/// How a stand-in behaves. By default as a k6 whose VUs are built, and whose run takes 200 ms and ends well.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Written to standard output at the start.
    pub stdout: String,
    /// Written to standard error at the start.
    pub stderr: String,
    /// How many starts fail with 106, as when another program has taken the port, before one succeeds.
    pub port_taken: usize,
    /// How long the init context takes, during which the API refuses connections. `None`: it never opens.
    pub init: Option<Duration>,
    /// The statuses told, one for each question, before 4 (paused before the run). A resume in the meantime is
    /// accepted, and takes effect when they have been told.
    pub building: Vec<u8>,
    /// It ends by itself, with this code, so long after its API has opened, if it still waits to be resumed.
    pub ends_waiting: Option<(Duration, u8)>,

    /// How `GET /v1/status` is answered.
    pub status: Answer,
    /// How `POST /v1/setup` is answered,
    pub setup: Answer,
    /// and after how long.
    pub setup_takes: Duration,
    /// How `POST /v1/teardown` is answered.
    pub teardown: Answer,
    /// How the first resume is answered. To one too many k6 answers 500, and so does the stand-in.
    pub resume: Answer,

    /// Whether a resume starts the run, whatever its answer.
    pub starts: bool,
    /// The statuses told, one for each question, after the start and before 7 (running).
    pub starting: Vec<u8>,
    /// How long the run takes.
    pub run: Duration,
    /// The code that it then ends with.
    pub exit_code: u8,

    /// Whether a stop by the API is accepted but has no effect. Else it ends with 103.
    pub ignores_stop: bool,
    /// Whether SIGTERM and SIGINT have no effect. Else it ends with 105.
    pub ignores_signals: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            stdout: String::new(),
            stderr: String::new(),
            port_taken: 0,
            init: Some(Duration::ZERO),
            building: Vec::new(),
            ends_waiting: None,
            status: Answer::AsK6,
            setup: Answer::AsK6,
            setup_takes: Duration::ZERO,
            teardown: Answer::AsK6,
            resume: Answer::AsK6,
            starts: true,
            starting: Vec::new(),
            run: Duration::from_millis(200),
            exit_code: 0,
            ignores_stop: false,
            ignores_signals: false,
        }
    }
}

/// How a request is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// As by k6 when all is well.
    AsK6,
    /// With a status that is no success, and this as `errors[0].detail`.
    Error(u16, String),
    /// With 200 and a body that is not JSON.
    Garbage,
    /// As by k6, but with so many bytes of data besides.
    Huge(usize),
    /// The connection is closed instead.
    Close,
    /// Not at all: the connection stays open.
    Never,
}

/// A stand-in that a test has set up.
pub struct FakeK6 {
    behaviour: String,
    record: PathBuf,
}

impl FakeK6 {
    /// One that behaves so, and keeps its record in `scratch` under this name.
    pub fn new(scratch: &Scratch, name: &str, behaviour: &Behaviour) -> Self {
        Self {
            behaviour: serde_json::to_string(behaviour).unwrap(),
            record: scratch.path().join(format!("{name}.jsonl")),
        }
    }

    /// Its program, to be named in place of k6.
    pub fn program(&self) -> PathBuf {
        programs::fake_k6()
    }

    /// Lets `program` hand its behaviour to it.
    pub fn environment(&self, program: Program) -> Program {
        let variables = self.variables().into_iter();
        variables.fold(program, |program, (variable, value)| {
            program.env(variable, value)
        })
    }

    /// What `environment` sets.
    pub(crate) fn variables(&self) -> [(&'static str, &OsStr); 2] {
        [
            (BEHAVIOUR, self.behaviour.as_ref()),
            (RECORD, self.record.as_ref()),
        ]
    }

    /// What has happened to it so far, in order, over all its starts.
    pub fn record(&self) -> Vec<Record> {
        record::read(&self.record)
    }

    /// The requests among them of one kind, such as `"PATCH /v1/status"`.
    pub fn requests(&self, request: &str) -> Vec<Record> {
        let mut records = self.record();
        records.retain(
            |record| matches!(&record.event, Event::Request { request: it, .. } if it == request),
        );
        records
    }
}

#[cfg(test)]
mod tests;
