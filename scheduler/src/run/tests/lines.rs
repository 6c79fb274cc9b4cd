//! What is logged of runners and of a store that fail.

use std::sync::atomic::Ordering;

use super::place::{Place, start_at};
use super::*;
use crate::run::signals::Signals;
use crate::testing::faulty_store::FaultyStore;
use crate::testing::logged::Logged;

#[tokio::test(start_paused = true)]
async fn a_runner_that_falls_silent() {
    let logged = Logged::here();
    let place = Place::new();
    let silent_after = Some(Duration::ZERO);
    place.agent("r1", Manner::default());
    place.agent(
        "r2",
        Manner {
            silent_after,
            ..Manner::default()
        },
    );
    let mut settings = place.settings(2);
    settings.wait = true;
    place.start(settings).await;
    logged.assert_has("r2 has been silent for ");
    logged.assert_has(" s and is taken for lost");
}

#[tokio::test(start_paused = true)]
async fn reports_that_cannot_be_read_for_a_while() {
    let logged = Logged::here();
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    let mut settings = place.settings(1);
    settings.max_wait = seconds(300);
    let (_sender, signals) = Signals::by_hand();
    let later = async {
        sleep(seconds(3)).await;
        faults.reports_away.store(true, Ordering::SeqCst);
        sleep(seconds(30)).await;
        faults.reports_away.store(false, Ordering::SeqCst);
        place.agent("r1", Manner::default());
    };
    tokio::join!(start_at(store, settings, signals), later);
    logged.assert_has("; trying again");
    logged.assert_has("the reports can be read again after ");
}

#[tokio::test(start_paused = true)]
async fn runners_that_cannot_be_told() {
    let logged = Logged::here();
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    let mut settings = place.settings(1);
    settings.max_wait = seconds(300);
    let (sender, signals) = Signals::by_hand();
    let later = async {
        sleep(seconds(3)).await;
        faults.away.store(true, Ordering::SeqCst);
        sleep(seconds(3)).await;
        sender.send("SIGTERM").unwrap();
    };
    let ((_, outcome), ()) = tokio::join!(start_at(store, settings, signals), later);
    assert_eq!(outcome.code, Code::Aborted);
    logged.assert_has("the runners could not be told: cannot ");
}
