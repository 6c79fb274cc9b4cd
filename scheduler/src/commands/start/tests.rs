//! What is said of a run when it is found.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;

use http::Method;
use rendezvous::DirectoryStore;
use serde_json::json;

use super::*;
use crate::cli::{Command, parse};
use crate::testing::api_server::answering;
use crate::testing::logged::Logged;
use crate::testing::run_id;

fn arguments(line: &str) -> StartArguments {
    let words = format!("tminus-scheduler start {line}");
    let Command::Start(start) = parse(words.split(' ').map(OsString::from)).unwrap().command else {
        panic!("{words}")
    };
    start
}

#[test]
fn a_lead_that_is_too_short_for_runners_that_only_poll_is_raised() {
    let (logged, directory) = (Logged::here(), tempfile::tempdir().unwrap());
    let least_lead = LeastLead::on_kubernetes(6);
    let found = Found {
        run: run_id(),
        venue: Venue {
            store: Arc::new(DirectoryStore::open(directory.path()).unwrap()),
            witness: None,
        },
        runners: 6,
        least_lead,
    };
    let stages = stages(&arguments("--job orders --lead 5s"), &found).unwrap();
    assert_eq!(stages[0].lead, least_lead.whole());
    logged.assert_has(
        "--lead 5s is less than 25s, which 6 runners need to learn of the instant by polling alone; taking 25s",
    );
}

#[tokio::test]
async fn a_job_that_runs_some_of_its_pods_later_is_warned_of() {
    let logged = Logged::here();
    let job = json!({
        "metadata": {"name": "orders", "namespace": "shop", "uid": "5c2e", "resourceVersion": "7"},
        "spec": {"parallelism": 4, "completions": 10, "template": {"spec": {"containers": []}}}
    });
    let list = json!({
        "kind": "JobList", "apiVersion": "batch/v1", "metadata": {"resourceVersion": "8"},
        "items": [job]
    });
    let cluster = answering(move |method, _| {
        let allowed = json!({"metadata": {}, "spec": {}, "status": {"allowed": true}});
        let is_question = method == Method::POST;
        Some((200, if is_question { allowed } else { list.clone() }))
    });
    let start = arguments("--job orders");
    let found = of_job(&start, cluster, "orders".to_owned(), &OnceCell::new()).await;
    let found = found.map_err(|stop| stop.why).unwrap();
    assert_eq!((found.run.as_str(), found.runners), ("5c2e", 4));
    logged.assert_has(
        "Job orders runs 4 of its 10 pods at once: the others come when the start is past, and are late",
    );
}
