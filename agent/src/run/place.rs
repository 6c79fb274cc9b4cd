//! Where this runner belongs: its store, and its place in the stage.

use std::path::Path;
use std::sync::Arc;

use rendezvous::kubernetes::{KubernetesStore, Pod};
use rendezvous::{Hold, Phase, Store, StoreError, StoreLocation, code};

use super::mark::{MarkFile, SHARED_MEMORY, Unreadable};
use crate::cli::Cli;

/// Why this runner cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    /// No access to the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process has its place.
    #[error(
        "another process is running {runner} in stage {stage} of this store: give each runner an id of its own with \
         --runner"
    )]
    Taken {
        /// The runner's id.
        runner: String,
        /// The stage.
        stage: String,
    },
}

impl NoPlace {
    /// How the runner ends by it.
    #[must_use]
    pub fn phase_and_code(&self) -> (Phase, u8) {
        match self {
            Self::Store(_) => (Phase::Failed, code::NO_ACCESS),
            Self::Taken { .. } => (Phase::Refused, code::USED_UP),
        }
    }
}

/// The store of this runner.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The same, where it is Kubernetes: its API server knows the time, too.
    pub api_server: Option<Arc<KubernetesStore>>,
}

/// Opens the store. On Kubernetes the runner's id is its pod's UID.
///
/// # Errors
/// [`StoreError`] if it cannot be used.
pub fn open(cli: &Cli) -> Result<Opened, StoreError> {
    match &cli.store {
        StoreLocation::Kubernetes { namespace, name } => {
            let pod = Pod {
                name: cli.shown_name(),
                uid: cli.runner.to_string(),
            };
            let store = Arc::new(KubernetesStore::in_pod(namespace.as_deref(), name, pod)?);
            Ok(Opened {
                store: Arc::clone(&store) as Arc<dyn Store>,
                api_server: Some(store),
            })
        }
        location => Ok(Opened {
            store: location.open()?,
            api_server: None,
        }),
    }
}

/// Takes the runner's place in the stage, for as long as what is given is kept.
///
/// # Errors
/// [`NoPlace`].
pub async fn take(store: &Arc<dyn Store>, cli: &Cli) -> Result<Hold, NoPlace> {
    let place = store.hold(&cli.stage, &cli.runner).await?;
    place.ok_or_else(|| NoPlace::Taken {
        runner: cli.runner.to_string(),
        stage: cli.stage.to_string(),
    })
}

/// Where this runner's mark of a used-up stage stands: in a pod beside the store, else in its place there.
///
/// # Errors
/// [`Unreadable`] if one is there that cannot be read.
pub fn mark(cli: &Cli, place: &Arc<Hold>) -> Result<MarkFile, Unreadable> {
    if !cli.is_in_pod() {
        return MarkFile::in_place(Arc::clone(place), &cli.run);
    }
    MarkFile::find(Path::new(SHARED_MEMORY), &cli.run, &cli.stage, &cli.runner)
}
