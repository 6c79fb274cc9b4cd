//! The commands.

mod abort;
mod early;
mod start;
mod status;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rendezvous::kubernetes::Owner;
use rendezvous::{KubernetesStore, RunId, Store, StoreLocation};
use tokio::runtime::{Builder, Runtime};
use tracing::error;

use crate::cli::{Cli, Command, Place, RunArguments};
use crate::cluster::{Cluster, ClusterError, JobName, find_job};
use crate::decide::job::uid;
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
    let runtime = match runtime() {
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

/// tokio (1.54) panics where the system refuses it the pair of sockets that signals wake it by, so it is asked for before.
fn runtime() -> io::Result<Runtime> {
    let pair = UnixStream::pair;
    // As many files as the runtime opens, that pair among them.
    let room = [pair()?, pair()?, pair()?];
    drop(room);
    Builder::new_current_thread().enable_all().build()
}

async fn dispatch(cli: Cli, console: &Console) -> Code {
    let done = match cli.command {
        Command::Start(arguments) => start::start(arguments, console).await,
        Command::Status(arguments) => status::status(arguments).await,
        Command::Abort(arguments) => abort::abort(arguments).await,
        Command::Local(arguments) => return local::local(arguments, console).await,
    };
    done.unwrap_or_else(|Stop { code, why }| {
        error!("{why}");
        code
    })
}

/// Why a command ends without having done its work.
#[derive(Debug)]
struct Stop {
    code: Code,
    why: String,
}

impl Stop {
    fn usage(why: String) -> Self {
        let code = Code::Usage;
        Self { code, why }
    }

    fn no_quorum(why: String) -> Self {
        let code = Code::NoQuorum;
        Self { code, why }
    }
}

impl<T: Into<Trouble>> From<T> for Stop {
    fn from(trouble: T) -> Self {
        let trouble = trouble.into();
        let code = match trouble {
            Trouble::Cluster(ClusterError::Unfit(_)) => Code::Usage,
            _ => Code::NoAccess,
        };
        let why = trouble.to_string();
        Self { code, why }
    }
}

/// A run that is there already.
struct Existing {
    store: Arc<dyn Store>,
    run: RunId,
    /// Whether it is known that there is such a run.
    is_known: bool,
}

/// Opens the store of a run that is there already.
async fn existing(arguments: &RunArguments) -> Result<Existing, Stop> {
    match arguments.place().map_err(Stop::usage)? {
        Place::Directory { location, run } => Ok(Existing {
            store: open_existing(&location)?,
            run,
            is_known: false,
        }),
        Place::Pods {
            context,
            namespace,
            name,
            run,
        } => {
            let cluster = Cluster::connect(context.as_deref(), namespace.as_deref()).await?;
            let store =
                KubernetesStore::with_client(cluster.client, &cluster.namespace, &name, None);
            Ok(Existing {
                store: Arc::new(store),
                run,
                is_known: false,
            })
        }
        Place::Job {
            context,
            namespace,
            name,
        } => {
            let cluster = Cluster::connect(context.as_deref(), namespace.as_deref()).await?;
            let wanted = JobName {
                cluster: &cluster,
                name: &name,
            };
            let uid = uid(&find_job(&wanted).await?);
            let run = RunId::new(&uid).map_err(|error| Stop::usage(error.to_string()))?;
            let owner = Some(Owner {
                name: name.clone(),
                uid,
            });
            let store =
                KubernetesStore::with_client(cluster.client, &cluster.namespace, &name, owner);
            Ok(Existing {
                store: Arc::new(store),
                run,
                is_known: true,
            })
        }
    }
}

/// Opens a store that is there already. One that is missing is not made, as `start` does: its name is
/// misspelt, and whoever aborts a run has to know that it was not aborted.
fn open_existing(location: &StoreLocation) -> Result<Arc<dyn Store>, Trouble> {
    if let StoreLocation::Directory(path) = location
        && matches!(path.try_exists(), Ok(false))
    {
        return Err(Trouble::NoStore(location.clone()));
    }
    Ok(location.open()?)
}
