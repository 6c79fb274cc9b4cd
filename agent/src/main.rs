//! Starts k6 paused and resumes it at the agreed instant.

use std::process::ExitCode;

use agent::cli::{self, Called};
use agent::process::{guard, signals};
use agent::{clock_check, run};

fn main() -> ExitCode {
    signals::hold_back();
    if let Some(group) = guard::called(std::env::args_os()) {
        guard::watch(group);
        return ExitCode::SUCCESS;
    }
    match cli::parse() {
        // The log is written to its end when `_log` is dropped.
        Ok((Called::Run(cli), _log)) => ExitCode::from(run::main(*cli)),
        Ok((Called::Clock(check), _log)) => {
            signals::let_through();
            ExitCode::from(clock_check::main(&check))
        }
        Err(code) => ExitCode::from(code),
    }
}
