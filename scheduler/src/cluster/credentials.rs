//! Credentials that a kubeconfig has a program for.
//!
//! The client library runs that program within a request, and drops what comes of it with a request that is not waited
//! for any longer: one that always takes longer than a request may would be run again and again, and never be of use.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use kube::client::middleware::AuthLayer;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use tokio::time::timeout;
use tower::{BoxError, Layer, ServiceExt, service_fn};

/// How long a request waits for the program: shorter than a request may take in all, so that it is told what it is that
/// has kept it waiting.
const WITHIN: Duration = Duration::from_secs(4);

/// Why a request has no credentials.
#[derive(Debug, thiserror::Error)]
#[error("the kubeconfig's program for credentials has not ended yet")]
struct NotYet;

/// A client for a configuration. Runs its program for credentials, if it has one, and blocks meanwhile.
///
/// # Errors
/// The configuration makes no sense, or its program failed.
pub fn client(mut config: Config) -> kube::Result<Client> {
    if config.auth_info.exec.is_none() {
        return Client::try_from(config);
    }
    let Some(credentials) = config.auth_layer()? else {
        // A certificate, with which the connection is made.
        return Client::try_from(config);
    };
    let (credentials, namespace) = (Arc::new(credentials), config.default_namespace.clone());
    config.auth_info.exec = None;
    let without = Client::try_from(config)?;
    let send = move |request| {
        let (credentials, client) = (Arc::clone(&credentials), without.clone());
        async move {
            let request = with_credentials(&credentials, request).await?;
            Ok::<_, BoxError>(client.send(request).await?)
        }
    };
    Ok(Client::new(service_fn(send), namespace))
}

/// Adds the credentials. Where they have to be renewed first, that goes on however long it takes, once for all requests
/// that need them.
async fn with_credentials(
    credentials: &AuthLayer,
    mut request: Request<Body>,
) -> Result<Request<Body>, BoxError> {
    let asking = credentials.layer(service_fn(reflect));
    let asked = tokio::spawn(asking.oneshot(Request::new(Body::empty())));
    let mut answer = timeout(WITHIN, asked).await.map_err(|_| NotYet)???;
    if let Some(credentials) = answer.headers_mut().remove(AUTHORIZATION) {
        request.headers_mut().insert(AUTHORIZATION, credentials);
    }
    Ok(request)
}

/// Gives back what was added to a request.
async fn reflect(mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let mut answer = Response::new(Body::empty());
    std::mem::swap(answer.headers_mut(), request.headers_mut());
    Ok(answer)
}
