//! What makes the rendezvous unusable.

use crate::cluster::ClusterError;
use chrono::{DateTime, Utc};
use rendezvous::{DocumentError, RunId, StoreError, StoreLocation};

/// Why the rendezvous cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The store does not answer, or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cluster cannot be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// There is none, where there has to be one.
    #[error("there is no store at {0}: name the one that the run's scheduler and runners use")]
    NoStore(StoreLocation),
    /// There is nothing of the run, where there has to be something.
    #[error(
        "no plan or report of run {run} stands in {location}: nothing was aborted. \
         Name the run that its scheduler and runners were given"
    )]
    NoRun {
        /// The run that was named.
        run: RunId,
        /// Where it was looked for.
        location: String,
    },
    /// What stands there cannot be read, so nobody knows whether an instant is set.
    #[error("{0}. If no run is under way there, remove it and start again")]
    Unreadable(DocumentError),
    /// This process cannot be told to end, and must not begin what nobody could end.
    #[error("cannot catch signals: {0}")]
    Signals(String),
    /// The instant that stands there is so far off that no runner waits for it.
    #[error(
        "this run's instant is set for {0}, more than a day from now by the runners' clocks: \
         nobody waits that long, and no instant can be moved. Start again with a new --run"
    )]
    TooFar(DateTime<Utc>),
    /// Another run's scheduler writes to the same place.
    #[error(
        "run {0} has taken this stage's place in the store while it was used here: \
         give each run a store of its own, and start again"
    )]
    TakenOver(RunId),
}
