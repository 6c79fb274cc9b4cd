//! A `k6 run` command line, read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use thiserror::Error;

use crate::contradiction::{Contradiction, Source};
use crate::flags::truth_value;
use crate::parse::{self, Argument, Doubt};
use crate::subcommand;

/// A `k6 run` command line, read but not yet checked: see [`CommandLine::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) doubts: Vec<Doubt>,
}

/// Why a command line cannot be read as one of `k6 run`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandLineError {
    /// There is no word at all.
    #[error("no command was given: name k6's own after `--`, as in `-- k6 run script.js`")]
    Empty,
    /// There are only flags.
    #[error("`{program}` was given no subcommand: tminus starts `{program} run`")]
    NoSubcommand {
        /// The program.
        program: String,
    },
    /// The word that k6 takes for its subcommand is another one than `run`.
    #[error(
        "k6 takes `{subcommand}` for its subcommand, but tminus starts only `k6 run`; the flags of \
         `run` belong behind it"
    )]
    OtherSubcommand {
        /// The word.
        subcommand: String,
    },
}

impl CommandLine {
    /// Reads a command line, the program first.
    ///
    /// # Errors
    ///
    /// Where no `k6 run` can be seen in it. A missing script, an unknown flag and the like are
    /// told by [`check`](Self::check), together with everything else.
    pub fn parse(argv: &[OsString]) -> Result<Self, CommandLineError> {
        let lossy = |word: &OsString| word.to_string_lossy().into_owned();
        let (program, words) = argv.split_first().ok_or(CommandLineError::Empty)?;
        let run = subcommand::find(words).ok_or_else(|| CommandLineError::NoSubcommand {
            program: lossy(program),
        })?;
        if words[run] != "run" {
            return Err(CommandLineError::OtherSubcommand {
                subcommand: lossy(&words[run]),
            });
        }
        let (arguments, doubts) = parse::parse(&subcommand::without_run(words));
        Ok(Self {
            program: program.clone(),
            arguments,
            doubts,
        })
    }

    /// Each use of a flag, in order: its value, and where it stands.
    pub(crate) fn uses(&self, name: &str) -> Vec<(Option<&OsStr>, Source)> {
        let mut uses = Vec::new();
        for argument in &self.arguments {
            let Argument::Flags(word) = argument else {
                continue;
            };
            for (flag, value) in word.with_values() {
                if flag.name == name {
                    uses.push((
                        value,
                        Source::Flag {
                            spelling: word.spelling(),
                        },
                    ));
                }
            }
        }
        uses
    }

    /// What a switch says in the end, and where. Each use that k6 cannot read is a problem, for
    /// k6 refuses it even if a later one decides.
    pub(crate) fn switch(
        &self,
        name: &str,
        problems: &mut Vec<Contradiction>,
    ) -> Option<(bool, Source)> {
        let mut said = None;
        for (value, source) in self.uses(name) {
            match value.map_or(Some(true), |value| truth_value(value.as_bytes())) {
                Some(value) => said = Some((value, source)),
                None => problems.push(Contradiction::NotATruthValue(source)),
            }
        }
        said
    }

    /// The last value that `--env NAME=VALUE` gives a variable.
    pub(crate) fn passed_variable(&self, name: &str) -> Option<(OsString, Source)> {
        let uses = self.uses("env").into_iter().rev();
        uses.filter_map(|(pair, source)| {
            let value = match pair?.as_bytes().strip_prefix(name.as_bytes())? {
                [] => &[],
                [b'=', value @ ..] => value,
                _ => return None,
            };
            Some((OsStr::from_bytes(value).to_owned(), source))
        })
        .next()
    }

    /// The configuration file named by `--config`.
    pub(crate) fn config(&self) -> Option<&OsStr> {
        let (last, _) = self.uses("config").pop()?;
        last
    }
}
