//! What the API server was asked, from its audit log.

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// One request to the API server.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    #[serde(rename = "auditID")]
    id: String,
    /// When it came.
    #[serde(rename = "requestReceivedTimestamp")]
    pub at: DateTime<Utc>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`…
    pub verb: String,
    /// What comes after the server's address.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// Who asked.
    pub user: User,
    /// The program that asked, as it calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// What it was about, unless it was about no object.
    #[serde(default)]
    pub object_ref: Object,
    #[serde(default)]
    response_status: Status,
}

/// Who makes a request.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// For a service account `system:serviceaccount:NAMESPACE:NAME`; empty for one whom the API server, just started, does
    /// not know yet.
    #[serde(default)]
    pub username: String,
}

/// What a request is about. What it does not say is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Object {
    /// `leases`, `configmaps`, `pods`…
    pub resource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `status`, `eviction`, `log`…
    pub subresource: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Status {
    code: Option<u16>,
}

impl Request {
    /// The HTTP status of the answer.
    pub fn code(&self) -> Option<u16> {
        self.response_status.code
    }
}

/// The requests so far, each once, in the order in which they were answered; watches that began among them.
pub fn read(audit_log: &Path) -> Vec<Request> {
    parse(&fs::read_to_string(audit_log).unwrap())
}

fn parse(log: &str) -> Vec<Request> {
    let mut seen = std::collections::HashSet::new();
    log.split_inclusive('\n')
        // The last one may be half written.
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str::<Request>(line).unwrap())
        // A watch is told when it begins, and when it is over.
        .filter(|request| seen.insert(request.id.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCH: &str = r#"{"auditID":"1","stage":"ResponseStarted","requestURI":"/api/v1/pods?watch=1","verb":"watch","user":{"username":"admin"},"requestReceivedTimestamp":"2024-05-01T10:00:00.000001Z","objectRef":{"resource":"pods","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200}}"#;
    const READY: &str = r#"{"auditID":"2","stage":"ResponseComplete","requestURI":"/readyz","verb":"get","user":{"username":"system:anonymous"},"requestReceivedTimestamp":"2024-05-01T10:00:01Z"}"#;

    const UNKNOWN: &str = r#"{"auditID":"3","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{},"requestReceivedTimestamp":"2024-05-01T10:00:02Z"}"#;

    #[test]
    fn a_request_of_nobody_that_is_known_is_told() {
        let requests = parse(&format!("{UNKNOWN}\n"));
        assert_eq!(requests[0].user.username, "");
    }

    #[test]
    fn counts_a_watch_once_and_leaves_out_half_a_line() {
        let requests = parse(&format!("{WATCH}\n{READY}\n{WATCH}\n{}", &READY[..40]));
        let told: Vec<_> = requests.iter().map(|request| &*request.verb).collect();
        assert_eq!(told, ["watch", "get"]);
        assert_eq!(requests[0].object_ref.resource, "pods");
        assert_eq!((requests[0].code(), requests[1].code()), (Some(200), None));
    }
}
