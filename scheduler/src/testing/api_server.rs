//! An API server that answers each request as the test says.

use std::convert::Infallible;
use std::future::{pending, ready};

use futures_util::future::Either;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// A namespace `shop` of a cluster whose API server gives these answers, each a status code and a body, by the
/// request's method and path. `None`: it never answers.
pub fn answering(
    answer: impl Fn(&Method, &str) -> Option<(u16, Value)> + Clone + Send + 'static,
) -> Cluster {
    let service = tower::service_fn(move |request: Request<Body>| {
        let Some((code, body)) = answer(request.method(), request.uri().path()) else {
            return Either::Left(pending());
        };
        let body = Body::from(body.to_string().into_bytes());
        let answer = Response::builder().status(code).body(body).unwrap();
        Either::Right(ready(Ok::<_, Infallible>(answer)))
    });
    Cluster {
        client: Client::new(service, "shop"),
        namespace: "shop".to_owned(),
    }
}

/// One that has lost its own store.
pub fn failing() -> Cluster {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "etcd is away", "reason": "InternalError", "code": 500
    });
    answering(move |_, _| Some((500, status.clone())))
}
