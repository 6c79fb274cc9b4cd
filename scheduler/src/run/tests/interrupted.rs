//! Signals to the scheduler, and a store that fails.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::place::{Place, start_at};
use super::*;
use crate::decide::outcome::Outcome;
use crate::run::settings::Settings;
use crate::run::signals::Signals;
use crate::testing::faulty_store::{Faults, FaultyStore};
use crate::testing::logged::Logged;
use crate::testing::stage;

#[rstest]
#[case::gathering(900, 1)]
#[case::counting_down(0, 3)]
#[case::running(0, 10)]
#[tokio::test(start_paused = true)]
async fn a_signal_aborts_the_run(#[case] ready_after: u64, #[case] after: u64) {
    let place = Place::new();
    let agent = place.agent(
        "r1",
        Manner {
            ready_after: seconds(ready_after),
            ..Manner::default()
        },
    );
    let (sender, signals) = Signals::by_hand();
    tokio::spawn(async move {
        sleep(seconds(after)).await;
        sender.send("SIGTERM").unwrap();
    });
    let mut settings = place.settings(1);
    (settings.lead, settings.wait) = (seconds(5), true);
    let began = Instant::now();
    let (ending, outcome) = start_at(place.store(), settings, signals).await;
    assert!(
        matches!(
            ending,
            Ending::Cancelled {
                signal: "SIGTERM",
                ..
            }
        ),
        "{ending:?}"
    );
    assert_eq!(outcome.code, Code::Aborted);
    assert!(began.elapsed() < seconds(after + 3));
    let board = place.store().read(&stage()).await.unwrap();
    assert!(board.abort.unwrap().unwrap().why.contains("SIGTERM"));
    if ready_after == 0 {
        assert_eq!(agent.await.unwrap().phase, Phase::Aborted);
    }
}

/// Starts on a store that is away from one moment to another, with one runner.
async fn away(from: u64, until: u64, settings: Settings, place: &Place, runs_for: u64) -> Outcome {
    without(
        |faults| &faults.away,
        from..until,
        settings,
        place,
        runs_for,
    )
    .await
}

