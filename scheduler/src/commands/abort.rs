//! `abort`: ends a run, before or after its start.

use rendezvous::Abort;
use tracing::info;

use crate::cli::AbortArguments;
use crate::exit::Code;
use crate::trouble::Trouble;

/// Aborts a run. Its runners and its scheduler see it and end; they are not waited for.
pub async fn abort(arguments: AbortArguments) -> Result<Code, Trouble> {
    let AbortArguments { run, why } = arguments;
    let store = super::open_existing(&run.store)?;
    let by = format!("tminus-scheduler abort (process {})", std::process::id());
    store
        .write_abort(&Abort::new(run.run.clone(), &by, &why))
        .await?;
    info!("run {} is aborted in {}", run.run, store.location());
    Ok(Code::Well)
}
