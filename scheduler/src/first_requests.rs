//! What the target saw: when the first request of each runner arrived there. A
//! target of a test of ours can be asked; any other has no need to answer.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::decide::outcome::FirstRequest;

/// How long the target may take to answer. The load is over or runs well by then;
/// what a target cannot say within this, is not worth the wait.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Answer {
    runners: BTreeMap<String, RunnerAnswer>,
}

#[derive(Deserialize)]
struct RunnerAnswer {
    first: DateTime<Utc>,
    count: u64,
}

/// Asks a target, by HTTP and without a proxy, for
/// `{"runners":{"runner-1":{"first":"RFC 3339","count":123}}}`, by the runners' names.
///
/// # Errors
/// A sentence that says what went wrong.
pub async fn ask(url: &str) -> Result<BTreeMap<String, FirstRequest>, String> {
    let cannot = |error: reqwest::Error| {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        format!("the first requests are not known: {}", causes.join(": "))
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .map_err(cannot)?;
    let answer = client.get(url).send().await.map_err(cannot)?;
    let answer = answer.error_for_status().map_err(cannot)?;
    let answer: Answer = answer.json().await.map_err(cannot)?;
    Ok(answer
        .runners
        .into_iter()
        .map(|(name, RunnerAnswer { first, count })| (name, FirstRequest { at: first, count }))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Asks a target that gives this answer.
    async fn asked(answer: &str) -> Result<BTreeMap<String, FirstRequest>, String> {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/first", target.local_addr().unwrap());
        let serve = async {
            let (mut connection, _) = target.accept().await.unwrap();
            let mut request = [0; 1024];
            assert_ne!(connection.read(&mut request).await.unwrap(), 0);
            connection.write_all(answer.as_bytes()).await.unwrap();
        };
        tokio::join!(ask(&url), serve).0
    }

    fn ok(body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    }

    #[tokio::test]
    async fn a_target_tells_when_each_runners_first_request_came() {
        let body = r#"{"runners":{"runner-1":{"first":"2026-03-01T12:00:00.002310000Z","count":123,
                       "last":"2026-03-01T12:00:09Z"},"runner-2":{"first":"2026-03-01T13:00:00+01:00","count":1}}}"#;
        let seen = asked(&ok(body)).await.unwrap();
        let first = seen["runner-1"];
        assert_eq!(
            first.at,
            crate::testing::noon() + chrono::TimeDelta::microseconds(2_310)
        );
        assert_eq!(first.count, 123);
        assert_eq!(seen["runner-2"].at, crate::testing::noon());
    }

    #[rstest]
    #[case::no_json(ok("none"))]
    #[case::another_form(ok("{}"))]
    #[case::no_time(ok(r#"{"runners":{"runner-1":{"first":"noon","count":1}}}"#))]
    #[case::not_found("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned())]
    #[case::cut_off("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned())]
    #[tokio::test]
    async fn an_answer_that_makes_no_sense_is_told_and_no_more(#[case] answer: String) {
        let error = asked(&answer).await.unwrap_err();
        assert!(
            error.starts_with("the first requests are not known: "),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_target_that_is_not_there_is_told() {
        let nobody = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(ask(&format!("http://{nobody}/")).await.is_err());
    }
}
