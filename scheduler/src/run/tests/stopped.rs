//! A runner that is lost, or whose k6 fails, in the middle of a run, and what becomes of the others.

use std::sync::atomic::Ordering;

use rendezvous::Report;
use tokio::task::JoinHandle;

use super::place::{Place, start_at};
use super::*;
use crate::decide::policy::{Policies, Policy};
use crate::run::settings::Settings;
use crate::run::signals::Signals;
use crate::testing::faulty_store::FaultyStore;
use crate::testing::{OVERDUE, stage};

const LONG: Duration = Duration::from_secs(100);

/// One whose load takes long.
fn steady() -> Manner {
    Manner {
        runs_for: LONG,
        ..Manner::default()
    }
}

fn failing() -> Manner {
    Manner {
        runs_for: seconds(5),
        code: 99,
        ..Manner::default()
    }
}

fn vanishing() -> Manner {
    Manner {
        silent_after: Some(Duration::ZERO),
        ..steady()
    }
}

const ON_FAILURE: Policies = Policies {
    on_lost: Policy::Continue,
    on_failure: Policy::Abort,
};

const ON_LOST: Policies = Policies {
    on_lost: Policy::Abort,
    on_failure: Policy::Continue,
};

/// A start of four, whose ends are waited for.
fn settings(place: &Place, policies: Policies) -> Settings {
    Settings {
        wait: true,
        policies,
        ..place.settings(4)
    }
}

/// Four of which the second is different.
fn four(place: &Place, second: Manner) -> Vec<JoinHandle<Report>> {
    let manner = |name| match name {
        "r2" => second.clone(),
        _ => steady(),
    };
    let names = ["r1", "r2", "r3", "r4"];
    names.map(|name| place.agent(name, manner(name))).into()
}

async fn codes(agents: Vec<JoinHandle<Report>>) -> Vec<Option<u8>> {
    let mut codes = Vec::new();
    for agent in agents {
        codes.push(agent.await.unwrap().exit_code);
    }
    codes
}

async fn is_aborted(place: &Place) -> bool {
    let board = place.store().read(&stage()).await.unwrap();
    board.abort.unwrap().is_some()
}

#[tokio::test(start_paused = true)]
async fn the_others_go_on_without_one_that_is_lost_and_the_share_of_the_load_is_told() {
    let place = Place::new();
    let agents = four(&place, vanishing());
    let (ending, outcome) = place.start(settings(&place, Policies::default())).await;
    assert!(matches!(ending, Ending::Followed { .. }), "{ending:?}");
    assert_eq!((outcome.code, outcome.lost), (Code::NotWell, 1));
    assert!((outcome.lost_share - 0.25).abs() < 1e-9);
    assert_eq!(
        outcome.faults[0],
        "1 of 4 runners lost 0 s after the start: 25 % of the load from then on"
    );
    assert!(
        outcome.faults[1].starts_with("r2: lost: silent for "),
        "{:?}",
        outcome.faults
    );
    assert_eq!(codes(agents).await, [Some(0), None, Some(0), Some(0)]);
    assert!(!is_aborted(&place).await);
}

#[tokio::test(start_paused = true)]
async fn the_others_are_ended_within_two_renewals_if_they_are_to_be_when_one_is_lost() {
    let place = Place::new();
    let agents = four(&place, vanishing());
    let began = Instant::now();
    let (ending, outcome) = place.start(settings(&place, ON_LOST)).await;
    let took = began.elapsed();
    assert!(took < seconds(4 + 2) + OVERDUE, "{took:?}");
    let why =
        "the run was ended before its time: r2 was lost: its report has not been renewed for 2";
    assert!(ending.to_string().starts_with(why), "{ending}");
    assert_eq!((outcome.code, outcome.kind), (Code::NotWell, "stopped"));
    assert_eq!(outcome.lost, 1, "those that were ended for it are not lost");
    assert_eq!(outcome.faults.len(), 2, "{:?}", outcome.faults);
    assert_eq!(codes(agents).await, [Some(76), None, Some(76), Some(76)]);
}

