//! What a stand-in was sent, as a file of JSON lines.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    net::SocketAddr,
    path::Path,
    sync::Mutex,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When: for a request, when its first bytes arrived.
    pub at: DateTime<Utc>,
    /// What.
    pub event: Event,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It was started with these arguments.
    Started(Vec<String>),
    /// Its API has opened, here.
    Listening(SocketAddr),
    /// A whole request came.
    Request {
        /// Method and path.
        request: String,
        /// The body.
        body: String,
    },
    /// The client went away from this request (method and path) before it had its answer.
    Abandoned(String),
    /// SIGTERM or SIGINT came.
    Signalled,
    /// It is about to end with this code.
    Exiting(u8),
}

/// The file while it is written.
pub struct Recorder(Mutex<File>);

impl Recorder {
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self(Mutex::new(file.unwrap_or_else(|error| {
            panic!("{}: {error}", path.display())
        })))
    }

    pub fn note(&self, at: DateTime<Utc>, event: Event) {
        let mut line = serde_json::to_vec(&Record { at, event }).unwrap();
        line.push(b'\n');
        self.0.lock().unwrap().write_all(&line).unwrap();
    }
}

/// Reads all whole lines; a file that does not exist yet has none.
pub fn read(path: &Path) -> Vec<Record> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.unwrap(),
    };
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
