//! What a k6 command line says, and the one that tminus starts.
//!
//! tminus owns three flags of `k6 run`: `--paused`, `--address` and `--no-setup`. This crate
//! reads the command line, the environment and the configuration file exactly as k6 does (v1.1
//! and v2.2), refuses what contradicts those three, and writes the command line that has each
//! of them once. It starts nothing; the only I/O is [`ConfigFile::find`].
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use k6::{CommandLine, ConfigFile, Environment};
//!
//! let argv = ["k6", "run", "-qp", "script.js"].map(Into::into);
//! let environment = Environment::default();
//!
//! let command_line = CommandLine::parse(&argv)?;
//! let config = ConfigFile::parse("k6.json".into(), br#"{"linger": false}"#)?;
//! let run = command_line.check(&environment, Some(&config)).expect("nothing contradicts");
//!
//! assert_eq!(
//!     run.paused_at("127.0.0.1:4711".parse()?, true),
//!     ["k6", "run", "--paused", "--address", "127.0.0.1:4711", "--no-setup", "-q", "script.js"],
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # What counts for k6, found by experiment with v1.1.0 and v2.2.0
//!
//! - A flag beats a variable, a variable beats the script's options, and those beat the
//!   configuration file. Of a flag given more than once the last counts.
//! - `-e K6_LINGER=true` counts like the variable of that name, and beats it: k6 reads its own
//!   variables from the same map that `--env` adds to. Only `K6_ADDRESS` and `K6_CONFIG` are read
//!   before that; and with `--include-system-env-vars=false` the two are kept apart.
//! - A variable's truth value is `true` or `false`; empty or `null` is the same as unset; for
//!   anything else k6 exits with 104, although a flag may already have decided the matter. A
//!   flag's truth value may also be `1`, `t`, `T`, `TRUE`, `True`, and likewise for false.
//! - `K6_ADDRESS` is ignored by v1 and obeyed by v2, where the flag beats it.

mod anchor;
mod check;
mod command_line;
mod config;
mod contradiction;
mod environment;
pub mod flags;
mod parse;
mod run;
mod said;
mod subcommand;
mod web_dashboard;

pub use command_line::{CommandLine, CommandLineError};
pub use config::{ConfigError, ConfigFile};
pub use contradiction::{Contradiction, Source};
pub use environment::Environment;
pub use run::{Run, Script};
