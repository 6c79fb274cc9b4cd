//! The commands.

mod abort;
mod start;
mod status;

use std::sync::Arc;

use rendezvous::{Store, StoreLocation};
use tokio::runtime;
use tracing::error;

use crate::cli::{Cli, Command};
use crate::exit::Code;
use crate::local;
use crate::log;
use crate::show::console::Console;
use crate::trouble::Trouble;

/// Does what the command line says. Returns what to exit with; what there is to say
/// has been said.
#[must_use]
pub fn run(cli: Cli) -> Code {
    let console = Console::stderr();
    if let Err(fault) = log::set_up(&console) {
        console.line(&format!("error: {fault}"));
        return Code::Usage;
    }
    // One thread, this one: a child's parent-death signal comes when the thread ends
    // that started it.
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("cannot begin: {error}");
            return Code::NoAccess;
        }
    };
    let code = runtime.block_on(dispatch(cli, &console));
    // A store's file system that hangs must not hold up the end.
    runtime.shutdown_background();
    code
}

async fn dispatch(cli: Cli, console: &Console) -> Code {
    let done = match cli.command {
        Command::Start(arguments) => start::start(arguments, console).await,
        Command::Status(arguments) => status::status(arguments).await,
        Command::Abort(arguments) => abort::abort(arguments).await,
        Command::Local(arguments) => return local::local(arguments, console).await,
    };
    done.unwrap_or_else(|trouble: Trouble| {
        error!("{trouble}");
        Code::NoAccess
    })
}

/// Opens the store of a run that is there already. One that is missing is not made, as `start` does: its name is
/// misspelt, and whoever aborts a run has to know that it was not aborted.
fn open_existing(location: &StoreLocation) -> Result<Arc<dyn Store>, Trouble> {
    let StoreLocation::Directory(path) = location;
    if matches!(path.try_exists(), Ok(false)) {
        return Err(Trouble::NoStore(location.clone()));
    }
    Ok(location.open()?)
}
