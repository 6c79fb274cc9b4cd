//! Writing a plan and an abort.

use rendezvous::{Revision, Store, StoreError, Write};
use rstest::rstest;
use serde_json::{Value, json};

use crate::api::{Answer, Api, store};
use crate::samples::{abort, config_map, plan, run, stage, with_plan, within};

/// The revision of the plan in an object, or of none.
async fn revision(object: Option<Value>) -> Revision {
    let answer = object.map_or_else(Answer::not_found, Answer::ok);
    let (_, client) = Api::in_turn([answer]);
    store(client).read(&stage()).await.unwrap().revision
}

fn done() -> Answer {
    Answer::ok(with_plan(99, "whatever"))
}

fn conflict() -> Answer {
    Answer::status(409, "the object has been modified")
}

/// Of an object of yesterday's Job.
fn yesterdays(version: u64) -> Value {
    let mut object = with_plan(version, "old");
    object["metadata"]["ownerReferences"][0]["uid"] = "run-0".into();
    object
}

#[tokio::test]
async fn the_first_plan_makes_the_object_with_its_owner() {
    let (api, client) = Api::in_turn([Answer::not_found(), done()]);
    let written = store(client)
        .write_plan(&plan("a"), &revision(None).await)
        .await;
    assert_eq!(written, Ok(Write::Done));
    assert_eq!(api.verbs(), ["get", "create"]);
    let made = &api.asked()[1].body;
    let owners = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "k6", "uid": "run-1"}]);
    assert_eq!(made["metadata"]["ownerReferences"], owners);
    assert_eq!(made["data"], json!({"plan-main.json": plan("a").to_json()}));
}

#[tokio::test]
async fn a_further_plan_changes_the_object_in_the_state_that_was_read() {
    let found = with_plan(7, "a");
    let (api, client) = Api::in_turn([Answer::ok(found.clone()), done()]);
    let expected = revision(Some(found)).await;
    let written = store(client).write_plan(&plan("b"), &expected).await;
    assert_eq!(written, Ok(Write::Done));
    assert_eq!(api.verbs(), ["get", "update"]);
    assert_eq!(api.asked()[1].body["metadata"]["resourceVersion"], "7");
}

