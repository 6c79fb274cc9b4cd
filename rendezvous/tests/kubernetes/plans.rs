//! Following a plan.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rendezvous::{Board, Store, StoreError};
use serde_json::Value;
use std::time::Duration;

use crate::api::{Answer, Api, Asked, LONG, bookmark, error_event, event, store};
use crate::logged::Logged;
use crate::samples::{config_map, lease, plan_for, report, stage, with_plan, within};

type Boards = BoxStream<'static, Result<Board, StoreError>>;

async fn next(boards: &mut Boards, seconds: u64) -> Result<Board, StoreError> {
    within(seconds, boards.next())
        .await
        .expect("a watch does not end")
}

/// The id of the plan that is told next.
async fn next_plan(boards: &mut Boards, seconds: u64) -> Option<String> {
    let plan = next(boards, seconds).await.unwrap().plan.unwrap();
    plan.map(|plan| plan.id.to_string())
}

/// Nothing is told for so long.
async fn is_silent(boards: &mut Boards, seconds: u64) {
    tokio::select! {
        board = boards.next() => panic!("{board:?}"),
        () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
    }
}

/// A server where everything is well: this is there, these events come, and polls find the last of them.
fn well(listed: Vec<Value>, events: Vec<Value>, polled: Answer) -> impl FnMut(&Asked) -> Answer {
    move |asked| match asked.verb {
        "list" => Answer::list(5, listed.clone()),
        "watch" => Answer::Watch(events.clone(), asked.lasts()),
        _ => polled.clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_absent_and_made_and_deleted_and_made_again_is_followed() {
    let events = vec![
        event("ADDED", &with_plan(6, "a")),
        bookmark(7),
        event("DELETED", &with_plan(8, "a")),
        event("ADDED", &with_plan(9, "b")),
        event("MODIFIED", &with_plan(10, "c")),
    ];
    let (api, client) = Api::answering(well(vec![], events, Answer::ok(with_plan(10, "c"))));
    let mut boards = store(client).watch(&stage());
    for expected in [None, Some("a"), None, Some("b"), Some("c")] {
        assert_eq!(next_plan(&mut boards, 1).await.as_deref(), expected);
    }
    is_silent(&mut boards, 60).await;
    let watch = &api.asked()[1].uri;
    assert!(
        watch.contains("fieldSelector=metadata.name%3Dtminus-k6"),
        "{watch}"
    );
    let lasts = api.asked()[1].lasts().as_secs();
    assert!((16..=24).contains(&lasts), "{lasts} s");
    assert!(watch.contains("resourceVersion=5"), "{watch}");
    let last = api
        .asked()
        .into_iter()
        .rfind(|asked| asked.verb == "watch")
        .unwrap();
    assert!(
        last.uri.contains("resourceVersion=10"),
        "it goes on from where it was: {last:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_of_what_is_not_ours_is_no_news() {
    let mut labelled = with_plan(6, "a");
    labelled["metadata"]["labels"]["team"] = "blue".into();
    let events = vec![event("MODIFIED", &labelled)];
    let polled = Answer::ok(labelled);
    let (_, client) = Api::answering(well(vec![with_plan(5, "a")], events, polled));
    let mut boards = store(client).watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await.as_deref(), Some("a"));
    is_silent(&mut boards, 120).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_quiet_watch_costs_is_a_watch_in_20_s_and_a_poll_in_10_s() {
    let object = with_plan(5, "a");
    let (api, client) = Api::answering(well(vec![object.clone()], vec![], Answer::ok(object)));
    let mut boards = store(client).watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await.as_deref(), Some("a"));
    is_silent(&mut boards, 600).await;
    assert_eq!(api.times("list").len(), 1);
    let (watches, polls) = (api.times("watch").len(), api.times("get").len());
    assert!((25..=38).contains(&watches), "{watches}");
    assert!((50..=75).contains(&polls), "{polls}");
}

#[tokio::test(start_paused = true)]
async fn as_long_as_no_plan_comes_it_is_asked_for_ever_more_rarely() {
    let (api, client) = Api::answering(well(vec![], vec![], Answer::not_found()));
    let mut boards = store(client).watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await, None);
    is_silent(&mut boards, 3600).await;
    assert_eq!(api.times("list").len(), 1);
    let (watches, polls) = (api.times("watch").len(), api.times("get").len());
    assert!((13..=35).contains(&watches), "{watches}");
    assert!((26..=45).contains(&polls), "{polls}");
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_before_there_is_a_plan_brings_a_poll_with_it() {
    let (api, client) = Api::answering(|asked| match asked.verb {
        "list" => Answer::list(5, vec![]),
        "watch" => Answer::Stuck(vec![]),
        "create" | "update" => Answer::ok(lease(6, "k6-1", 1)),
        _ if asked.resource == "leases" => Answer::ok(lease(6, "k6-1", 1)),
        _ => Answer::not_found(),
    });
    let store = store(client);
    let mut boards = store.watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await, None);
    is_silent(&mut boards, 7).await;
    let polls = || api.times("get").len();
    let before = polls();
    store.publish(&report("k6-1", 1)).await.unwrap();
    is_silent(&mut boards, 1).await;
    assert_eq!(polls(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn the_more_runners_there_are_the_rarer_each_of_them_asks() {
    let plan = plan_for("a", 10_000).to_json();
    let object = config_map(5, &[("plan-main.json", plan)]);
    let (api, client) = Api::answering(well(vec![object.clone()], vec![], Answer::ok(object)));
    let mut boards = store(client).watch(&stage());
    next_plan(&mut boards, 1).await;
    is_silent(&mut boards, 3600).await;
    let requests = api.asked().len();
    assert!(requests < 3600 / 50, "{requests} requests in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_went_silent_does_not_hide_a_plan_from_the_next_poll() {
    let (_, client) = Api::answering(|asked| match asked.verb {
        "list" => Answer::list(5, vec![]),
        "watch" => Answer::Stuck(vec![]),
        _ => Answer::ok(with_plan(6, "a")),
    });
    let mut boards = store(client).watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await, None);
    assert_eq!(next_plan(&mut boards, 13).await.as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_went_silent_is_begun_again() {
    let mut watches = 0;
    let (api, client) = Api::answering(move |asked| match asked.verb {
        "list" if watches == 0 => Answer::list(5, vec![]),
        "list" => Answer::list(7, vec![with_plan(6, "a")]),
        "watch" => {
            watches += 1;
            Answer::Stuck(vec![])
        }
        // Polls are lost as well.
        _ => Answer::Silence,
    });
    let mut boards = store(client).watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await, None);
    next(&mut boards, 18).await.unwrap_err();
    assert_eq!(next_plan(&mut boards, 30).await.as_deref(), Some("a"));
    assert_eq!(api.times("list").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn lists_and_watches_that_are_never_answered_leave_polling() {
    for silent in ["list", "watch"] {
        let (_, client) = Api::answering(move |asked| match asked.verb {
            verb if verb == silent => Answer::Silence,
            "list" => Answer::list(5, vec![with_plan(5, "a")]),
            "watch" => Answer::Stuck(vec![]),
            _ => Answer::ok(with_plan(5, "a")),
        });
        let mut boards = store(client).watch(&stage());
        assert_eq!(
            next_plan(&mut boards, 6).await.as_deref(),
            Some("a"),
            "{silent}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_forgotten_is_read_anew_and_no_error() {
    for at_once in [true, false] {
        let mut lists = 0;
        let (_, client) = Api::answering(move |asked| match asked.verb {
            "list" => {
                lists += 1;
                Answer::list(lists, vec![with_plan(lists, &format!("plan-{lists}"))])
            }
            "watch" if lists > 1 => Answer::Stuck(vec![]),
            "watch" if at_once => Answer::status(410, "too old resource version: 1 (7)"),
            "watch" => Answer::Watch(vec![error_event(410)], LONG),
            _ => Answer::Silence,
        });
        let mut boards = store(client).watch(&stage());
        assert_eq!(next_plan(&mut boards, 1).await.as_deref(), Some("plan-1"));
        assert_eq!(next_plan(&mut boards, 2).await.as_deref(), Some("plan-2"));
    }
}

#[tokio::test(start_paused = true)]
async fn where_watching_is_forbidden_polling_is_enough() {
    let logged = Logged::here();
    for forbidden in ["list", "watch"] {
        let mut polls = 0;
        let (api, client) = Api::answering(move |asked| match asked.verb {
            "get" => {
                polls += 1;
                Answer::ok(with_plan(polls, &format!("plan-{polls}")))
            }
            verb if verb == forbidden => Answer::forbidden(asked),
            _ => Answer::list(0, vec![]),
        });
        let mut boards = store(client).watch(&stage());
        if forbidden == "watch" {
            assert_eq!(next_plan(&mut boards, 1).await, None);
        }
        assert_eq!(next_plan(&mut boards, 1).await.as_deref(), Some("plan-1"));
        for poll in 2..=30 {
            let expected = format!("plan-{poll}");
            let told = loop {
                // Each list finds nothing, which is not true, but no error.
                match next_plan(&mut boards, 13).await {
                    Some(id) => break id,
                    None => assert_eq!(forbidden, "watch"),
                }
            };
            assert_eq!(told, expected);
        }
        let attempts = api.times(forbidden).len();
        // Some within the first seconds, then one about every half minute.
        assert!((2..=20).contains(&attempts), "{attempts} times in 5 min");
        logged.assert_has(&format!("polling for the plan only: may not {forbidden} "));
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_told_at_once_and_once() {
    let (api, client) = Api::answering(Answer::forbidden);
    let mut boards = store(client).watch(&stage());
    let error = next(&mut boards, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    let text = error.to_string();
    for part in [
        "get configmaps tminus-k6 in namespace load",
        "service account agent of namespace load",
        "resourceNames: [\"tminus-k6\"]",
    ] {
        assert!(text.contains(part), "{text}");
    }
    is_silent(&mut boards, 120).await;
    assert!(api.asked().len() < 120, "{}", api.asked().len());
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_comes_late_is_noticed_within_seconds() {
    let mut requests = 0;
    let (_, client) = Api::answering(move |asked| {
        requests += 1;
        match asked.verb {
            _ if requests < 10 => Answer::forbidden(asked),
            "get" => Answer::ok(with_plan(5, "a")),
            "list" => Answer::list(5, vec![with_plan(5, "a")]),
            _ => Answer::Stuck(vec![]),
        }
    });
    let mut boards = store(client).watch(&stage());
    next(&mut boards, 1).await.unwrap_err();
    assert_eq!(next_plan(&mut boards, 45).await.as_deref(), Some("a"));
}

/// It knows its own rules only when it has read them.
#[tokio::test(start_paused = true)]
async fn a_server_that_has_just_started_and_forbids_everything_is_watched_again_within_seconds() {
    let started = tokio::time::Instant::now();
    let (_, client) = Api::answering(move |asked| match asked.verb {
        _ if started.elapsed().as_secs() < 6 => Answer::forbidden(asked),
        // Not by polling.
        "get" => Answer::Stuck(vec![]),
        "list" => Answer::list(5, vec![with_plan(5, "a")]),
        _ => Answer::Stuck(vec![]),
    });
    let mut boards = store(client).watch(&stage());
    next(&mut boards, 1).await.unwrap_err();
    assert_eq!(next_plan(&mut boards, 11).await.as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn servers_that_end_each_watch_at_once_are_not_hammered() {
    let logged = Logged::here();
    let (api, client) = Api::answering(|asked| match asked.verb {
        "list" => Answer::list(5, vec![with_plan(5, "a")]),
        "watch" => Answer::Watch(vec![], Duration::ZERO),
        _ => Answer::ok(with_plan(5, "a")),
    });
    let mut boards = store(client).watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await.as_deref(), Some("a"));
    is_silent(&mut boards, 120).await;
    let requests = api.asked().len();
    assert!(requests < 120, "{requests} requests in 120 s");
    logged.assert_has("polling for the plan until it can be watched again: cannot watch ");
    logged.assert_has(": the API server has ended the watch at once");
}

#[tokio::test(start_paused = true)]
async fn what_polling_has_shown_to_be_past_is_not_brought_back_by_a_late_watch() {
    let set = with_plan(9, "set");
    let (_, client) = Api::answering(move |asked| match asked.verb {
        "list" => Answer::list(5, vec![with_plan(5, "first")]),
        // Delivered only after the poll.
        "watch" => Answer::Watch(vec![], Duration::from_secs(20)),
        _ => Answer::ok(set.clone()),
    });
    let mut boards = store(client).watch(&stage());
    assert_eq!(next_plan(&mut boards, 1).await.as_deref(), Some("first"));
    assert_eq!(next_plan(&mut boards, 13).await.as_deref(), Some("set"));
    is_silent(&mut boards, 60).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_as_a_plan_is_told_and_never_as_none() {
    let object = config_map(5, &[("plan-main.json", "{".to_owned())]);
    let (_, client) = Api::answering(well(vec![object.clone()], vec![], Answer::ok(object)));
    let store = store(client);
    let mut boards = store.watch(&stage());
    let board = next(&mut boards, 1).await.unwrap();
    let error = board.plan.clone().unwrap_err();
    assert_eq!(
        error.location,
        "key plan-main.json of ConfigMap load/tminus-k6"
    );
    assert_eq!(store.read(&stage()).await.unwrap(), board);
}
