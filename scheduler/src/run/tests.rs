//! Whole starts with runners that are no k6, over a real store in a directory, in paused time.
#![allow(clippy::unwrap_used)]

mod clocks;
mod interrupted;
mod lines;
mod place;
mod replaced;
mod stopped;
mod together;
mod unseen;

use std::time::Duration;

use chrono::{TimeDelta, Timelike};
use rendezvous::{Abort, Phase};
use rstest::rstest;
use tokio::time::{Instant, sleep};

use crate::decide::ending::Ending;
use crate::decide::started::Expected;
use crate::exit::Code;
use crate::testing::fake_agent::Manner;
use crate::testing::{OVERDUE, noon, run_id, runner, seconds};
use place::Place;

#[tokio::test(start_paused = true)]
async fn nobody_starts_before_the_last_is_ready() {
    let place = Place::new();
    for (name, after) in [("r1", 0), ("r2", 5), ("r3", 1)] {
        place.agent(
            name,
            Manner {
                ready_after: seconds(after),
                ..Manner::default()
            },
        );
    }
    let (ending, outcome) = place.start(place.settings(3)).await;
    assert!(matches!(ending, Ending::Followed { .. }), "{ending:?}");
    assert_eq!((outcome.code, outcome.started), (Code::Well, 3));
    let start_at = outcome.start_at.unwrap();
    assert_eq!(start_at.nanosecond(), 0);
    let after = start_at - noon();
    assert!(
        after >= TimeDelta::seconds(8),
        "5 s and a lead of 3 s: {after}"
    );
    assert!(after <= TimeDelta::seconds(10), "{after}");
}

