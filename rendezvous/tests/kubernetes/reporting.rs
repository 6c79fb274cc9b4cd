//! Writing and reading one report.

use rendezvous::{Store, StoreError};
use serde_json::json;

use crate::api::{Answer, Api, store};
use crate::samples::{lease, report, stage};

#[tokio::test]
async fn the_first_report_makes_the_lease_and_each_further_one_is_one_request() {
    let (api, client) = Api::in_turn([
        Answer::ok(lease(5, "k6-1", 1)),
        Answer::ok(lease(6, "k6-1", 2)),
        Answer::ok(lease(7, "k6-1", 3)),
    ]);
    let store = store(client);
    for sequence in 1..=3 {
        store.publish(&report("k6-1", sequence)).await.unwrap();
    }
    assert_eq!(api.verbs(), ["create", "update", "update"]);
    let asked = api.asked();
    let versions: Vec<_> = asked
        .iter()
        .map(|asked| &asked.body["metadata"]["resourceVersion"])
        .collect();
    assert_eq!(versions, [&json!(null), &json!("5"), &json!("6")]);
    let report = &asked[2].body["metadata"]["annotations"]["tminus/report"];
    assert_eq!(report, &json!(crate::samples::report("k6-1", 3).to_json()));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_container_finds_its_lease_and_goes_on_with_it() {
    let (api, client) = Api::in_turn([
        Answer::status(409, "leases \"tminus-k6-1-main\" already exists"),
        Answer::ok(lease(5, "k6-1", 9)),
        Answer::ok(lease(6, "k6-1", 1)),
    ]);
    store(client).publish(&report("k6-1", 1)).await.unwrap();
    assert_eq!(api.verbs(), ["create", "get", "update"]);
    assert_eq!(api.asked()[2].body["metadata"]["resourceVersion"], "5");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_others_changed_or_deleted_is_written_all_the_same() {
    let (api, client) = Api::in_turn([
        Answer::ok(lease(5, "k6-1", 1)),
        Answer::status(409, "the object has been modified"),
        Answer::ok(lease(7, "k6-1", 1)),
        Answer::ok(lease(8, "k6-1", 2)),
        Answer::status(404, "leases \"tminus-k6-1-main\" not found"),
        Answer::status(404, "leases \"tminus-k6-1-main\" not found"),
        Answer::ok(lease(9, "k6-1", 3)),
    ]);
    let store = store(client);
    for sequence in 1..=3 {
        store.publish(&report("k6-1", sequence)).await.unwrap();
    }
    let verbs = [
        "create", "update", "get", "update", "update", "get", "create",
    ];
    assert_eq!(api.verbs(), verbs);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_not_taken_for_not_made() {
    let (api, client) = Api::in_turn([
        Answer::ok(lease(5, "k6-1", 1)),
        Answer::Break,
        Answer::status(409, "the object has been modified"),
        Answer::ok(lease(6, "k6-1", 2)),
        Answer::ok(lease(7, "k6-1", 3)),
    ]);
    let store = store(client);
    store.publish(&report("k6-1", 1)).await.unwrap();
    store.publish(&report("k6-1", 2)).await.unwrap_err();
    store.publish(&report("k6-1", 3)).await.unwrap();
    assert_eq!(api.verbs(), ["create", "update", "update", "get", "update"]);
    assert_eq!(api.asked()[4].body["metadata"]["resourceVersion"], "6");
}

#[tokio::test]
async fn a_lease_refused_by_quota_is_no_missing_permission() {
    let message = "leases.coordination.k8s.io \"x\" is forbidden: exceeded quota: q, \
                   requested: count/leases.coordination.k8s.io=1, used: 4, limited: 4";
    let (_, client) = Api::in_turn([Answer::status(403, message)]);
    let error = store(client).publish(&report("k6-1", 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("exceeded quota"), "{error}");
}

#[tokio::test]
async fn a_missing_permission_to_report_names_lease_and_rule() {
    let (_, client) = Api::answering(Answer::forbidden);
    let error = store(client).publish(&report("k6-1", 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("create leases tminus-k6-1-main in namespace load"),
        "{text}"
    );
    assert!(text.contains("verbs: [\"create\"]"), "{text}");
}

#[tokio::test]
async fn a_report_is_read_or_is_not_there_or_is_an_error() {
    let mut damaged = lease(5, "k6-1", 1);
    damaged["metadata"]["annotations"] = json!({"tminus/report": "{"});
    let (_, client) = Api::in_turn([
        Answer::ok(lease(5, "k6-1", 7)),
        Answer::status(404, "leases \"tminus-k6-1-main\" not found"),
        Answer::ok(damaged),
    ]);
    let store = store(client);
    let runner = report("k6-1", 1).runner;
    let mut read = Vec::new();
    for _ in 0..3 {
        read.push(store.read_report(&stage(), &runner).await.unwrap());
    }
    assert_eq!(read[0], Ok(Some(report("k6-1", 7))));
    assert_eq!(read[1], Ok(None));
    let error = read[2].as_ref().unwrap_err();
    assert_eq!(error.location, "Lease load/tminus-k6-1-main");
}
