//! What keeps `local` from starting anything.

use std::io;
use std::path::PathBuf;

use k6::{CommandLineError, ConfigError, Contradiction};
use rendezvous::{RunnerId, StoreError};

use crate::exit::Code;

/// Why `local` did not start anything.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The command line is not one of `k6 run`.
    #[error(transparent)]
    CommandLine(#[from] CommandLineError),
    /// The quorum could never come.
    #[error("{0}")]
    Need(String),
    /// k6's configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command line contradicts a start by tminus.
    #[error("{}", sentences(.0))]
    Contradictions(Vec<Contradiction>),
    /// More than one runner would open the dashboard's port.
    #[error(
        "{0} asks for k6's web dashboard, of which a machine can have one: leave it out, or start one runner"
    )]
    WebDashboard(String),
    /// There is no agent to be found.
    #[error(
        "the agent, {}, is not there: install tminus-agent beside this program or on PATH, or name it with --agent",
        path.display()
    )]
    NoAgent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The directory was used before, and what is there is not to be overwritten.
    #[error(
        "{} is there already, from a run that goes on or one that is over or was killed: give another --dir, \
         or, if nothing runs there, remove {}",
        path.display(), directory.display()
    )]
    Used {
        /// What is there.
        path: PathBuf,
        /// The run's directory.
        directory: PathBuf,
    },
    /// Something of the directory cannot be made.
    #[error("cannot make {}: {source}", path.display())]
    Make {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The script cannot be read.
    #[error("cannot read the script from standard input: {0}")]
    Stdin(io::Error),
    /// An agent cannot be started.
    #[error("cannot start the agent of {runner}: {source}")]
    Spawn {
        /// Whose.
        runner: RunnerId,
        /// Why not.
        source: io::Error,
    },
    /// The system does not let this process look after its children.
    #[error("cannot look after the runners' processes: {0}")]
    Processes(io::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LocalError {
    /// What to exit with.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::CommandLine(_)
            | Self::Config(_)
            | Self::Need(_)
            | Self::Contradictions(_)
            | Self::WebDashboard(_)
            | Self::NoAgent { .. }
            | Self::Used { .. }
            | Self::Stdin(_) => Code::Usage,
            Self::Make { .. } | Self::Spawn { .. } | Self::Processes(_) | Self::Store(_) => {
                Code::NoAccess
            }
        }
    }
}

fn sentences(problems: &[Contradiction]) -> String {
    let sentences: Vec<_> = problems.iter().map(ToString::to_string).collect();
    sentences.join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn why_local_cannot_start() {
        let source = || io::Error::other("no luck");
        let path = || "out/store".into();
        let told = [
            (
                LocalError::WebDashboard("`--out web-dashboard`".to_owned()),
                "`--out web-dashboard` asks for k6's web dashboard, of which a machine can have one: leave it out, or start one runner",
            ),
            (
                LocalError::NoAgent { path: path() },
                "the agent, out/store, is not there: install tminus-agent beside this program or on PATH, or name it with --agent",
            ),
            (
                LocalError::Used {
                    path: path(),
                    directory: "out".into(),
                },
                "out/store is there already, from a run that goes on or one that is over or was killed: give another --dir, or, if nothing runs there, remove out",
            ),
            (
                LocalError::Make {
                    path: path(),
                    source: source(),
                },
                "cannot make out/store: no luck",
            ),
            (
                LocalError::Stdin(source()),
                "cannot read the script from standard input: no luck",
            ),
            (
                LocalError::Spawn {
                    runner: RunnerId::new("a").unwrap(),
                    source: source(),
                },
                "cannot start the agent of a: no luck",
            ),
            (
                LocalError::Processes(source()),
                "cannot look after the runners' processes: no luck",
            ),
        ];
        for (error, words) in told {
            assert_eq!(error.to_string(), words);
        }
    }
}
