//! A load that begins and ends while the store is away: its pod's status tells of it.

use std::sync::atomic::Ordering;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokio::sync::mpsc;

use super::place::{Place, start_seen_by};
use super::*;
use crate::decide::outcome::Outcome;
use crate::run::signals::Signals;
use crate::run::testimony::Testimony;
use crate::testing::faulty_store::FaultyStore;

/// The pod of r1, whose container has ended with this code, and left this message.
fn pod(code: i32, message: &str) -> Pod {
    let container = json!({"name": "main", "env": [{"name": "TMINUS_STAGE", "value": "main"}]});
    let end = json!({"terminated": {"exitCode": code, "reason": "Completed", "message": message}});
    let status = json!({"name": "main", "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": end});
    serde_json::from_value(json!({
        "metadata": {"name": "k6-0", "uid": "r1"},
        "spec": {"restartPolicy": "Never", "containers": [container]},
        "status": {"phase": "Succeeded", "containerStatuses": [status]},
    }))
    .unwrap()
}

/// The store is away from shortly before the instant until a minute later; the load takes 10 s.
async fn start_unseen(pod: Pod) -> Outcome {
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    let manner = Manner {
        runs_for: seconds(10),
        ..Manner::default()
    };
    place.agent_at(&store, "r1", manner);
    let (witness, testimony) = mpsc::unbounded_channel();
    let (_sender, signals) = Signals::by_hand();
    let mut settings = place.settings(1);
    settings.wait = true;
    let starting = start_seen_by(testimony, store, settings, signals);
    let befalling = async {
        sleep(seconds(1)).await;
        faults.away.store(true, Ordering::SeqCst);
        sleep(seconds(60)).await;
        faults.away.store(false, Ordering::SeqCst);
        witness.send(Testimony::Pod(Box::new(pod))).unwrap();
    };
    tokio::join!(starting, befalling).0.1
}

#[tokio::test(start_paused = true)]
async fn the_last_words_tell_of_a_start_that_nobody_saw() {
    let words = "finished (0); lateness +0.213 ms, clock error unmeasured; run run-1, stage main\n";
    let outcome = start_unseen(pod(0, words)).await;
    assert_eq!(outcome.faults, [""; 0]);
    assert_eq!((outcome.code, outcome.started), (Code::Well, 1));
    let start = outcome.rows[0].start.as_ref().unwrap();
    assert_eq!(start.lateness, TimeDelta::microseconds(213));
    assert_eq!(start.fired_at, outcome.start_at.unwrap() + start.lateness);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_the_last_words_tell_of_is_judged_as_any_other() {
    let words =
        "finished (99); lateness +9000.000 ms, clock error unmeasured; run run-1, stage main";
    let outcome = start_unseen(pod(99, words)).await;
    assert_eq!(outcome.code, Code::Runner(99));
    assert!(
        outcome.faults[0].starts_with("r1 fired 9000.00 ms too late"),
        "{:?}",
        outcome.faults
    );
}

#[rstest]
#[case::none("", "ended without a word")]
#[case::of_another_run(
    "finished (0); lateness +0.213 ms, clock error unmeasured; run run-2, stage main",
    "ended without a word: its container says: finished (0); "
)]
#[case::of_one_that_passed(
    "skipped (0): the instant is past; run run-1, stage main",
    "skipped: the instant is past"
)]
#[tokio::test(start_paused = true)]
async fn where_they_tell_of_no_start_it_is_missing(#[case] words: &str, #[case] told: &str) {
    let outcome = start_unseen(pod(0, words)).await;
    assert_eq!((outcome.code, outcome.started), (Code::NotWell, 0));
    let faults = outcome.faults.join("\n");
    assert!(
        faults.contains(&format!("did not start: {told}")),
        "{faults}"
    );
}
