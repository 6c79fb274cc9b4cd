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
