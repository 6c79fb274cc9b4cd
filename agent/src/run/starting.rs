//! From the user's command line to a running, paused k6.

use std::net::SocketAddr;

use k6::{CommandLine, ConfigFile, Environment, Run};

use super::Identity;
use crate::cli::{Cli, SetupMode};
use crate::control::ownership::Owner;
use crate::process::child::{K6, NotStarted};
use crate::process::port;
use crate::process::stderr::Tail;

/// What k6 is started with, each time.
pub struct Command {
    run: Run,
    /// Whether k6 is told not to run setup() by itself.
    no_setup: bool,
    /// Whether the user wants setup() to run at all.
    pub setup_wanted: bool,
    /// Whether the user wants teardown() to run after it.
    pub teardown_wanted: bool,
}

/// Reads the user's command line as k6 would, and refuses what contradicts a coordinated start.
///
/// # Errors
/// Everything that is wrong with it, for people.
pub fn read_command(cli: &Cli) -> Result<Command, Vec<String>> {
    let environment: Environment = std::env::vars_os().collect();
    let command_line = CommandLine::parse(&cli.command).map_err(|error| vec![error.to_string()])?;
    let config =
        ConfigFile::find(&command_line, &environment).map_err(|error| vec![error.to_string()])?;
    let run = command_line
        .check(&environment, config.as_ref())
        .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let setup_wanted = run.no_setup().is_none();
    if let Some(source) = run.no_setup() {
        tracing::info!("setup() is left out, as {source} says");
    }
    Ok(Command {
        no_setup: setup_wanted && cli.setup == SetupMode::Early,
        setup_wanted,
        teardown_wanted: run.no_teardown().is_none(),
        run,
    })
}

/// Why k6 is not running.
pub enum CannotStart {
    /// The program itself.
    Program(NotStarted),
    /// Something before it.
    Other(String),
}

/// Starts k6, paused, with its API on a free port.
///
/// # Errors
/// [`CannotStart`].
pub fn start(
    command: &Command,
    identity: &Identity,
    tail: &Tail,
) -> Result<(K6, Owner), CannotStart> {
    let address: SocketAddr =
        port::free().map_err(|error| CannotStart::Other(format!("no free port: {error}")))?;
    let argv = command.run.paused_at(address, command.no_setup);
    // For the script (`__ENV.TMINUS_RUNNER`), so that what it measures can be told apart.
    let environment = [
        ("TMINUS_RUN", identity.run.as_str()),
        ("TMINUS_STAGE", identity.stage.as_str()),
        ("TMINUS_RUNNER", identity.name.as_str()),
    ];
    tracing::debug!(?argv, "starting k6");
    let k6 = K6::start(&argv, &environment, tail)
        .map_err(CannotStart::Program)?
        .guarded();
    let owner = Owner {
        root: k6.pid(),
        address,
    };
    Ok((k6, owner))
}
