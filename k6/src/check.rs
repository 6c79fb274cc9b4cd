//! Whether a command line, an environment and a configuration file go together with tminus.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::command_line::CommandLine;
use crate::config::ConfigFile;
use crate::contradiction::Contradiction;
use crate::environment::Environment;
use crate::parse::{Argument, Place};
use crate::run::Run;
use crate::said::Said;

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
        let said = Said::new(&self, environment);

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
        let no_teardown = match said.truth("no-teardown", "K6_NO_TEARDOWN", &mut problems) {
            Some((no, source)) => no.then_some(source),
            None => config.and_then(ConfigFile::no_teardown),
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
                no_teardown,
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
