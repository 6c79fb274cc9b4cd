//! What goes wrong with a cluster.

use std::future::Future;

use rendezvous::StoreError;
use rendezvous::kubernetes::{LONGEST_CALL, in_words};
use tokio::time::timeout;

use crate::decide::absence::short;

/// Why a cluster cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// It is not clear which cluster is meant, or how to speak to it.
    #[error(
        "no Kubernetes cluster to speak to: {0}. Give a kubeconfig by KUBECONFIG and its --context, or run in a pod"
    )]
    Configuration(String),
    /// The API server does not answer, or has something else to complain of.
    #[error("cannot {action}: {detail}")]
    Failed {
        /// What was tried, and on what.
        action: String,
        /// What went wrong.
        detail: String,
    },
    /// Something is not allowed. Waiting will not help.
    #[error("may not {action}: {detail}")]
    Forbidden {
        /// What was tried, and on what.
        action: String,
        /// What the API server says.
        detail: String,
    },
    /// Rights are missing, by the API server's own word.
    #[error("{0}")]
    Rights(String),
    /// There is no such Job.
    #[error("there is no Job {name} in namespace {namespace}")]
    NoJob {
        /// The Job's name.
        name: String,
        /// The namespace.
        namespace: String,
    },
    /// Something in the cluster cannot be used as what it was given for.
    #[error("{0}")]
    Unfit(String),
}

impl ClusterError {
    /// What an error of the client library means. `action`: what was tried, and on what.
    pub fn of(action: &str, error: &kube::Error) -> Self {
        let action = action.to_owned();
        match error {
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden {
                action,
                detail: short(&status.message),
            },
            kube::Error::Api(status) => Self::Failed {
                action,
                detail: refusal(status.code, &status.message),
            },
            error => Self::Failed {
                action,
                detail: in_words(error),
            },
        }
    }

    /// As a fault of the store, so that one patience serves both.
    pub fn as_store_error(&self) -> StoreError {
        match self {
            Self::Forbidden { action, detail } => StoreError::Denied {
                action: action.clone(),
                detail: detail.clone(),
                cure: "Ask for a Role that lets you".to_owned(),
            },
            Self::Failed { action, detail } => StoreError::Unavailable {
                action: action.clone(),
                detail: detail.clone(),
            },
            other => StoreError::Unavailable {
                action: "use the cluster".to_owned(),
                detail: other.to_string(),
            },
        }
    }
}

/// What an API server says that refuses something for another reason than missing rights.
pub fn refusal(code: u16, message: &str) -> String {
    format!("the API server answers {code}: {}", short(message))
}

/// Makes a request, within the time that one may take.
///
/// # Errors
/// [`ClusterError`] if it fails, or is not answered in time.
pub async fn request<T>(
    action: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ClusterError> {
    match timeout(LONGEST_CALL, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ClusterError::of(action, &error)),
        Err(_) => Err(ClusterError::Failed {
            action: action.to_owned(),
            detail: "the API server has not answered in time".to_owned(),
        }),
    }
}
