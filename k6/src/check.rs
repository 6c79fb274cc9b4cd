//! Whether a command line, an environment and a configuration file go together with tminus.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::command_line::CommandLine;
use crate::config::ConfigFile;
use crate::contradiction::{Contradiction, Source};
use crate::environment::Environment;
use crate::parse::{Argument, Place};
use crate::run::Run;

/// k6's output that serves a web page, on a port that only one k6 of a machine can have.
const WEB_DASHBOARD: &str = "web-dashboard";

impl CommandLine {
    /// Checks that nothing said in any place contradicts what tminus does: that it gives k6's API
    /// an address, holds k6 paused, decides who runs setup(), and waits for k6's end.
    ///
    /// Only what counts in the end is held against the user: `--linger=false` settles a
    /// `K6_LINGER=true`, as it does for k6. What the script's own options say is not seen here.
    ///
    /// # Errors
    ///
    /// Everything that is contradictory, at once.
    pub fn check(
        self,
        environment: &Environment,
        config: Option<&ConfigFile>,
    ) -> Result<Run, Vec<Contradiction>> {
        let mut problems: Vec<Contradiction> = self
            .doubts
            .iter()
            .cloned()
            .map(|doubt| Contradiction::UnknownFlag {
                flag: doubt.flag,
                word: doubt.word,
            })
            .collect();
        let said = Said {
            command_line: &self,
            environment,
        };

        if let Some((true, source)) = self.switch("help", &mut problems) {
            problems.push(Contradiction::Help(source));
        }
        let script = self.script(&mut problems);
        problems.extend(said.addresses().map(Contradiction::Address));
        if let Some((false, source)) = said.truth("paused", "K6_PAUSED", &mut problems) {
            problems.push(Contradiction::NotPaused(source));
        }
        let no_setup = match said.truth("no-setup", "K6_NO_SETUP", &mut problems) {
            Some((true, source)) => Some(source),
            Some((false, source)) => {
                problems.push(Contradiction::SetupByK6(source));
                None
            }
            None => config.and_then(ConfigFile::no_setup),
        };
        match said.truth("linger", "K6_LINGER", &mut problems) {
            Some((true, source)) => problems.push(Contradiction::Linger(source)),
            Some((false, _)) => {}
            None => {
                problems.extend(
                    config
                        .and_then(ConfigFile::linger)
                        .map(Contradiction::Linger),
                );
            }
        }
        let web_dashboard = said.web_dashboard(config);

        match script {
            Some((script_at, script)) if problems.is_empty() => Ok(Run {
                command_line: self,
                script,
                script_at,
                no_setup,
                web_dashboard,
            }),
            _ => Err(problems),
        }
    }

    /// The script and its place among the arguments; where it is not clear, that is a problem.
    ///
    /// A word behind an unknown flag is the script only if no other can be.
    fn script(&self, problems: &mut Vec<Contradiction>) -> Option<(usize, OsString)> {
        let mut sure = Vec::new();
        let mut unsure = Vec::new();
        for (at, argument) in self.arguments.iter().enumerate() {
            if let Argument::Positional { word, place } = argument {
                let list = if *place == Place::AfterUnknown {
                    &mut unsure
                } else {
                    &mut sure
                };
                list.push((at, word, *place));
            }
        }
        let candidates = if sure.is_empty() { unsure } else { sure };
        match candidates[..] {
            [] => problems.push(Contradiction::NoScript),
            [(at, word, _)] => return Some((at, word.clone())),
            _ => {
                let lossy = |word: &OsStr| word.to_string_lossy().into_owned();
                let (flags, scripts): (Vec<_>, Vec<_>) =
                    candidates.into_iter().partition(|(_, word, place)| {
                        *place == Place::AfterDashes && word.as_bytes().starts_with(b"-")
                    });
                match scripts.len() {
                    0 => problems.push(Contradiction::NoScript),
                    1 => {}
                    _ => problems.push(Contradiction::ManyScripts(
                        scripts.iter().map(|(_, word, _)| lossy(word)).collect(),
                    )),
                }
                problems.extend(
                    flags
                        .iter()
                        .map(|(_, word, _)| Contradiction::FlagAfterDashes(lossy(word))),
                );
            }
        }
        None
    }
}

/// The places where a wish can be said ahead of the configuration file.
struct Said<'a> {
    command_line: &'a CommandLine,
    environment: &'a Environment,
}

impl Said<'_> {
    /// A variable as k6 sees it, where `--env` beats the environment.
    ///
    /// With `--include-system-env-vars=false` k6 hands `--env` to the script alone. That is not
    /// looked at: who passes such a variable then still means it.
    fn variable(&self, name: &'static str) -> Option<(Vec<u8>, Source)> {
        if let Some((value, source)) = self.command_line.passed_variable(name) {
            return Some((value.as_bytes().to_vec(), source));
        }
        let value = self.environment.get(name)?;
        let source = Source::Variable {
            name,
            value: value.to_string_lossy().into_owned(),
        };
        Some((value.as_bytes().to_vec(), source))
    }

    fn variable_truth(
        &self,
        name: &'static str,
        problems: &mut Vec<Contradiction>,
    ) -> Option<(bool, Source)> {
        let (value, source) = self.variable(name)?;
        match &value[..] {
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
    fn truth(
        &self,
        flag: &str,
        variable: &'static str,
        problems: &mut Vec<Contradiction>,
    ) -> Option<(bool, Source)> {
        let by_flag = self.command_line.switch(flag, problems);
        let by_variable = self.variable_truth(variable, problems);
        by_flag.or(by_variable)
    }

    /// Every address that anyone gives k6's API. An empty variable gives none.
    fn addresses(&self) -> impl Iterator<Item = Source> {
        let flags = self
            .command_line
            .uses("address")
            .into_iter()
            .map(|(_, source)| source);
        let variable = self.environment.get_nonempty("K6_ADDRESS").map(|value| {
            let value = value.to_string_lossy().into_owned();
            Source::Variable {
                name: "K6_ADDRESS",
                value,
            }
        });
        flags.chain(variable)
    }

    /// Where the web dashboard is asked for: as an output, or by the variable or key of its own.
    fn web_dashboard(&self, config: Option<&ConfigFile>) -> Option<Source> {
        // A value that k6 refuses makes no dashboard; k6 says so itself.
        match self.variable_truth("K6_WEB_DASHBOARD", &mut Vec::new()) {
            Some((true, source)) => return Some(source),
            Some((false, _)) => {}
            None => {
                if let Some(source) = config.and_then(ConfigFile::web_dashboard) {
                    return Some(source);
                }
            }
        }
        let is_dashboard =
            |out: &[u8]| out.split(|byte| *byte == b'=').next() == Some(WEB_DASHBOARD.as_bytes());
        // The outputs of one place replace those of the places below it; none, or an empty one,
        // replaces nothing.
        let by_flag = self.command_line.uses("out");
        if by_flag
            .iter()
            .any(|(out, _)| out.is_some_and(|out| !out.is_empty()))
        {
            let mut uses = by_flag.into_iter();
            return uses
                .find(|(out, _)| out.is_some_and(|out| is_dashboard(out.as_bytes())))
                .map(|(_, source)| source);
        }
        if let Some((outs, source)) = self
            .variable("K6_OUT")
            .filter(|(outs, _)| !outs.trim_ascii().is_empty())
        {
            return outs
                .split(|byte| *byte == b',')
                .any(is_dashboard)
                .then_some(source);
        }
        config.and_then(|config| config.out(|out| is_dashboard(out.as_bytes())))
    }
}