/// Starts on a store that lacks something from one moment to another, with one runner.
async fn without(
    what: fn(&Faults) -> &AtomicBool,
    Range {
        start: from,
        end: until,
    }: Range<u64>,
    settings: Settings,
    place: &Place,
    runs_for: u64,
) -> Outcome {
    let (store, faults) = FaultyStore::around(place.store());
    place.agent_at(
        &store,
        "r1",
        Manner {
            ready_after: seconds(5),
            runs_for: seconds(runs_for),
            ..Manner::default()
        },
    );
    tokio::spawn(async move {
        sleep(seconds(from)).await;
        what(&faults).store(true, Ordering::SeqCst);
        sleep(seconds(until - from)).await;
        what(&faults).store(false, Ordering::SeqCst);
    });
    let (_sender, signals) = Signals::by_hand();
    start_at(store, settings, signals).await.1
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_minute_is_waited_for() {
    let place = Place::new();
    let mut settings = place.settings(1);
    settings.max_wait = seconds(300);
    let outcome = away(3, 63, settings, &place, 10).await;
    assert_eq!(outcome.code, Code::Well);
    assert!(outcome.start_at.unwrap() > noon() + TimeDelta::seconds(63));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_called_lost_while_the_store_is_away() {
    let place = Place::new();
    let mut settings = place.settings(1);
    settings.wait = true;
    let outcome = away(20, 80, settings, &place, 120).await;
    assert_eq!((outcome.code, outcome.faults.len()), (Code::Well, 0));
}

#[tokio::test(start_paused = true)]
async fn a_start_is_not_judged_before_the_store_is_back() {
    let place = Place::new();
    let outcome = away(6, 66, place.settings(1), &place, 120).await;
    assert!(outcome.start_at.unwrap() < noon() + TimeDelta::seconds(15));
    assert_eq!((outcome.code, outcome.faults.len()), (Code::Well, 0));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_given_up() {
    let place = Place::new();
    let began = Instant::now();
    let mut settings = place.settings(1);
    settings.max_wait = seconds(900);
    let outcome = away(3, 1_000, settings, &place, 10).await;
    assert_eq!(outcome.code, Code::NoAccess);
    assert!(
        outcome.ending.contains("no route to host"),
        "{}",
        outcome.ending
    );
    assert!(began.elapsed() < seconds(100));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_called_lost_while_only_the_reports_cannot_be_read() {
    let place = Place::new();
    let mut settings = place.settings(1);
    settings.wait = true;
    let outcome = without(|faults| &faults.reports_away, 20..80, settings, &place, 120).await;
    assert_eq!((outcome.code, outcome.faults.len()), (Code::Well, 0));
}

#[rstest]
#[case::while_gathering(3, 300, 100)]
#[case::from_the_beginning(0, 300, 100)]
// An upgrade of a control plane is waited for, as runners that have started need it no more.
#[case::while_the_load_runs(20, 10, 1_000)]
#[tokio::test(start_paused = true)]
async fn reports_that_can_never_be_read_again_are_what_is_told(
    #[case] from: u64,
    #[case] lead: u64,
    #[case] within: u64,
) {
    let place = Place::new();
    let mut settings = place.settings(1);
    (settings.max_wait, settings.wait) = (seconds(900), true);
    settings.lead = seconds(lead);
    let began = Instant::now();
    let lasting = from..2_000;
    let outcome = without(
        |faults| &faults.reports_away,
        lasting,
        settings,
        &place,
        600,
    )
    .await;
    assert_eq!(outcome.code, Code::NoAccess, "{}", outcome.ending);
    assert!(outcome.ending.contains("no route to host"));
    assert!(began.elapsed() < seconds(from + within));
}

#[tokio::test(start_paused = true)]
async fn reports_that_can_be_read_again_need_not_be_there_yet() {
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
        sleep(seconds(150)).await;
        place.agent("r1", Manner::default());
    };
    let ((_, outcome), ()) = tokio::join!(start_at(store, settings, signals), later);
    assert_eq!(outcome.code, Code::Well, "{}", outcome.ending);
}

#[tokio::test(start_paused = true)]
async fn an_instant_that_stands_although_the_store_did_not_say_so_is_the_instant() {
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    place.agent("r1", Manner::default());
    faults.lose_answer.store(true, Ordering::SeqCst);
    let (_sender, signals) = Signals::by_hand();
    let (ending, outcome) = start_at(store, place.settings(1), signals).await;
    assert!(
        !faults.lose_answer.load(Ordering::SeqCst),
        "the fault took place"
    );
    let expected = Expected::Runners(vec![runner("r1")]);
    assert!(
        matches!(&ending, Ending::Followed { expected: found, .. } if *found == expected),
        "{ending:?}"
    );
    assert_eq!(outcome.code, Code::Well);
}

#[rstest]
#[case::by_itself_after_three_seconds(1, 3)]
#[case::by_a_second_signal_at_once(2, 0)]
#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_holds_up_no_end(
    #[case] signals: usize,
    #[case] longest: u64,
) {
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    faults.no_aborts.store(true, Ordering::SeqCst);
    place.agent("r1", Manner::default());
    let (sender, received) = Signals::by_hand();
    let told = async {
        sleep(seconds(2)).await;
        for _ in 0..signals {
            sender.send("SIGINT").unwrap();
        }
        Instant::now()
    };
    let started = start_at(store, place.settings(2), received);
    let ((_, outcome), since) = tokio::join!(started, told);
    assert_eq!((outcome.code, outcome.kind), (Code::Aborted, "cancelled"));
    assert!(since.elapsed() <= seconds(longest) + Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_not_waited_for_when_the_runners_are_told() {
    let (place, logged) = (Place::new(), Logged::here());
    let (store, faults) = FaultyStore::around(place.store());
    faults.no_aborts.store(true, Ordering::SeqCst);
    let (_sender, signals) = Signals::by_hand();
    let mut settings = place.settings(1);
    settings.max_wait = seconds(5);
    let began = Instant::now();
    let (ending, outcome) = start_at(store, settings, signals).await;
    assert!(matches!(ending, Ending::TimedOut { .. }), "{ending:?}");
    assert_eq!(outcome.code, Code::NoQuorum);
    logged.assert_has("the runners could not be told: the store does not answer");
    assert!(began.elapsed() < seconds(5 + 4));
}
