//! k6's REST API (v1.1.0 and v2.2.0), as far as a start needs it. The resume itself goes over a line of its own.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::ownership::{OwnedBy, Owner};
use crate::decide::setup::SetupFailure;

/// What k6 says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// k6's own number for what it does (`lib.ExecutionStatus`).
    pub status: u64,
    /// How many VUs are built.
    pub vus: Option<u64>,
}

/// What can go wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nobody listens: k6's API is not up yet, or no more. Nothing was sent.
    #[error("nobody listens there")]
    NotUp,
    /// No connection: nothing was sent.
    #[error("{0}")]
    NoConnection(String),
    /// Something went wrong after the connection stood.
    #[error("{0}")]
    Broken(String),
}

/// The API of one k6.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    owner: Owner,
}

/// How long k6 may take for an answer that costs it nothing. A machine with both
/// cores busy was seen to take some 0.1 s.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The most that is read of an answer: a status has some 200 bytes, an error some thousand.
pub(super) const MOST_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Document<T> {
    data: Resource<T>,
}

#[derive(Deserialize)]
struct Resource<T> {
    attributes: T,
}

#[derive(Deserialize)]
struct StatusAttributes {
    status: u64,
    #[serde(rename = "vus-max")]
    vus_max: Option<u64>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorDetail>,
}

#[derive(Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

impl Api {
    /// The API of the k6 that `owner` says. Connections are kept, and made only to it.
    ///
    /// # Errors
    /// If the HTTP client cannot be made.
    pub fn new(owner: Owner) -> Result<Self, ApiError> {
        let client = reqwest::Client::builder()
            // Loopback only: a proxy would be asked to reach itself.
            .no_proxy()
            // k6 keeps a connection that has carried a request; it stayed usable through 22 idle minutes.
            .pool_idle_timeout(None)
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none())
            // What fails is told, and whoever asked decides.
            .retry(reqwest::retry::never())
            .connect_timeout(ANSWER_WITHIN)
            .connector_layer(OwnedBy(owner))
            .build()
            .map_err(|error| ApiError::NoConnection(chain(&error)))?;
        Ok(Self { client, owner })
    }

    /// Whose it is, and where.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v1/{path}", self.owner.address)
    }

    /// `GET /v1/status`.
    ///
    /// # Errors
    /// [`ApiError`], also for an answer that is no status.
    pub async fn status(&self) -> Result<Status, ApiError> {
        let asked = async {
            let response = self
                .client
                .get(self.url("status"))
                .send()
                .await
                .map_err(sent)?;
            let http = response.status();
            let body = read(response).await?;
            if !http.is_success() {
                return Err(ApiError::Broken(format!(
                    "it answered {http} to a question for its status"
                )));
            }
            serde_json::from_slice::<Document<StatusAttributes>>(&body)
                .map_err(|error| ApiError::Broken(format!("its status cannot be read ({error})")))
        };
        let document = within(ANSWER_WITHIN, asked).await?;
        let attributes = document.data.attributes;
        Ok(Status {
            status: attributes.status,
            vus: attributes.vus_max,
        })
    }

    /// Stops k6; it then ends with 103, after its teardown() if it runs.
    ///
    /// # Errors
    /// [`ApiError`], also for an answer that is no 2xx.
    pub async fn stop(&self) -> Result<(), ApiError> {
        let http = within(ANSWER_WITHIN, self.patch(r#"{"stopped":true}"#)).await?;
        if http.is_success() {
            return Ok(());
        }
        Err(ApiError::Broken(format!("it answered {http} to a stop")))
    }

    async fn patch(&self, attributes: &str) -> Result<reqwest::StatusCode, ApiError> {
        let body =
            format!(r#"{{"data":{{"type":"status","id":"default","attributes":{attributes}}}}}"#);
        let request = self
            .client
            .patch(self.url("status"))
            .header("Content-Type", "application/json")
            .body(body);
        let response = request.send().await.map_err(sent)?;
        let http = response.status();
        // Read to its end, so that the connection can be used again.
        read(response).await?;
        Ok(http)
    }

    /// Runs setup() now, while k6 is paused. No time-out of our own: k6 has one (`setupTimeout`).
    /// Dropping the future closes the connection, and k6 then cancels setup().
    ///
    /// # Errors
    /// [`SetupFailure`]; k6 is then still paused, and must not be resumed.
    pub async fn setup(&self) -> Result<Duration, SetupFailure> {
        let began = Instant::now();
        let response = self
            .client
            .post(self.url("setup"))
            .send()
            .await
            .map_err(|error| SetupFailure::Dropped(chain(&error)))?;
        if response.status().is_success() {
            // The data may be megabytes, and k6 has it.
            discard(response)
                .await
                .map_err(|error| SetupFailure::Dropped(chain(&error)))?;
            return Ok(began.elapsed());
        }
        Err(SetupFailure::Refused(reason(response).await))
    }

    /// Runs teardown() now, while k6 is paused, with what setup() left.
    ///
    /// # Errors
    /// What k6 answered, or that it did not answer `within` this time.
    pub async fn teardown(&self, within: Duration) -> Result<(), String> {
        let asked = async {
            let response = self
                .client
                .post(self.url("teardown"))
                .send()
                .await
                .map_err(|error| chain(&error))?;
            if response.status().is_success() {
                return Ok(());
            }
            Err(reason(response).await)
        };
        tokio::time::timeout(within, asked)
            .await
            .unwrap_or_else(|_| {
                Err(format!(
                    "it took longer than {}",
                    humantime::format_duration(within)
                ))
            })
    }
}

/// What k6 gives as the reason of a failure.
async fn reason(response: reqwest::Response) -> String {
    let http = response.status();
    let body = match read(response).await {
        Ok(body) => body,
        Err(error) => return format!("{http}, and its reason could not be read ({error})"),
    };
    let first = serde_json::from_slice::<Errors>(&body)
        .ok()
        .and_then(|errors| errors.errors.into_iter().next());
    match first {
        Some(error) if !error.detail.is_empty() => error.detail,
        Some(error) if !error.title.is_empty() => error.title,
        _ => format!("{http}, without a reason"),
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| ApiError::Broken(chain(&error)))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_BYTES {
            return Err(ApiError::Broken(format!(
                "its answer is longer than {MOST_BYTES} bytes"
            )));
        }
    }
    Ok(body)
}

async fn discard(mut response: reqwest::Response) -> Result<(), reqwest::Error> {
    while response.chunk().await?.is_some() {}
    Ok(())
}

async fn within<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    tokio::time::timeout(limit, asked)
        .await
        .unwrap_or_else(|_| Err(ApiError::Broken(format!("no answer within {limit:?}"))))
}

