//! Starting the agents: each in a directory of its own, with what it prints in a file there.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use k6::Environment;
use rendezvous::{RunId, RunnerId};
use tokio::process::Command;

use super::agents::Agents;
use super::command::{K6Command, agent_arguments};
use super::error::LocalError;
use super::folder::Folder;
use crate::cli::LocalArguments;
use crate::log;

/// The agents' variable for where the time comes from.
const NTP: &str = "TMINUS_NTP";

/// The agent's program.
const AGENT: &str = "tminus-agent";

/// What is to be started.
#[derive(Debug)]
pub struct Launch<'a> {
    arguments: &'a LocalArguments,
    base: PathBuf,
    agent: PathBuf,
    k6: K6Command,
    /// The script, if it came on standard input.
    script: Option<Vec<u8>>,
}

impl<'a> Launch<'a> {
    /// Finds all that is needed, and makes nothing.
    ///
    /// # Errors
    /// What is missing or contradictory.
    pub fn prepare(arguments: &'a LocalArguments) -> Result<Self, LocalError> {
        let environment: Environment = env::vars_os().collect();
        let base = env::current_dir().map_err(|source| LocalError::Make {
            path: PathBuf::from("."),
            source,
        })?;
        let runners = arguments.runners;
        let k6 = K6Command::prepare(&arguments.command, &environment, runners, &base)?;
        let agent = find_agent(arguments.agent.as_deref(), &base)?;
        let script = k6.reads_stdin.then(read_script).transpose()?;
        Ok(Self {
            arguments,
            base,
            agent,
            k6,
            script,
        })
    }

    /// Where the user is: relative paths start from there.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Starts an agent for each runner.
    ///
    /// # Errors
    /// What could not be made or started. Agents that had been started before run on.
    pub fn start(
        &self,
        agents: &mut Agents,
        folder: &Folder,
        run: &RunId,
        runners: &[RunnerId],
    ) -> Result<(), LocalError> {
        let script = self.script.as_ref();
        let script = script
            .map(|script| folder.keep_script(script))
            .transpose()?;
        for runner in runners {
            let command = self.command(folder, run, runner, script.as_deref())?;
            agents.start(runner, command).map_err(|source| {
                let runner = runner.clone();
                LocalError::Spawn { runner, source }
            })?;
        }
        Ok(())
    }

    fn command(
        &self,
        folder: &Folder,
        run: &RunId,
        runner: &RunnerId,
        script: Option<&Path>,
    ) -> Result<Command, LocalError> {
        let (directory, log) = (folder.runner(runner), folder.log(runner)?);
        let log_too = log.try_clone().map_err(|source| LocalError::Make {
            path: directory.clone(),
            source,
        })?;
        let store = folder.store();
        let mut command = Command::new(&self.agent);
        command
            .args(agent_arguments(
                self.arguments,
                &store,
                run,
                runner,
                cores(),
                env::var_os(NTP).as_deref(),
                &self.k6,
            ))
            // It is about this process's log. Where agents say something, it is wanted.
            .env_remove(log::VARIABLE)
            .envs(self.k6.variables.iter().cloned())
            .current_dir(directory)
            .stdin(script.map_or_else(|| Ok(Stdio::null()), open)?)
            .stdout(log)
            .stderr(log_too);
        Ok(command)
    }
}

/// A file of its own for each, so that each reads all of it.
fn open(script: &Path) -> Result<Stdio, LocalError> {
    let file = File::open(script).map_err(|source| LocalError::Make {
        path: script.to_owned(),
        source,
    })?;
    Ok(file.into())
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Where the agent's program is.
fn find_agent(given: Option<&Path>, base: &Path) -> Result<PathBuf, LocalError> {
    if let Some(given) = given {
        let path = base.join(given);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(LocalError::NoAgent { path })
        };
    }
    let beside = env::current_exe()
        .ok()
        .map(|this| this.with_file_name(AGENT));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| base.join(directory).join(AGENT));
    let mut places = beside.into_iter().chain(on_path);
    places
        .find(|place| place.is_file())
        .ok_or_else(|| LocalError::NoAgent {
            path: PathBuf::from(AGENT),
        })
}

fn read_script() -> Result<Vec<u8>, LocalError> {
    let mut script = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut script)
        .map_err(LocalError::Stdin)?;
    Ok(script)
}