#[rstest]
#[case::made(None, Some(with_plan(5, "theirs")))]
#[case::changed(Some(with_plan(4, "a")), Some(with_plan(5, "theirs")))]
#[case::deleted(Some(with_plan(4, "a")), None)]
#[tokio::test]
async fn a_plan_that_somebody_else_wrote_first_is_a_conflict(
    #[case] before: Option<Value>,
    #[case] now: Option<Value>,
) {
    let found = now.map_or_else(Answer::not_found, Answer::ok);
    let (api, client) = Api::in_turn([found]);
    let written = store(client)
        .write_plan(&plan("mine"), &revision(before).await)
        .await;
    assert_eq!(written, Ok(Write::Conflict));
    assert_eq!(api.verbs(), ["get"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_anything_else_is_no_conflict_and_is_kept() {
    let mut changed = with_plan(8, "a");
    changed["metadata"]["labels"]["team"] = "blue".into();
    changed["data"]["plan-warmup.json"] = "other".into();
    let (api, client) = Api::in_turn([
        Answer::ok(with_plan(7, "a")),
        conflict(),
        Answer::ok(changed),
        done(),
    ]);
    let expected = revision(Some(with_plan(7, "a"))).await;
    let written = store(client).write_plan(&plan("b"), &expected).await;
    assert_eq!(written, Ok(Write::Done));
    assert_eq!(api.verbs(), ["get", "update", "get", "update"]);
    let last = &api.asked()[3].body;
    assert_eq!(last["metadata"]["labels"]["team"], "blue");
    assert_eq!(last["data"]["plan-warmup.json"], "other");
    assert_eq!(last["data"]["plan-main.json"], plan("b").to_json());
}

#[tokio::test(start_paused = true)]
async fn one_who_loses_the_race_to_make_the_object_learns_it() {
    let (_, client) = Api::in_turn([
        Answer::not_found(),
        Answer::status(409, "configmaps \"tminus-k6\" already exists"),
        Answer::ok(with_plan(5, "theirs")),
    ]);
    let written = store(client)
        .write_plan(&plan("mine"), &revision(None).await)
        .await;
    assert_eq!(written, Ok(Write::Conflict));
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_another_job_of_the_name_is_deleted_on_condition_and_made_again() {
    let (api, client) = Api::in_turn([Answer::ok(yesterdays(7)), done(), done()]);
    // The scheduler has read yesterday's plan, and replaces it.
    let expected = revision(Some(yesterdays(7))).await;
    let written = store(client).write_plan(&plan("b"), &expected).await;
    assert_eq!(written, Ok(Write::Done));
    assert_eq!(api.verbs(), ["get", "delete", "create"]);
    let conditions = json!({"uid": "cm-1", "resourceVersion": "7"});
    assert_eq!(api.asked()[1].body["preconditions"], conditions);
    let data = json!({"plan-main.json": plan("b").to_json()});
    assert_eq!(api.asked()[2].body["data"], data);
}

#[tokio::test(start_paused = true)]
async fn who_makes_it_again_first_wins() {
    let (_, client) = Api::in_turn([
        Answer::ok(yesterdays(7)),
        done(),
        Answer::status(409, "configmaps \"tminus-k6\" already exists"),
        Answer::ok(with_plan(9, "theirs")),
    ]);
    let expected = revision(Some(yesterdays(7))).await;
    let written = store(client).write_plan(&plan("mine"), &expected).await;
    assert_eq!(written, Ok(Write::Conflict));
}

#[tokio::test]
async fn an_abort_leaves_alone_what_belongs_to_another_job_of_the_name() {
    let (api, client) = Api::in_turn([Answer::ok(yesterdays(7))]);
    let error = store(client).write_abort(&abort("why")).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("belongs to another Job"), "{text}");
    assert_eq!(api.verbs(), ["get"], "it may be the next Job's");
}

#[tokio::test]
async fn somebody_elses_object_is_left_alone_and_says_what_to_do() {
    let mut theirs = config_map(5, &[]);
    theirs["metadata"]["labels"] = json!({});
    theirs["metadata"]["ownerReferences"] = json!([]);
    let (api, client) = Api::in_turn([Answer::ok(theirs)]);
    let error = store(client).write_abort(&abort("why")).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("configmaps tminus-k6 in namespace load"),
        "{text}"
    );
    assert!(text.contains("Delete or rename it"), "{text}");
    assert_eq!(api.verbs(), ["get"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_held_while_it_goes_is_waited_for_but_not_for_ever() {
    let mut going = with_plan(5, "old");
    going["metadata"]["deletionTimestamp"] = "2026-11-25T10:00:00Z".into();
    let (api, client) = Api::answering(move |_| Answer::ok(going.clone()));
    let store = store(client);
    let error = within(16, store.write_abort(&abort("why")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("finalizer"), "{error}");
    assert!(api.verbs().iter().all(|verb| *verb == "get"));
}

#[tokio::test]
async fn the_first_abort_of_a_run_stays() {
    let found = config_map(5, &[("abort.json", abort("first").to_json())]);
    let (api, client) = Api::in_turn([Answer::ok(found)]);
    store(client).write_abort(&abort("second")).await.unwrap();
    assert_eq!(api.verbs(), ["get"]);
}

#[tokio::test]
async fn an_abort_that_cannot_be_read_is_replaced() {
    let found = config_map(5, &[("abort.json", "{".to_owned())]);
    let (api, client) = Api::in_turn([Answer::ok(found), done()]);
    store(client).write_abort(&abort("why")).await.unwrap();
    assert_eq!(
        api.asked()[1].body["data"]["abort.json"],
        abort("why").to_json()
    );
}

#[rstest]
#[case::quota(
    403,
    "configmaps \"tminus-k6\" is forbidden: exceeded quota: q",
    "exceeded quota"
)]
#[case::going(
    403,
    "unable to create new content in namespace load because it is being terminated",
    "being terminated"
)]
#[case::no_namespace(404, "namespaces \"load\" not found", "namespaces \"load\" not found")]
#[case::immutable(
    422,
    "ConfigMap \"tminus-k6\" is invalid: data: Forbidden: field is immutable",
    "immutable"
)]
#[tokio::test]
async fn a_refusal_is_told_as_what_it_is(
    #[case] code: u16,
    #[case] message: &str,
    #[case] says: &str,
) {
    let (_, client) = Api::in_turn([Answer::not_found(), Answer::status(code, message)]);
    let error = store(client).write_abort(&abort("why")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains(says), "{error}");
}

#[rstest]
#[case::a_plan(Answer::ok(with_plan(5, "a")), vec![], true)]
#[case::a_lease(Answer::not_found(), vec![crate::samples::lease(5, "k6-1", 1)], true)]
#[case::nothing(Answer::not_found(), vec![], false)]
#[tokio::test]
async fn a_run_is_known_by_its_documents_and_its_leases(
    #[case] object: Answer,
    #[case] leases: Vec<Value>,
    #[case] known: bool,
) {
    let (api, client) = Api::in_turn([object, Answer::list(9, leases)]);
    assert_eq!(store(client).knows(&run()).await, Ok(known));
    if let Some(list) = api.asked().get(1) {
        let selector =
            "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dtminus%2Ctminus%2Frun%3Drun-1";
        assert!(list.uri.contains(selector), "{}", list.uri);
        assert!(list.uri.contains("limit=1"), "{}", list.uri);
    }
}
