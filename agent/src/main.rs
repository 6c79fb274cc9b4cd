//! Starts k6 paused and resumes it at the agreed instant.

use std::process::ExitCode;

fn main() -> ExitCode {
    match agent::cli::parse() {
        // The log is written to its end when `_log` is dropped.
        Ok((cli, _log)) => ExitCode::from(agent::run::main(cli)),
        Err(code) => ExitCode::from(code),
    }
}
