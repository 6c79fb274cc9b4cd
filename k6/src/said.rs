//! What the command line and the environment say together.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::command_line::CommandLine;
use crate::contradiction::{Contradiction, Source};
use crate::environment::Environment;
use crate::flags::truth_value;

/// A command line and the environment that k6 would read it in.
pub(crate) struct Said<'a> {
    pub(crate) command_line: &'a CommandLine,
    environment: &'a Environment,
    /// Whether `--env` reaches k6's own variables, and not the script's alone.
    env_flag_counts: bool,
}

impl<'a> Said<'a> {
    pub(crate) fn new(command_line: &'a CommandLine, environment: &'a Environment) -> Self {
        // A truth value that k6 refuses settles nothing, and k6 says so itself.
        let by_flag = command_line
            .switch("include-system-env-vars", &mut Vec::new())
            .map(|(value, _)| value);
        let by_variable = || {
            let value = environment.get("K6_INCLUDE_SYSTEM_ENV_VARS")?;
            truth_value(value.as_bytes())
        };
        Self {
            command_line,
            environment,
            env_flag_counts: by_flag.or_else(by_variable).unwrap_or(true),
        }
    }

    /// A variable as k6 sees it.
    ///
    /// k6 adds what `--env` passes to the very map that it then reads its own variables from,
    /// unless the script is not to see the system's.
    pub(crate) fn variable(&self, name: &'static str) -> Option<(OsString, Source)> {
        if self.env_flag_counts
            && let Some(passed) = self.command_line.passed_variable(name)
        {
            return Some(passed);
        }
        let value = self.environment.get(name)?;
        Some((value.to_owned(), Source::variable(name, value)))
    }

    /// A variable's truth value: k6 knows two, in one spelling, and none for an empty one.
    pub(crate) fn variable_truth(
        &self,
        name: &'static str,
        problems: &mut Vec<Contradiction>,
    ) -> Option<(bool, Source)> {
        let (value, source) = self.variable(name)?;
        match value.as_bytes() {
            b"" | b"null" => None,
            b"true" => Some((true, source)),
            b"false" => Some((false, source)),
            _ => {
                problems.push(Contradiction::NotATruthValue(source));
                None
            }
        }
    }

    /// What a flag and a variable say together. The variable is read even where the flag decides,
    /// for k6 refuses a bad one all the same.
    pub(crate) fn truth(
        &self,
        flag: &str,
        variable: &'static str,
        problems: &mut Vec<Contradiction>,
    ) -> Option<(bool, Source)> {
        let by_flag = self.command_line.switch(flag, problems);
        let by_variable = self.variable_truth(variable, problems);
        by_flag.or(by_variable)
    }

    /// Every address that anyone gives k6's API. An empty variable gives none, and `--env` comes
    /// too late for it.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Source> {
        let flags = self.command_line.uses("address").into_iter();
        let variable = self.environment.get_nonempty("K6_ADDRESS");
        flags
            .map(|(_, source)| source)
            .chain(variable.map(|value: &OsStr| Source::variable("K6_ADDRESS", value)))
    }
}
