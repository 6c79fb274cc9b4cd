//! More than one scheduler, or what an earlier one left.

use rendezvous::{LatePolicy, Plan, PlanId, PlanState, RunId, Write};

use super::place::Place;
use super::*;
use crate::decide::outcome::Outcome;
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

/// Starts with four runners wanted and then, on the same plan, with one wanted, while one is there.
async fn four_wanted_and_one_wanted(
    late: (Option<LatePolicy>, Option<LatePolicy>),
) -> (Outcome, Outcome, Plan) {
    let place = Place::new();
    let (mut four, mut one) = (place.settings(4), place.settings(1));
    (four.terms.late, one.terms.late) = late;
    let later = async {
        sleep(seconds(2)).await;
        place.agent("r1", Manner::default());
        place.start(one).await.1
    };
    let ((_, first), second) = tokio::join!(place.start(four), later);
    (first, second, plan_of(&place).await)
}

#[tokio::test(start_paused = true)]
async fn who_wanted_more_runners_than_another_scheduler_started_is_not_content() {
    let (first, second, _) = four_wanted_and_one_wanted((None, None)).await;
    assert_eq!(first.start_at, second.start_at);
    for outcome in [first, second] {
        assert_eq!((outcome.code, outcome.wanted), (Code::NotWell, 4));
        assert_eq!(outcome.faults, ["only 1 of 4 runners started"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_terms_of_the_plan_that_stands_are_the_runs() {
    let (join, skip) = (Some(LatePolicy::Join), Some(LatePolicy::Skip));
    let (_, _, plan) = four_wanted_and_one_wanted((join, skip)).await;
    assert_eq!((plan.terms.late, plan.runners_wanted), (join, 4));
    assert!(plan.start_at().is_some());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_is_not_taken_for_a_new_one(#[values(false, true)] wait: bool) {
    let place = Place::new();
    let agent = place.agent("r1", Manner::default());
    let mut settings = place.settings(1);
    (_, _) = place.start(settings.clone()).await;
    assert_eq!(agent.await.unwrap().phase, Phase::Finished);
    sleep(seconds(3600)).await;

    let began = Instant::now();
    settings.wait = wait;
    let (_, outcome) = place.start(settings).await;
    assert_eq!((outcome.code, outcome.started), (Code::NotWell, 1));
    let fault = &outcome.faults[0];
    assert!(
        fault.starts_with("this run started at 2026-03-01T12:00:0"),
        "{fault}"
    );
    assert!(fault.contains("a new run needs a new --run"), "{fault}");
    assert!(began.elapsed() < seconds(5), "nobody has to be waited for");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_run_that_was_killed_altogether_is_not_taken_for_one_that_runs(
    #[values(false, true)] wait: bool,
) {
    let place = Place::new();
    let silent_after = Some(Duration::ZERO);
    place.agent(
        "r1",
        Manner {
            silent_after,
            ..Manner::default()
        },
    );
    let mut settings = place.settings(1);
    settings.wait = true;
    killed_after(&place, settings.clone(), seconds(9)).await;
    sleep(seconds(3600)).await;
    settings.wait = wait;
    let (_, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, Code::NotWell);
    assert!(
        outcome.faults[0].contains("a new run needs a new --run"),
        "{:?}",
        outcome.faults
    );
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_comes_to_a_run_that_is_over_makes_it_no_new_one() {
    let place = Place::new();
    place.agent("r1", Manner::default());
    place.start(place.settings(1)).await;
    sleep(seconds(60)).await;
    place.agent(
        "r1",
        Manner {
            ready_after: seconds(1),
            fails: Some(77),
            ..Manner::default()
        },
    );
    let (_, outcome) = place.start(place.settings(1)).await;
    assert_eq!(outcome.code, Code::NotWell);
    assert!(
        outcome.faults[0].starts_with("this run started at"),
        "{:?}",
        outcome.faults
    );
}

#[tokio::test(start_paused = true)]
async fn an_instant_that_nobody_will_see_is_not_waited_for() {
    let place = Place::new();
    let plan = Plan {
        state: PlanState::Set {
            start_at: noon() + TimeDelta::days(2),
            quorum: 1,
        },
        ..a_set_plan()
    };
    let empty = place.store().read(&stage()).await.unwrap().revision;
    place.store().write_plan(&plan, &empty).await.unwrap();
    place.agent("r1", Manner::default());
    let began = Instant::now();
    let (ending, outcome) = place.start(place.settings(1)).await;
    assert_eq!(outcome.code, Code::NoAccess);
    assert!(ending.to_string().contains("more than a day"), "{ending}");
    assert!(began.elapsed() < seconds(15));
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
