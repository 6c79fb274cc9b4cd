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
    // Whoever aborts a run has to know that it was not aborted, and what another run's
    // abort says must not go for a slip of the pen.
    if !store.knows(&run.run).await? {
        return Err(Trouble::NoRun {
            run: run.run,
            location: store.location(),
        });
    }
    let by = format!("tminus-scheduler abort (process {})", std::process::id());
    store
        .write_abort(&Abort::new(run.run.clone(), &by, &why))
        .await?;
    info!("run {} is aborted in {}", run.run, store.location());
    Ok(Code::Well)
}
