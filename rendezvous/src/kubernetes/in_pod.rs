//! What a pod knows of its API server.

use kube::Config;

use super::failure::Failure;
use crate::store::StoreError;

/// How to reach the API server, as its service account's files and the environment say.
pub fn config() -> Result<Config, StoreError> {
    // `Config::infer` would take a kubeconfig first, which an image may hold by accident.
    Config::incluster().map_err(|error| StoreError::Denied {
        action: "speak to the API server from within this pod".to_owned(),
        detail: error.to_string(),
        cure: "Run the agent in a pod whose service account's token is mounted \
               (automountServiceAccountToken: true)"
            .to_owned(),
    })
}

/// No client can be made of a configuration.
pub fn unusable(failure: Failure) -> StoreError {
    let detail = match failure {
        Failure::Broken(text) => text,
        other => format!("{other:?}"),
    };
    StoreError::Denied {
        action: "set up a connection to the API server".to_owned(),
        detail,
        cure: "Look at the service account's files in the pod, the CA certificate first".to_owned(),
    }
}
