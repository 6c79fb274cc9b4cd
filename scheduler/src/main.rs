//! Makes every k6 runner of a load test start at the same instant.

use std::process::ExitCode;

use scheduler::{cli, commands};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(cli) => commands::run(cli).into(),
        Err(code) => code.into(),
    }
}
