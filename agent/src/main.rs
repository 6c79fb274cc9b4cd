//! Starts k6 paused and resumes it at the agreed instant.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::cli::parse().map_or_else(ExitCode::from, |cli| ExitCode::from(agent::run::main(cli)))
}
