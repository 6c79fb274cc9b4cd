//! Clocks that are wrong, jump, or leave too little time.

use std::sync::atomic::Ordering;

use super::place::{Place, start_at};
use super::*;
use crate::decide::flaw::Flaw;
use crate::run::signals::Signals;
use crate::testing::faulty_store::FaultyStore;
use crate::testing::stage;

/// An agent whose clock is so many seconds ahead.
fn ahead(seconds: i64) -> Manner {
    Manner {
        clock_ahead: TimeDelta::seconds(seconds),
        ..Manner::default()
    }
}

/// An agent that measures its clock.
fn measured() -> Manner {
    Manner {
        clock_error: Some(Duration::from_millis(1)),
        ..Manner::default()
    }
}

#[rstest]
#[case::behind(-420)]
#[case::ahead(420)]
#[tokio::test(start_paused = true)]
async fn one_that_was_done_without_for_its_clock_is_named_when_it_starts_all_the_same(
    #[case] seconds_ahead: i64,
) {
    let place = Place::new();
    for (name, seconds) in [("r1", 0), ("r2", seconds_ahead), ("r3", 0)] {
        place.agent(name, ahead(seconds));
    }
    let mut settings = place.settings(3);
    (settings.need.minimum, settings.need.grace_period) = (2, seconds(5));
    settings.wait = true;
    let (_, outcome) = place.start(settings).await;
    assert_eq!((outcome.code, outcome.started), (Code::NotWell, 3));
    let flaw = outcome.rows[1].flaw.as_ref();
    assert!(matches!(flaw, Some(Flaw::ClockAtOdds(_))), "{outcome:#?}");
    assert_eq!(outcome.spread.map(|spread| spread.starts), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_far_off_until_it_was_measured_delays_nobody() {
    let place = Place::new();
    place.agent("r1", measured());
    place.agent("r2", measured());
    // What a runner says before it has measured its clock.
    let mut unmeasured = crate::testing::a_report("r3", Phase::Starting);
    unmeasured.clock.utc = noon() + TimeDelta::seconds(420);
    place.store().publish(&unmeasured).await.unwrap();
    let agent = async {
        sleep(seconds(4)).await;
        place.agent("r3", measured());
    };
    let began = Instant::now();
    let ((_, outcome), ()) = tokio::join!(place.start(place.settings(3)), agent);
    assert_eq!((outcome.code, outcome.started), (Code::Well, 3));
    assert!(began.elapsed() < seconds(20), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn starting_runners_do_not_say_what_time_it_is() {
    let place = Place::new();
    for name in ["r1", "r2"] {
        place.agent(name, Manner::default());
    }
    for name in ["r3", "r4", "r5"] {
        let ready_after = seconds(900);
        place.agent(
            name,
            Manner {
                ready_after,
                ..ahead(420)
            },
        );
    }
    let (_, outcome) = place.start(place.settings(2)).await;
    assert_eq!(outcome.code, Code::Well);
    let off = outcome.start_at.unwrap() - noon();
    assert!(off < TimeDelta::seconds(20), "{off}");
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_is_found_after_the_start_is_waited_for() {
    let place = Place::new();
    place.agent("r1", measured());
    let jumped_after = Some(seconds(4));
    place.agent(
        "r2",
        Manner {
            jumped_after,
            ..measured()
        },
    );
    let (_, outcome) = place.start(place.settings(2)).await;
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(
        outcome.faults,
        ["r2: its clock jumped around the start, so nobody knows when it fired"]
    );
}

#[tokio::test(start_paused = true)]
async fn where_no_clock_is_measured_nobody_waits_for_a_jump() {
    let place = Place::new();
    place.agent("r1", Manner::default());
    let mut settings = place.settings(1);
    settings.lead = seconds(1);
    let began = Instant::now();
    let (_, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, Code::Well);
    assert!(began.elapsed() < seconds(5), "{:?}", began.elapsed());
}

#[rstest]
#[case::in_time(1_000, false, Code::Well)]
#[case::too_late(29_800, false, Code::NoQuorum)]
#[case::too_late_without_an_answer(29_800, true, Code::NoQuorum)]
#[tokio::test(start_paused = true)]
async fn an_instant_that_was_published_too_late_aborts_the_run(
    #[case] millis: u64,
    #[case] lose_answer: bool,
    #[case] code: Code,
) {
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    faults.millis_to_set.store(millis, Ordering::SeqCst);
    faults.lose_answer.store(lose_answer, Ordering::SeqCst);
    place.agent("r1", Manner::default());
    let (_sender, signals) = Signals::by_hand();
    let mut settings = place.settings(1);
    settings.at = Some(noon() + TimeDelta::seconds(30));
    let (ending, outcome) = start_at(store, settings, signals).await;
    assert_eq!(outcome.code, code, "{ending}");
    let board = place.store().read(&stage()).await.unwrap();
    let aborted = board.abort.unwrap();
    assert_eq!(aborted.is_some(), code != Code::Well);
    if code != Code::Well {
        let why = ending.to_string();
        assert!(why.contains("when the store had it at last"), "{why}");
    }
}