#[rstest]
#[case::they_are_ended(ON_FAILURE, 76)]
#[case::they_go_on(Policies::default(), 0)]
#[tokio::test(start_paused = true)]
async fn a_runner_that_fails_gives_the_code_whatever_becomes_of_the_others(
    #[case] policies: Policies,
    #[case] code: u8,
) {
    let place = Place::new();
    let agents = four(&place, failing());
    let began = Instant::now();
    let (ending, outcome) = place.start(settings(&place, policies)).await;
    let took = began.elapsed();
    assert_eq!(outcome.code, Code::Runner(99), "{ending}");
    assert_eq!((outcome.lost, outcome.faults.len()), (0, 0));
    let others = Some(code);
    assert_eq!(codes(agents).await, [others, Some(99), others, others]);
    if code == 76 {
        assert!(took < seconds(4 + 5 + 2), "{took:?}");
        let why = "the run was ended before its time: r2 ended with 99 (--on-failure abort)";
        assert_eq!(outcome.ending, why);
    } else {
        assert!(took > LONG);
    }
    assert_eq!(is_aborted(&place).await, code == 76);
}

#[rstest]
#[case::nothing_follows(false)]
#[case::another_stage_follows(true)]
#[tokio::test(start_paused = true)]
async fn where_nobody_is_left_only_a_later_stage_is_ended(#[case] followed: bool) {
    let place = Place::new();
    place.agent("r1", failing());
    let settings = Settings {
        followed,
        ..settings(&place, ON_FAILURE)
    };
    let mut settings = settings;
    (settings.need.wanted, settings.need.minimum) = (1, 1);
    let (ending, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, Code::Runner(99));
    assert_eq!(matches!(ending, Ending::Stopped { .. }), followed);
    assert_eq!(is_aborted(&place).await, followed);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_just_then_is_told_when_it_is_back() {
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    let agents = four(&place, failing());
    let (_sender, signals) = Signals::by_hand();
    let fault = async {
        // It is away for the write only, as the failure has to be seen.
        faults.no_aborts.store(true, Ordering::SeqCst);
        sleep(seconds(30)).await;
        faults.no_aborts.store(false, Ordering::SeqCst);
    };
    let started = start_at(store, settings(&place, ON_FAILURE), signals);
    let ((_, outcome), ()) = tokio::join!(started, fault);
    assert_eq!(outcome.code, Code::Runner(99));
    assert_eq!(codes(agents).await, [76, 99, 76, 76].map(Some));
}

#[tokio::test(start_paused = true)]
async fn who_tells_the_scheduler_to_end_while_it_ends_the_run_is_heard() {
    let place = Place::new();
    let (store, faults) = FaultyStore::around(place.store());
    faults.no_aborts.store(true, Ordering::SeqCst);
    four(&place, failing());
    let (sender, signals) = Signals::by_hand();
    let cancel = async {
        sleep(seconds(12)).await;
        sender.send("SIGTERM").unwrap();
    };
    let began = Instant::now();
    let started = start_at(store, settings(&place, ON_FAILURE), signals);
    let ((_, outcome), ()) = tokio::join!(started, cancel);
    assert_eq!((outcome.code, outcome.kind), (Code::Aborted, "cancelled"));
    assert!(began.elapsed() < seconds(12 + 4));
}

#[tokio::test(start_paused = true)]
async fn an_abort_by_somebody_else_is_no_runners_loss() {
    let place = Place::new();
    four(&place, steady());
    let store = place.store();
    let abort = async {
        sleep(seconds(10)).await;
        let abort = Abort::new(run_id(), "somebody", "enough");
        store.write_abort(&abort).await.unwrap();
    };
    let policies = Policies {
        on_lost: Policy::Abort,
        on_failure: Policy::Abort,
    };
    let ((_, outcome), ()) = tokio::join!(place.start(settings(&place, policies)), abort);
    assert_eq!((outcome.code, outcome.kind), (Code::Aborted, "aborted"));
}
