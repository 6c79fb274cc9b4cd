//! More than one scheduler, or what an earlier one left.

use rendezvous::{Plan, PlanId, PlanState, RunId, Write};

use super::place::Place;
use super::*;
use crate::run::settings::Settings;
use crate::testing::{a_set_plan, gathering_plan, stage};
use crate::trouble::Trouble;

#[tokio::test(start_paused = true)]
async fn of_two_schedulers_at_once_one_sets_the_instant_and_the_other_follows() {
    for round in 0..100 {
        let place = Place::new();
        for name in ["r1", "r2"] {
            place.agent(name, Manner::default());
        }
        let ((first, one), (second, other)) = tokio::join!(
            place.start(place.settings(2)),
            place.start(place.settings(2))
        );
        assert_eq!(one.start_at, other.start_at, "round {round}");
        assert!(one.start_at.is_some(), "{first:?} {second:?}");
        assert_eq!(one.plan, other.plan);
        assert_eq!((one.code, other.code), (Code::Well, Code::Well));
        let followers = [first, second]
            .iter()
            .filter(|ending| {
                matches!(
                    ending,
                    Ending::Followed {
                        expected: Expected::Number(2),
                        ..
                    }
                )
            })
            .count();
        assert_eq!(followers, 1, "round {round}");
    }
}

/// Conducts a start for so long, and then is gone without a trace.
async fn killed_after(place: &Place, settings: Settings, after: Duration) {
    tokio::select! {
        ended = place.start(settings) => panic!("it should have been killed: {ended:?}"),
        () = sleep(after) => {}
    }
}

async fn plan_of(place: &Place) -> Plan {
    let board = place.store().read(&stage()).await.unwrap();
    board.plan.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_killed_while_gathering_goes_on_with_its_plan_when_run_again() {
    let place = Place::new();
    place.agent(
        "r1",
        Manner {
            ready_after: seconds(8),
            ..Manner::default()
        },
    );
    killed_after(&place, place.settings(1), seconds(4)).await;
    let before = plan_of(&place).await;
    let (_, outcome) = place.start(place.settings(1)).await;
    assert_eq!(outcome.plan, Some(before.id));
    assert_eq!(outcome.code, Code::Well);
}

#[rstest]
#[case::while_counting_down(seconds(3))]
#[case::while_the_load_runs(seconds(9))]
#[tokio::test(start_paused = true)]
async fn a_scheduler_killed_after_the_instant_was_set_never_moves_it(#[case] after: Duration) {
    let place = Place::new();
    place.agent("r1", Manner::default());
    let mut settings = place.settings(1);
    (settings.lead, settings.wait) = (seconds(5), true);
    killed_after(&place, settings.clone(), after).await;
    let before = plan_of(&place).await;
    let (ending, outcome) = place.start(settings).await;
    assert!(matches!(
        ending,
        Ending::Followed {
            expected: Expected::Number(1),
            ..
        }
    ));
    assert_eq!(outcome.start_at, before.start_at());
    assert!(outcome.start_at.is_some());
    assert_eq!((outcome.code, outcome.started), (Code::Well, 1));
    assert_eq!(plan_of(&place).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_another_run_left_is_replaced() {
    let place = Place::new();
    let yesterday = Plan {
        run: RunId::new("yesterday").unwrap(),
        ..a_set_plan()
    };
    let empty = place.store().read(&stage()).await.unwrap().revision;
    place.store().write_plan(&yesterday, &empty).await.unwrap();
    place.agent("r1", Manner::default());
    let (_, outcome) = place.start(place.settings(1)).await;
    assert_eq!(outcome.code, Code::Well);
    let plan = plan_of(&place).await;
    assert_eq!(plan.run, run_id());
    assert_ne!(plan.id, yesterday.id);
}

#[tokio::test(start_paused = true)]
async fn another_run_that_takes_the_place_meanwhile_is_not_fought() {
    let place = Place::new();
    let store = place.store();
    let taken = tokio::spawn(async move {
        sleep(seconds(5)).await;
        let revision = store.read(&stage()).await.unwrap().revision;
        let other = Plan {
            run: RunId::new("other").unwrap(),
            id: PlanId::random(),
            ..gathering_plan()
        };
        let written = store.write_plan(&other, &revision).await.unwrap();
        assert_eq!(written, Write::Done);
    });
    let (ending, outcome) = place.start(place.settings(1)).await;
    taken.await.unwrap();
    let other = RunId::new("other").unwrap();
    assert_eq!(outcome.code, Code::NoAccess);
    assert!(
        matches!(&ending, Ending::Broken { trouble, .. } if *trouble == Trouble::TakenOver(other)),
        "{ending:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_removed_while_gathering_is_written_again() {
    let place = Place::new();
    place.agent(
        "r1",
        Manner {
            ready_after: seconds(8),
            ..Manner::default()
        },
    );
    let path = place.directory.path().join("plan-main.json");
    let removed = tokio::spawn(async move {
        sleep(seconds(4)).await;
        std::fs::remove_file(path).unwrap();
    });
    let (_, outcome) = place.start(place.settings(1)).await;
    removed.await.unwrap();
    assert_eq!(outcome.code, Code::Well);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_read_is_named_with_the_cure() {
    let place = Place::new();
    let path = place.directory.path().join("plan-main.json");
    std::fs::write(&path, "{\"version\":1,").unwrap();
    let (_, outcome) = place.start(place.settings(1)).await;
    assert_eq!(outcome.code, Code::NoAccess);
    assert!(
        outcome.ending.contains("plan-main.json"),
        "{}",
        outcome.ending
    );
    assert!(outcome.ending.contains("remove it"), "{}", outcome.ending);
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, "{\"version\":1,");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_aborted_already_is_not_started() {
    let place = Place::new();
    let abort = Abort::new(run_id(), "somebody", "enough");
    place.store().write_abort(&abort).await.unwrap();
    place.agent("r1", Manner::default());
    let (_, outcome) = place.start(place.settings(1)).await;
    assert_eq!(outcome.code, Code::Aborted);
    assert!(outcome.ending.contains("enough"));
}

#[tokio::test(start_paused = true)]
async fn reports_of_another_run_do_not_count() {
    let place = Place::new();
    for name in ["x1", "x2"] {
        let mut report = crate::testing::a_report(name, Phase::Ready);
        report.run = RunId::new("other").unwrap();
        place.store().publish(&report).await.unwrap();
    }
    place.agent("r1", Manner::default());
    let mut settings = place.settings(2);
    settings.max_wait = seconds(5);
    let (_, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, Code::NoQuorum);
    assert_eq!(outcome.rows.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_time_left_is_told_again_and_again() {
    let place = Place::new();
    let start = place.start(place.settings(1));
    let look = async {
        let mut left = Vec::new();
        for at in [1, 33] {
            sleep(seconds(at)).await;
            if let PlanState::Gathering { left: now } = plan_of(&place).await.state {
                left.push(now);
            }
        }
        left
    };
    let (_, left) = tokio::join!(start, look);
    assert_eq!(left, [seconds(60), seconds(30)]);
}
