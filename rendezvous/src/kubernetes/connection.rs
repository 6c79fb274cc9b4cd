//! Requests to the API server, each within a time of its own.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::{Client, Config};
use tokio::time::timeout;

use super::failure::Failure;

/// The most that one request may take, its answer included. Healthy API servers answer in
/// milliseconds; a loaded one holds a request back for up to a second or so. It is also
/// what a lost connection costs until it is noticed.
pub const LONGEST_CALL: Duration = Duration::from_secs(5);

/// A client whose connection is not trusted after it has kept somebody waiting.
///
/// A connection that swallows everything looks healthy for minutes, and a client that
/// has such a one in its pool takes it again.
pub struct Connection {
    /// How to make another client. A client that was given cannot be made again: there,
    /// each request that times out takes the connection with it that it was sent over.
    config: Option<Config>,
    client: Mutex<Client>,
}

impl Connection {
    /// One that makes its own client. Within a Tokio runtime.
    ///
    /// # Errors
    /// The configuration makes no sense, such as a certificate that is none.
    pub fn new(config: Config) -> Result<Self, Failure> {
        let client = Client::try_from(config.clone()).map_err(Failure::of)?;
        Ok(Self {
            config: Some(config),
            client: Mutex::new(client),
        })
    }

    /// One over a client that somebody else made.
    pub fn over(client: Client) -> Self {
        Self {
            config: None,
            client: Mutex::new(client),
        }
    }

    /// What a request comes to within [`LONGEST_CALL`].
    pub async fn call<T, F>(&self, request: impl FnOnce(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let client = self
            .client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match timeout(LONGEST_CALL, request(client)).await {
            Ok(answer) => answer.map_err(Failure::of),
            Err(_) => {
                self.renew();
                Err(Failure::TimedOut)
            }
        }
    }

    /// The connection has kept somebody waiting: the next request gets another.
    pub fn renew(&self) {
        let Some(config) = &self.config else { return };
        // It could be made before. If it cannot be now, the old one is all there is.
        if let Ok(client) = Client::try_from(config.clone()) {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A client has no form for people, and a configuration may hold secrets.
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
