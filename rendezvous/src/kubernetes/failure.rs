//! What a request came to, if not to what was asked for.

use kube::client::AuthError;
use kube::core::Status;

use crate::wire::clean_text;

/// What a program complains of is in its last words, and they are short.
const LONGEST_COMPLAINT: usize = 400;

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
            error => Self::Broken(in_words(&error)),
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

/// An error with what caused it, as the libraries' own texts say only "client error"; and without secrets. A
/// kubeconfig's program for credentials that fails is told by the client library with its environment and its output,
/// which may hold tokens.
#[must_use]
pub fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = || std::iter::successors(Some(error), |error| error.source());
    if let Some(complaint) = chain().find_map(failed_program) {
        return complaint;
    }
    let mut text = String::new();
    for error in chain() {
        let more = error.to_string();
        if text.is_empty() {
            text = more;
        } else if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
    }
    text
}

fn failed_program(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    match error.downcast_ref()? {
        AuthError::AuthExecRun { out, .. } => {
            let complaint = String::from_utf8_lossy(&out.stderr);
            let (status, complaint) = (out.status, clean_text(complaint.trim(), LONGEST_COMPLAINT));
            Some(format!(
                "the kubeconfig's program for credentials failed ({status}): {complaint}"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{ExitStatus, Output};

    use super::*;

    #[test]
    fn a_program_for_credentials_that_fails_is_told_without_its_secrets() {
        let failed = || AuthError::AuthExecRun {
            cmd: "SECRET=s3cret login".to_owned(),
            out: Box::new(Output {
                status: ExitStatus::from_raw(256),
                stdout: b"t0ken".to_vec(),
                stderr: b"no such tenant\n".to_vec(),
            }),
        };
        for error in [
            kube::Error::Auth(failed()),
            kube::Error::Service(Box::new(failed())),
        ] {
            let text = in_words(&error);
            assert!(text.contains("no such tenant"), "{text}");
            assert!(
                !text.contains("s3cret") && !text.contains("t0ken"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_caused_an_error_is_told_once() {
        let inner = std::io::Error::other("refused");
        let error = kube::Error::Service(Box::new(inner));
        let text = in_words(&error);
        assert_eq!(text.matches("refused").count(), 1, "{text}");
    }
}
