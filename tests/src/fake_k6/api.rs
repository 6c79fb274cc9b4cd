//! The REST API of the stand-in, as k6 v1 and v2 answer it.

use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::{Method, Response, StatusCode, body::Bytes};
use serde_json::{Value, json};
use tokio::{sync::watch, time::sleep};

use super::{
    Answer, Behaviour,
    record::{Event, Recorder},
};
use crate::{
    http::{self, Closed, Received},
    moment::Moment,
};

/// Paused before the run, all VUs built.
const PAUSED: u8 = 4;
/// Running.
const RUNNING: u8 = 7;

/// Something that happens once.
pub struct Happening(watch::Receiver<bool>);

impl Happening {
    /// Returns when it has happened; never if it cannot happen any more.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|happened| *happened).await.is_err() {
            std::future::pending().await
        }
    }
}

/// What the API's clients bring about.
pub struct Happenings {
    /// The run has started.
    pub started: Happening,
    /// A stop was asked for and is obeyed.
    pub stopped: Happening,
}

pub struct Api {
    behaviour: Behaviour,
    recorder: Arc<Recorder>,
    state: Mutex<State>,
    started: watch::Sender<bool>,
    stopped: watch::Sender<bool>,
}

/// How far the run has got.
#[derive(Default)]
struct State {
    /// How many of `building` have been told.
    built: usize,
    /// Whether a resume has come.
    resumed: bool,
    /// Whether the run has started, and then how many of `starting` have been told.
    started: Option<usize>,
}

impl Api {
    pub fn new(behaviour: Behaviour, recorder: Arc<Recorder>) -> (Self, Happenings) {
        let (started, run) = watch::channel(false);
        let (stopped, stop) = watch::channel(false);
        let api = Self {
            behaviour,
            recorder,
            state: Mutex::default(),
            started,
            stopped,
        };
        let happenings = Happenings {
            started: Happening(run),
            stopped: Happening(stop),
        };
        (api, happenings)
    }

    pub async fn answer(self: Arc<Self>, received: Received) -> http::Answer {
        let request = format!("{} {}", received.method, received.uri.path());
        let body = String::from_utf8_lossy(&received.body).into_owned();
        self.recorder.note(
            received.arrived.utc,
            Event::Request {
                request: request.clone(),
                body: body.clone(),
            },
        );
        let unanswered = Unanswered {
            recorder: &self.recorder,
            request: Some(request),
        };
        let answer = match (&received.method, received.uri.path()) {
            (&Method::GET, "/v1/status") => give(&self.behaviour.status, self.status()).await,
            (&Method::PATCH, "/v1/status") => self.patch(&body).await,
            (&Method::POST, "/v1/setup") => {
                sleep(self.behaviour.setup_takes).await;
                let data =
                    json!({ "type": "setupData", "id": "default", "attributes": { "data": {} } });
                give(&self.behaviour.setup, json!({ "data": data })).await
            }
            (&Method::POST, "/v1/teardown") => give(&self.behaviour.teardown, Value::Null).await,
            _ => Ok(error(StatusCode::NOT_FOUND, "not found")),
        };
        unanswered.settle();
        answer
    }

    /// Tells the next status.
    fn status(&self) -> Value {
        let mut state = self.state.lock().unwrap();
        let (status, paused) = if let Some(told) = &mut state.started {
            let status = self
                .behaviour
                .starting
                .get(*told)
                .copied()
                .unwrap_or(RUNNING);
            *told += 1;
            (status, status <= PAUSED)
        } else {
            let status = self
                .behaviour
                .building
                .get(state.built)
                .copied()
                .unwrap_or(PAUSED);
            state.built += 1;
            self.start_if_due(&mut state);
            (status, true)
        };
        document(status, paused)
    }

    async fn patch(&self, body: &str) -> http::Answer {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let attributes = &body["data"]["attributes"];
        if attributes["stopped"] == true {
            if !self.behaviour.ignores_stop {
                self.stopped.send_replace(true);
            }
            return Ok(http::json(StatusCode::OK, &document(PAUSED, false)));
        }
        if attributes["paused"] != false {
            return Ok(error(
                StatusCode::BAD_REQUEST,
                "neither a resume nor a stop",
            ));
        }
        let again = {
            let mut state = self.state.lock().unwrap();
            let again = std::mem::replace(&mut state.resumed, true);
            self.start_if_due(&mut state);
            again
        };
        if again {
            return Ok(error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "cannot resume: not paused",
            ));
        }
        // As in k6, the answer still has the status from before, and so proves nothing.
        give(&self.behaviour.resume, document(PAUSED, false)).await
    }

    fn start_if_due(&self, state: &mut State) {
        let built = state.built >= self.behaviour.building.len();
        if self.behaviour.starts && state.resumed && built && state.started.is_none() {
            state.started = Some(0);
            self.started.send_replace(true);
        }
    }
}

/// Notes a request whose handling is dropped, as it is when its client goes away.
struct Unanswered<'a> {
    recorder: &'a Recorder,
    request: Option<String>,
}

impl Unanswered<'_> {
    fn settle(mut self) {
        self.request = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            self.recorder
                .note(Moment::now().utc, Event::Abandoned(request));
        }
    }
}

/// The status document of k6's API.
fn document(status: u8, paused: bool) -> Value {
    json!({ "data": { "type": "status", "id": "default", "attributes": {
        "status": status, "paused": paused, "running": status >= 5, "stopped": false,
        "vus": 0, "vus-max": 1, "tainted": false,
    } } })
}

/// Without a content type: k6 says that some of its errors are plain text, though all are JSON.
fn error(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    let errors =
        json!({ "errors": [{ "status": status.as_str(), "title": "Error", "detail": detail }] });
    let mut response = Response::new(Full::from(errors.to_string()));
    *response.status_mut() = status;
    response
}

async fn give(answer: &Answer, mut document: Value) -> http::Answer {
    match answer {
        Answer::AsK6 => {}
        Answer::Error(status, detail) => {
            return Ok(error(StatusCode::from_u16(*status).unwrap(), detail));
        }
        Answer::Garbage => return Ok(Response::new(Full::from("<html>I am no k6</html>"))),
        Answer::Huge(bytes) => document["filling"] = "x".repeat(*bytes).into(),
        Answer::Close => return Err(Closed),
        Answer::Never => return std::future::pending().await,
    }
    Ok(http::json(StatusCode::OK, &document))
}
