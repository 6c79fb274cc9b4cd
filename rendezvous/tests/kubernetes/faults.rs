//! An API server that is sick or away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use rendezvous::{Store, StoreError};
use rstest::rstest;

use crate::api::{Answer, Api, store};
use crate::samples::{plan, report, run, stage, with_plan, within};

fn sick(code: u16) -> Answer {
    Answer::status(code, "not now")
}

#[rstest]
#[case::unauthorized(sick(401))]
#[case::not_allowed(sick(405))]
#[case::conflict(sick(409))]
#[case::invalid(sick(422))]
#[case::too_many(sick(429))]
#[case::internal(sick(500))]
#[case::bad_gateway(sick(502))]
#[case::unavailable(sick(503))]
#[case::gateway_timeout(sick(504))]
#[case::connection_reset(Answer::Break)]
#[case::silence(Answer::Silence)]
#[case::no_json(Answer::ok("surprise".into()))]
#[tokio::test(start_paused = true)]
async fn it_is_told_once_asked_rarely_and_seen_to_be_back_within_seconds(#[case] answer: Answer) {
    let is_sick = Arc::new(AtomicBool::new(true));
    let sick = Arc::clone(&is_sick);
    let (api, client) = Api::answering(move |asked| match asked.verb {
        _ if sick.load(Ordering::SeqCst) => answer.clone(),
        "list" => Answer::list(5, vec![with_plan(5, "a")]),
        "watch" => Answer::Stuck(vec![]),
        _ => Answer::ok(with_plan(5, "a")),
    });
    let mut boards = store(client).watch(&stage());
    let error = within(11, boards.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");

    tokio::select! {
        again = boards.next() => panic!("told twice: {again:?}"),
        () = tokio::time::sleep(Duration::from_secs(60)) => {}
    }
    let requests = api.asked().len();
    assert!((10..=60).contains(&requests), "{requests} requests in 60 s");

    is_sick.store(false, Ordering::SeqCst);
    let board = within(11, boards.next()).await.unwrap().unwrap();
    assert_eq!(board.plan.unwrap().unwrap().id, plan("a").id);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_for_an_answer_for_ever() {
    let (_, client) = Api::answering(|_| Answer::Silence);
    let store = store(client);
    let (stage, plan, report) = (stage(), plan("a"), report("k6-1", 1));
    within(6, store.read(&stage)).await.unwrap_err();
    within(6, store.knows(&run())).await.unwrap_err();
    within(6, store.read_report(&stage, &report.runner))
        .await
        .unwrap_err();
    within(6, store.publish(&report)).await.unwrap_err();
    let abort = crate::samples::abort("why");
    within(6, store.write_abort(&abort)).await.unwrap_err();
    let (_, empty) = Api::answering(|_| Answer::not_found());
    let empty = crate::api::store(empty).read(&stage).await.unwrap();
    let error = within(6, store.write_plan(&plan, &empty.revision))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot get configmaps tminus-k6 in namespace load: the API server has not answered in time"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_repeated_behind_the_callers_back() {
    for code in [429, 500, 503, 504] {
        let (api, client) = Api::answering(move |_| sick(code));
        let store = store(client);
        within(1, store.read(&stage())).await.unwrap_err();
        within(1, store.publish(&report("k6-1", 1)))
            .await
            .unwrap_err();
        assert_eq!(api.verbs(), ["get", "create"], "{code}");
    }
}
