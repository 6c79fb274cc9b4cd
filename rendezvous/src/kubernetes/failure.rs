//! What a request came to, if not to what was asked for.

use kube::core::Status;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The API server refused it, and said why.
    Refused(Box<Status>),
    /// No whole answer came in time.
    TimedOut,
    /// It did not come through: no connection, or one that broke.
    Broken(String),
}

impl Failure {
    /// What an error of the client library means.
    pub fn of(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status),
            error => Self::Broken(with_sources(&error)),
        }
    }

    /// The HTTP status code of a refusal.
    fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(status) => Some(status.code),
            _ => None,
        }
    }

    /// There is no such object, or no such namespace.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Another writer was faster: the object has changed, is there already, or is another one now.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// A change that is asked for is not remembered any more: what is there has to be listed anew.
    pub fn is_gone(&self) -> bool {
        self.code() == Some(410)
    }

    /// The API server forbids it, for whatever reason.
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }
}

/// An error with what caused it: the libraries' own texts say only "client error".
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = source.source();
    }
    text
}
