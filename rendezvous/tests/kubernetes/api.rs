//! An API server that answers each request as the test says.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use rendezvous::KubernetesStore;
use rendezvous::kubernetes::Owner;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// A request, as the API server sees it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `get`, `list`, `watch`, `create`, `update` or `delete`.
    pub verb: &'static str,
    /// `configmaps` or `leases`.
    pub resource: &'static str,
    /// Path and query.
    pub uri: String,
    /// What is to be written.
    pub body: Value,
    pub at: Instant,
}

impl Asked {
    /// For how long a watch was asked for.
    pub fn lasts(&self) -> Duration {
        let (_, rest) = self.uri.split_once("timeoutSeconds=").unwrap();
        let seconds = rest.split('&').next().unwrap();
        Duration::from_secs(seconds.parse().unwrap())
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status code and a body.
    Json(u16, Value),
    /// Nothing, for ever.
    Silence,
    /// The connection breaks.
    Break,
    /// A watch that tells these events, stays up as long, and ends.
    Watch(Vec<Value>, Duration),
    /// A watch that tells these events, and then nothing for ever.
    Stuck(Vec<Value>),
}

/// For longer than any test looks.
pub const LONG: Duration = Duration::from_secs(100_000);

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self::Json(200, body)
    }

    pub fn status(code: u16, message: &str) -> Self {
        let reason = match code {
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            410 => "Expired",
            422 => "Invalid",
            _ => "InternalError",
        };
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code
        });
        Self::Json(code, body)
    }

    /// What an API server says to one who lacks a permission.
    pub fn forbidden(asked: &Asked) -> Self {
        Self::status(
            403,
            &format!(
                "{0} is forbidden: User \"system:serviceaccount:load:agent\" cannot {1} resource \"{0}\" \
                 in API group \"\" in the namespace \"load\"",
                asked.resource, asked.verb
            ),
        )
    }

    pub fn not_found() -> Self {
        Self::status(404, "configmaps \"tminus-k6\" not found")
    }

    /// A list of objects, at a version.
    pub fn list(version: u64, items: Vec<Value>) -> Self {
        Self::ok(json!({
            "kind": "List", "apiVersion": "v1",
            "metadata": {"resourceVersion": version.to_string()},
            "items": items
        }))
    }
}

/// An event of a watch.
pub fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

/// A mark of how far a watch has got.
pub fn bookmark(version: u64) -> Value {
    let metadata = json!({"resourceVersion": version.to_string()});
    event(
        "BOOKMARK",
        &json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}),
    )
}

/// An error that a watch ends with.
pub fn error_event(code: u16) -> Value {
    let Answer::Json(_, status) = Answer::status(code, "too old resource version") else {
        unreachable!()
    };
    event("ERROR", &status)
}

/// The API server, to ask what it was asked.
#[derive(Clone, Default)]
pub struct Api {
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Api {
    /// One that answers so, and a client of it.
    pub fn answering(answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> (Self, Client) {
        let api = Self::default();
        let asked = Arc::clone(&api.asked);
        let answer = Arc::new(Mutex::new(answer));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
            async move {
                let request = read(request).await;
                asked.lock().unwrap().push(request.clone());
                let answer = (answer.lock().unwrap())(&request);
                respond(answer).await
            }
        });
        (api, Client::new(service, "default"))
    }

    /// One that answers these in turn, and then nothing.
    pub fn in_turn(answers: impl IntoIterator<Item = Answer>) -> (Self, Client) {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        Self::answering(move |_| answers.pop_front().unwrap_or(Answer::Silence))
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Their verbs.
    pub fn verbs(&self) -> Vec<&'static str> {
        self.asked().iter().map(|asked| asked.verb).collect()
    }

    /// When those with a verb came.
    pub fn times(&self, verb: &str) -> Vec<Instant> {
        let asked = self.asked();
        let of_verb = asked.iter().filter(|asked| asked.verb == verb);
        of_verb.map(|asked| asked.at).collect()
    }
}

/// The scheduler's store over a client.
pub fn store(client: Client) -> KubernetesStore {
    KubernetesStore::with_client(client, "load", "k6", Some(owner()))
}

pub fn owner() -> Owner {
    Owner {
        name: "k6".to_owned(),
        uid: "run-1".to_owned(),
    }
}

async fn read(request: Request<Body>) -> Asked {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await.unwrap();
    let path = parts.uri.path();
    let resource = if path.contains("/leases") {
        "leases"
    } else {
        "configmaps"
    };
    let names_one = !path.ends_with(resource);
    let watches = parts
        .uri
        .query()
        .is_some_and(|query| query.contains("watch=true"));
    let verb = match parts.method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::DELETE => "delete",
        _ if watches => "watch",
        _ if names_one => "get",
        _ => "list",
    };
    Asked {
        verb,
        resource,
        uri: parts.uri.to_string(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        at: Instant::now(),
    }
}

type Answered = Result<Response<BoxBody<Bytes, Infallible>>, std::io::Error>;

async fn respond(answer: Answer) -> Answered {
    let (code, body) = match answer {
        Answer::Json(code, body) => (code, Full::new(Bytes::from(body.to_string())).boxed()),
        Answer::Silence => pending().await,
        Answer::Break => return Err(std::io::ErrorKind::ConnectionReset.into()),
        Answer::Watch(events, lasts) => (200, watch(events, lasts)),
        Answer::Stuck(events) => (200, watch(events, LONG)),
    };
    Ok(Response::builder().status(code).body(body).unwrap())
}

fn watch(events: Vec<Value>, lasts: Duration) -> BoxBody<Bytes, Infallible> {
    let lines = stream::iter(events).map(|event| format!("{event}\n"));
    let end = stream::once(async move {
        sleep(lasts).await;
        String::new()
    });
    let frames = lines
        .chain(end)
        .map(|line| Ok(Frame::data(Bytes::from(line))));
    BodyExt::boxed(StreamBody::new(frames))
}
