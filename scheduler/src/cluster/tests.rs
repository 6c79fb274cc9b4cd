//! What is said of an API server that fails.
#![allow(clippy::unwrap_used)]

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::testing::api_server::failing;
use crate::testing::logged::Logged;
use crate::testing::seconds;

const FAILS: &str = "the API server answers 500: etcd is away";

#[tokio::test]
async fn a_job_that_cannot_be_got_is_not_taken_for_absent() {
    let cluster = failing();
    let wanted = JobName {
        cluster: &cluster,
        name: "orders",
    };
    let error = find_job(&wanted).await.unwrap_err();
    let expected = format!("cannot get Job orders in namespace shop: {FAILS}");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_selector_that_nobody_could_read_is_not_called_wrong() {
    let error = check_selector(&failing(), "app=k6").await.unwrap_err();
    let expected = format!("cannot list pods with app=k6 in namespace shop: {FAILS}");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn rights_of_the_agents_that_cannot_be_asked_for_are_no_reason_not_to_start() {
    let logged = Logged::here();
    check_agents(&failing(), "runner", "tminus-orders").await;
    logged.assert_has(&format!(
        "whether the agents may do what they must is not checked: cannot ask for the agents' rights: {FAILS}"
    ));
}

/// Tells of pods and events for a while, of an API server that fails all the time.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_watched_is_told_and_tried_again() {
    let logged = Logged::here();
    let (sender, mut heard) = mpsc::unbounded_channel();
    let pods = pods::tell(failing(), "app=k6".to_owned(), sender.clone());
    let events = events::tell(failing(), None, events::Told::default(), sender);
    let both = async { tokio::join!(pods, events) };
    assert!(timeout(seconds(10), both).await.is_err(), "they go on");
    for what in ["watch the run's pods", "watch the namespace's events"] {
        logged.assert_has(&format!("cannot {what}: {FAILS}; trying again"));
    }
    assert!(heard.try_recv().is_err());
}
