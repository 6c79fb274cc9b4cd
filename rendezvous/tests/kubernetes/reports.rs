//! Following the reports of a stage.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rendezvous::{ReportEvent, Store, StoreError};

use crate::api::{Answer, Api, LONG, error_event, event, store};
use crate::logged::Logged;
use crate::samples::{lease, run, stage, within};

type Events = BoxStream<'static, Result<ReportEvent, StoreError>>;

/// What is told next, in short.
async fn next(events: &mut Events, seconds: u64) -> String {
    match within(seconds, events.next())
        .await
        .expect("a watch does not end")
    {
        Ok(ReportEvent::Seen { report, live }) => {
            format!(
                "{} {}{}",
                report.runner,
                report.sequence,
                if live { " live" } else { "" }
            )
        }
        Ok(ReportEvent::Gone(runner)) => format!("{runner} gone"),
        Ok(ReportEvent::Unreadable(error)) => format!("{} unreadable", error.location),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_and_each_change_is_told() {
    let (api, client) = Api::answering(|asked| match asked.verb {
        "list" => Answer::list(5, vec![lease(3, "k6-1", 1)]),
        _ if asked.uri.contains("resourceVersion=5") => Answer::Watch(
            vec![
                event("MODIFIED", &lease(6, "k6-1", 2)),
                event("ADDED", &lease(7, "k6-2", 1)),
                event("DELETED", &lease(8, "k6-1", 2)),
            ],
            Duration::from_secs(10),
        ),
        _ => Answer::Watch(vec![], Duration::from_secs(10)),
    });
    let mut events = store(client).watch_reports(&run(), &stage());
    for expected in ["k6-1 1", "k6-1 2 live", "k6-2 1 live", "k6-1 gone"] {
        assert_eq!(next(&mut events, 1).await, expected);
    }
    tokio::select! {
        event = events.next() => panic!("{event:?}"),
        () = tokio::time::sleep(Duration::from_secs(60)) => {}
    }
    assert_eq!(api.times("list").len(), 1);
    let selector = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dtminus%2Ctminus%2Frun%3Drun-1%2Ctminus%2Fstage%3Dmain";
    let asked = api.asked();
    assert!(
        asked.iter().all(|asked| asked.uri.contains(selector)),
        "{asked:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn long_lists_are_read_page_by_page() {
    let page = |token: &str, item| {
        let Answer::Json(_, mut body) = Answer::list(5, vec![item]) else {
            unreachable!()
        };
        body["metadata"]["continue"] = token.into();
        Answer::ok(body)
    };
    let (api, client) = Api::in_turn([
        page("more", lease(1, "k6-1", 1)),
        page("", lease(2, "k6-2", 1)),
        Answer::Stuck(vec![]),
    ]);
    let mut events = store(client).watch_reports(&run(), &stage());
    assert_eq!(next(&mut events, 1).await, "k6-1 1");
    assert_eq!(next(&mut events, 1).await, "k6-2 1");
    let uris: Vec<String> = api.asked().into_iter().map(|asked| asked.uri).collect();
    assert!(
        uris[0].contains("limit=500") && !uris[0].contains("continue"),
        "{uris:?}"
    );
    assert!(uris[1].contains("continue=more"), "{uris:?}");
}

#[tokio::test(start_paused = true)]
async fn after_an_error_everything_is_told_again_as_of_any_age() {
    let mut requests = 0;
    let (_, client) = Api::answering(move |_| {
        requests += 1;
        match requests {
            1 => Answer::list(5, vec![lease(1, "k6-1", 1), lease(2, "k6-2", 1)]),
            2 => Answer::status(503, "apiserver is shutting down"),
            3..=6 => Answer::Break,
            7 => Answer::list(9, vec![lease(2, "k6-2", 1)]),
            8 => Answer::Watch(vec![event("MODIFIED", &lease(10, "k6-2", 2))], LONG),
            _ => Answer::Silence,
        }
    });
    let mut events = store(client).watch_reports(&run(), &stage());
    assert_eq!(next(&mut events, 1).await, "k6-1 1");
    assert_eq!(next(&mut events, 1).await, "k6-2 1");
    assert_eq!(
        next(&mut events, 1).await,
        "cannot watch leases in namespace load: the API server answers 503: apiserver is shutting down"
    );
    let broken = next(&mut events, 2).await;
    assert!(
        broken.starts_with("cannot list leases in namespace load: "),
        "{broken}"
    );
    assert!(broken.contains("reset"), "{broken}");
    assert_eq!(next(&mut events, 20).await, "k6-1 gone");
    assert_eq!(next(&mut events, 1).await, "k6-2 1");
    assert_eq!(next(&mut events, 1).await, "k6-2 2 live");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_forgotten_is_no_error() {
    let logged = Logged::here();
    let mut lists = 0;
    let (_, client) = Api::answering(move |asked| match asked.verb {
        "list" => {
            lists += 1;
            Answer::list(5, vec![lease(1, "k6-1", lists)])
        }
        _ => Answer::Watch(vec![error_event(410)], LONG),
    });
    let mut events = store(client).watch_reports(&run(), &stage());
    for sequence in 1..=3 {
        assert_eq!(next(&mut events, 5).await, format!("k6-1 {sequence}"));
    }
    logged.assert_has("listing the reports anew: cannot watch ");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_went_silent_is_noticed_within_15_s() {
    let mut watches = 0;
    let (_, client) = Api::answering(move |asked| match asked.verb {
        "list" => Answer::list(5, vec![lease(1, "k6-1", watches)]),
        _ => {
            watches += 1;
            Answer::Stuck(vec![])
        }
    });
    let mut events = store(client).watch_reports(&run(), &stage());
    assert_eq!(next(&mut events, 1).await, "k6-1 0");
    assert!(next(&mut events, 16).await.contains("not answered in time"));
    assert_eq!(next(&mut events, 2).await, "k6-1 1");
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_named() {
    let (_, client) = Api::answering(Answer::forbidden);
    let mut events = store(client).watch_reports(&run(), &stage());
    let error = next(&mut events, 1).await;
    assert!(
        error.starts_with("may not list leases in namespace load as"),
        "{error}"
    );
    assert!(error.contains("verbs: [\"list\"]"), "{error}");
}
