//! `abort`: ends a run, before or after its start.

use rendezvous::Abort;
use tracing::info;

use super::{Existing, Stop};
use crate::cli::AbortArguments;
use crate::exit::Code;
use crate::trouble::Trouble;

/// Aborts a run. Its runners and its scheduler see it and end; they are not waited for.
pub async fn abort(arguments: AbortArguments) -> Result<Code, Stop> {
    let AbortArguments { run, why } = arguments;
    let Existing {
        store,
        run,
        is_known,
    } = super::existing(&run).await?;
    // Whoever aborts a run has to know that it was not aborted, and what another run's
    // abort says must not go for a slip of the pen.
    if !is_known && !store.knows(&run).await? {
        let location = store.location();
        return Err(Trouble::NoRun { run, location }.into());
    }
    let by = format!("tminus-scheduler abort (process {})", std::process::id());
    store
        .write_abort(&Abort::new(run.clone(), &by, &why))
        .await?;
    info!("run {} is aborted in {}", run, store.location());
    Ok(Code::Well)
}
