//! Pods that end before the start, and in whose place others come.

use tokio::sync::mpsc;

use super::place::{Place, start_seen_by};
use super::*;
use crate::decide::job::Prospect;
use crate::decide::outcome::Outcome;
use crate::decide::witness::{Seen, Sighting};
use crate::run::signals::Signals;
use crate::run::testimony::Testimony;
use crate::testing::logged::Logged;
use crate::testing::stage;

/// A start with one runner, whose pod is gone after 5 s; 30 s later another one comes, if one comes.
async fn a_pod_is_gone(prospect: Option<Prospect>, another_comes: bool) -> (Ending, Outcome) {
    let place = Place::new();
    let (witness, testimony) = mpsc::unbounded_channel();
    if let Some(prospect) = prospect {
        witness.send(Testimony::Job(prospect)).unwrap();
    }
    let (_sender, signals) = Signals::by_hand();
    let starting = start_seen_by(testimony, place.store(), place.settings(1), signals);
    let replacing = async {
        sleep(seconds(5)).await;
        let gone = Sighting {
            runner: runner("old"),
            name: Some("k6-0".to_owned()),
            state: Seen::Gone("its pod was deleted".to_owned()),
        };
        witness.send(Testimony::Runner(gone)).unwrap();
        sleep(seconds(30)).await;
        if another_comes {
            place.agent("new", Manner::default());
        }
    };
    let (started, ()) = tokio::join!(starting, replacing);
    started
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_no_jobs_is_waited_for_when_it_is_replaced() {
    let (_, outcome) = a_pod_is_gone(Some(Prospect::Open), true).await;
    assert_eq!(outcome.code, Code::Well, "{}", outcome.ending);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_no_jobs_is_waited_for_no_longer_than_max_wait() {
    let (ending, outcome) = a_pod_is_gone(Some(Prospect::Open), false).await;
    assert!(matches!(ending, Ending::TimedOut { .. }), "{ending:?}");
    assert_eq!(outcome.code, Code::NoQuorum);
}

#[tokio::test(start_paused = true)]
async fn who_has_ended_where_nobody_else_comes_ends_the_wait() {
    let (ending, _) = a_pod_is_gone(None, false).await;
    assert!(matches!(ending, Ending::Impossible { .. }), "{ending:?}");
}

#[tokio::test(start_paused = true)]
async fn where_a_newer_job_has_the_place_of_the_plan_nothing_is_written() {
    let (place, logged) = (Place::new(), Logged::here());
    let (witness, testimony) = mpsc::unbounded_channel();
    witness.send(Testimony::Job(Prospect::Replaced)).unwrap();
    let (_sender, signals) = Signals::by_hand();
    let starting = start_seen_by(testimony, place.store(), place.settings(1), signals);
    let (ending, _) = starting.await;
    assert!(ending.start().is_none(), "{ending:?}");
    logged.assert_has(
        "nothing is written any more: another Job of the name has the place of the plan",
    );
    let board = place.store().read(&stage()).await.unwrap();
    assert_eq!(board.abort, Ok(None));
}
