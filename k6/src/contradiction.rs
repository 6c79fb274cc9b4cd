//! What in a command line, an environment or a configuration file tminus cannot go along with.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Where a wish of the user's was found, in the user's own spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On the command line, `--env` included.
    Flag {
        /// The words.
        spelling: String,
    },
    /// In the environment.
    Variable {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// In k6's configuration file.
    ConfigKey {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
}

impl Source {
    pub(crate) fn variable(name: &'static str, value: &OsStr) -> Self {
        let value = value.to_string_lossy().into_owned();
        Self::Variable { name, value }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Flag { .. } => "leave it out",
            Self::Variable { .. } => "unset it",
            Self::ConfigKey { .. } => "remove it there, or name another file with `--config`",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { spelling } => write!(f, "`{spelling}`"),
            Self::Variable { name, value } => write!(f, "`{name}={value}` in the environment"),
            Self::ConfigKey { key, path } => write!(f, "\"{key}\" in {}", path.display()),
        }
    }
}

/// One thing that keeps tminus from starting a k6 as it was told to; it says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Contradiction {
    /// An address for k6's API.
    #[error(
        "{0} gives k6's API an address, but tminus opens it on a loopback port of its own: {remedy}",
        remedy = .0.remedy()
    )]
    Address(Source),
    /// Not paused.
    #[error(
        "{0} would start the load at once, but tminus holds k6 paused until the instant: {remedy}",
        remedy = .0.remedy()
    )]
    NotPaused(Source),
    /// That k6 shall run setup() itself.
    #[error(
        "{0} tells k6 to run setup() itself, but who runs it is said to tminus (`--setup early` or \
         `--setup k6`): {remedy}",
        remedy = .0.remedy()
    )]
    SetupByK6(Source),
    /// That k6 shall stay when the test is over.
    #[error(
        "{0} keeps k6 alive after the test, but a runner is finished when its k6 ends: {remedy}",
        remedy = .0.remedy()
    )]
    Linger(Source),
    /// A truth value that k6 would refuse too: with 255 for a flag, with 104 for a variable.
    #[error(
        "k6 cannot read the truth value of {0}, and would exit: write `true` or `false`, or {remedy}",
        remedy = .0.remedy()
    )]
    NotATruthValue(Source),
    /// A wish for k6's help.
    #[error(
        "{0} makes k6 print its help and run nothing: {remedy}, or ask k6 itself without tminus",
        remedy = .0.remedy()
    )]
    Help(Source),
    /// No script.
    #[error("`k6 run` was given no script: name a file, or `-` for the standard input")]
    NoScript,
    /// More than one word that k6 would take for the script.
    #[error(
        "`k6 run` takes one script, but was given `{words}`: leave all but one out",
        words = .0.join("`, `")
    )]
    ManyScripts(Vec<String>),
    /// A flag where k6 expects none any more.
    #[error("`{0}` stands after `--`, where k6 takes it for a script: write it before `--`")]
    FlagAfterDashes(String),
    /// An unknown flag behind which a contradiction could hide.
    #[error(
        "`{flag}` is not known from k6 v1.1 or v2.2, so it is unclear what `{word}` means to k6: \
         correct it, or write it alone and with its value, as in `--flag=value`"
    )]
    UnknownFlag {
        /// The word with the unknown flag.
        flag: String,
        /// The word that is unclear, which may be the same.
        word: String,
    },
}