fn sent(error: reqwest::Error) -> ApiError {
    if !error.is_connect() {
        return ApiError::Broken(chain(&error));
    }
    let refused = innermost(&error)
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
    if refused {
        ApiError::NotUp
    } else {
        ApiError::NoConnection(chain(&error))
    }
}

/// The innermost cause says what went wrong; what is round it repeats the URL.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    innermost(error).to_string()
}

fn innermost<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .unwrap_or(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[rstest]
    #[case(
        "Content-Length: 2\r\n\r\n{}",
        "500 Internal Server Error, without a reason"
    )]
    #[case(
        "Content-Length: 20\r\n\r\n{",
        "500 Internal Server Error, and its reason could not be read ("
    )]
    #[tokio::test]
    async fn a_refusal_that_says_no_more(#[case] rest: &'static str, #[case] told: &str) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // It comes in one piece, as it has no body. Then the connection is closed.
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head = "HTTP/1.1 500 Internal Server Error\r\n";
            stream
                .write_all(format!("{head}{rest}").as_bytes())
                .unwrap();
        });
        let root = std::process::id();
        let setup = Api::new(Owner { root, address }).unwrap().setup().await;
        served.join().unwrap();
        let Err(SetupFailure::Refused(reason)) = setup else {
            panic!("{setup:?}");
        };
        assert!(reason.starts_with(told), "{reason}");
    }
}
