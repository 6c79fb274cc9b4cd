//! Whether the real k6, of both generations, reads command lines as this crate does.
#![allow(clippy::unwrap_used)]

mod flags;
mod paused;
mod reading;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Both generations of k6.
#[derive(Debug, Clone, Copy)]
enum K6 {
    V1,
    V2,
}

impl K6 {
    /// The program: named by a variable, or where `make tools` puts it.
    fn program(self) -> PathBuf {
        let (variable, default) = match self {
            Self::V1 => ("TMINUS_K6_V1", "k6-1.1.0/bin/k6"),
            Self::V2 => ("TMINUS_K6_V2", "k6-2.2.0/k6"),
        };
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
        let program = std::env::var_os(variable).map_or(tools.join(default), PathBuf::from);
        assert!(
            program.is_file(),
            "there is no k6 at {}: run `make tools`, or name one in {variable}",
            program.display()
        );
        program
    }

    /// A command in a directory, with no variable but those named, and no report to k6's makers.
    fn command<'a>(
        self,
        arguments: impl IntoIterator<Item = OsString>,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        directory: &Path,
    ) -> Command {
        let mut command = Command::new(self.program());
        command
            .args(arguments)
            .env_clear()
            .env("HOME", directory)
            .env("K6_NO_USAGE_REPORT", "true")
            .envs(variables)
            .current_dir(directory)
            .stdin(Stdio::null());
        command
    }
}