#[tokio::test(start_paused = true)]
async fn more_runners_than_wanted_all_get_the_same_instant() {
    let place = Place::new();
    let agents = ["r1", "r2", "r3"].map(|name| place.agent(name, Manner::default()));
    place.heard(3).await;
    let mut settings = place.settings(2);
    settings.wait = true;
    let (_, outcome) = place.start(settings).await;
    assert_eq!((outcome.code, outcome.started), (Code::Well, 3));
    for agent in agents {
        let fired_at = agent.await.unwrap().start.unwrap().fired_at;
        assert!(fired_at - outcome.start_at.unwrap() < TimeDelta::milliseconds(10));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_quorum_the_waiting_runners_are_told_at_once() {
    let place = Place::new();
    let agents = ["r1", "r2"].map(|name| place.agent(name, Manner::default()));
    let began = Instant::now();
    let mut settings = place.settings(3);
    settings.max_wait = seconds(5);
    let (ending, outcome) = place.start(settings).await;
    assert_eq!(
        ending.to_string(),
        "the quorum did not come within 5s: 2/3 ready; 1 not heard of yet"
    );
    assert_eq!(outcome.code, Code::NoQuorum);
    for agent in agents {
        assert_eq!(agent.await.unwrap().phase, Phase::Aborted);
    }
    assert!(began.elapsed() < seconds(6));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_ready_a_second_before_the_deadline_counts() {
    let place = Place::new();
    place.agent(
        "r1",
        Manner {
            ready_after: seconds(19),
            ..Manner::default()
        },
    );
    let mut settings = place.settings(1);
    settings.max_wait = seconds(20);
    let (_, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, Code::Well);
}

#[tokio::test(start_paused = true)]
async fn a_quorum_that_cannot_come_any_more_is_not_waited_for() {
    let place = Place::new();
    let waiting = place.agent("r1", Manner::default());
    place.agent(
        "r2",
        Manner {
            ready_after: seconds(2),
            fails: Some(107),
            ..Manner::default()
        },
    );
    let began = Instant::now();
    let mut settings = place.settings(2);
    settings.wait = true;
    let (ending, outcome) = place.start(settings).await;
    let ended = vec![runner("r2")];
    let why = "r2 ended".to_owned();
    assert_eq!(ending, Ending::Impossible { ended, why });
    assert_eq!(outcome.code, Code::Runner(107));
    assert!(began.elapsed() < seconds(3));
    assert_eq!(waiting.await.unwrap().phase, Phase::Aborted);
}

#[tokio::test(start_paused = true)]
async fn the_minimum_starts_when_the_grace_period_is_over() {
    let place = Place::new();
    let names = ["r1", "r2", "r3"];
    for name in names {
        place.agent(name, Manner::default());
    }
    let began = Instant::now();
    let mut settings = place.settings(4);
    settings.need.minimum = 3;
    settings.need.grace_period = seconds(10);
    let (ending, outcome) = place.start(settings).await;
    let Ending::Followed { expected, .. } = ending else {
        panic!("{ending:?}")
    };
    assert_eq!(expected, Expected::Runners(names.map(runner).to_vec()));
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(outcome.faults, ["only 3 of 4 runners started"]);
    assert!(began.elapsed() > seconds(13));
}

#[rstest]
#[case::all_well(0, Code::Well)]
#[case::a_threshold(99, Code::Runner(99))]
#[tokio::test(start_paused = true)]
async fn with_waiting_the_worst_code_comes_out(#[case] code: u8, #[case] expected: Code) {
    let place = Place::new();
    place.agent("r1", Manner::default());
    place.agent(
        "r2",
        Manner {
            code,
            runs_for: seconds(130),
            ..Manner::default()
        },
    );
    let began = Instant::now();
    let mut settings = place.settings(2);
    settings.wait = true;
    let (_, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, expected);
    assert!(began.elapsed() > seconds(133));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_falls_silent_is_lost_and_named() {
    let place = Place::new();
    place.agent("r1", Manner::default());
    place.agent(
        "r2",
        Manner {
            silent_after: Some(Duration::ZERO),
            ..Manner::default()
        },
    );
    let began = Instant::now();
    let mut settings = place.settings(2);
    settings.wait = true;
    let (_, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, Code::NotWell);
    assert!(
        outcome.faults[1].starts_with("r2: lost: silent for"),
        "{:?}",
        outcome.faults
    );
    assert!(began.elapsed() < OVERDUE + seconds(10));
}

#[tokio::test(start_paused = true)]
async fn a_runner_whose_clock_contradicts_the_others_is_named_and_does_not_count() {
    let place = Place::new();
    let ahead = [("r1", 0), ("r2", 420), ("r3", 0)];
    for (name, ahead) in ahead {
        place.agent(
            name,
            Manner {
                clock_ahead: TimeDelta::seconds(ahead),
                ..Manner::default()
            },
        );
    }
    let (ending, outcome) = place.start(place.settings(3)).await;
    let why = "too many clocks contradict the others'".to_owned();
    assert_eq!(ending, Ending::Impossible { ended: vec![], why });
    assert_eq!(outcome.code, Code::NoQuorum);
    let fate = outcome.rows[1].fate.to_string();
    assert!(fate.starts_with("its clock is 420."), "{fate}");
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_about_the_time_there_is_no_instant() {
    let place = Place::new();
    for (name, ahead) in [("r1", 0), ("r2", 420)] {
        place.agent(
            name,
            Manner {
                clock_ahead: TimeDelta::seconds(ahead),
                ..Manner::default()
            },
        );
    }
    let (ending, outcome) = place.start(place.settings(2)).await;
    assert_eq!((ending, outcome.code), (Ending::NoMajority, Code::NoTime));
}

#[rstest]
#[case::in_time(60, Code::Well)]
#[case::passed_before_the_quorum(7, Code::NoQuorum)]
#[case::past(-60, Code::NoQuorum)]
#[case::too_far(100_000, Code::NoQuorum)]
#[tokio::test(start_paused = true)]
async fn an_instant_that_is_asked_for_is_kept_or_refused(#[case] at: i64, #[case] code: Code) {
    let place = Place::new();
    place.agent(
        "r1",
        Manner {
            ready_after: seconds(8),
            ..Manner::default()
        },
    );
    let mut settings = place.settings(1);
    let at = noon() + TimeDelta::seconds(at) + TimeDelta::milliseconds(250);
    settings.at = Some(at);
    let (_, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, code);
    if code == Code::Well {
        assert_eq!(outcome.start_at, Some(at));
    }
}

#[rstest]
#[case::gathering(1, None)]
#[case::counting_down(4, Some(5))]
#[case::running(10, Some(5))]
#[tokio::test(start_paused = true)]
async fn an_abort_by_somebody_else_ends_it(#[case] after: u64, #[case] ready_after: Option<u64>) {
    let place = Place::new();
    let ready_after = seconds(if ready_after.is_some() { 0 } else { 900 });
    place.agent(
        "r1",
        Manner {
            ready_after,
            runs_for: seconds(100),
            ..Manner::default()
        },
    );
    let store = place.store();
    tokio::spawn(async move {
        sleep(seconds(after)).await;
        let abort = Abort::new(run_id(), "somebody", "enough");
        store.write_abort(&abort).await.unwrap();
    });
    let mut settings = place.settings(1);
    settings.lead = seconds(5);
    settings.wait = true;
    let began = Instant::now();
    let (ending, outcome) = place.start(settings).await;
    assert_eq!(outcome.code, Code::Aborted);
    assert_eq!(
        ending.to_string(),
        "the run was aborted by somebody: enough"
    );
    assert!(began.elapsed() < seconds(after + 2));
}
