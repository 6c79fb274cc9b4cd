//! What is said of a store in a cluster and its documents, word by word.

use futures_util::StreamExt;
use kube::Config;
use rendezvous::kubernetes::Pod;
use rendezvous::{KubernetesStore, ReportEvent, Store};
use rstest::rstest;
use serde_json::{Value, json};

use crate::api::{Answer, Api, store};
use crate::samples::{config_map, lease, plan, report, run, stage, within};

fn binary() -> Value {
    let mut object = config_map(5, &[]);
    object["binaryData"] = json!({"plan-main.json": "AAAA"});
    object
}

fn of_another_stage() -> Value {
    let text = plan("a").to_json().replace("\"main\"", "\"warmup\"");
    config_map(5, &[("plan-main.json", text)])
}

#[rstest]
#[case(binary(), "it is binary data")]
#[case(
    of_another_stage(),
    "its field `stage` is wrong: it is warmup, and the key is that of main"
)]
#[tokio::test]
async fn a_plan_that_is_none(#[case] object: Value, #[case] problem: &str) {
    let (_, client) = Api::in_turn([Answer::ok(object)]);
    let board = store(client).read(&stage()).await.unwrap();
    let place = "key plan-main.json of ConfigMap load/tminus-k6";
    let words = format!("the plan in {place} cannot be read: {problem}");
    assert_eq!(board.plan.unwrap_err().to_string(), words);
}

#[tokio::test]
async fn a_report_that_is_none() {
    let mut object = lease(5, "a", 1);
    object["metadata"]["annotations"] = json!({});
    let (_, client) = Api::in_turn([Answer::ok(object)]);
    let runner = report("a", 1).runner;
    let read = store(client).read_report(&stage(), &runner).await.unwrap();
    assert_eq!(
        read.unwrap_err().to_string(),
        "the report in Lease load/tminus-a-main cannot be read: it is a Lease without the annotation tminus/report"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_no_runners() {
    let mut object = lease(5, "a", 1);
    object["metadata"]["name"] = "notes".into();
    let (_, client) = Api::answering(move |asked| match asked.verb {
        "list" => Answer::list(5, vec![object.clone()]),
        _ => Answer::Stuck(vec![]),
    });
    let mut events = store(client).watch_reports(&run(), &stage());
    let event = within(1, events.next()).await.unwrap().unwrap();
    let ReportEvent::Unreadable(error) = event else {
        panic!("{event:?}")
    };
    assert_eq!(
        error.to_string(),
        "the report in Lease load/notes cannot be read: it is a Lease of another name than tminus-<runner id>-<stage>"
    );
}

#[tokio::test(start_paused = true)]
async fn what_others_change_all_the_time() {
    let conflict = || Answer::status(409, "the object has been modified");
    let (_, client) = Api::answering(move |asked| match asked.verb {
        "get" => Answer::ok(if asked.resource == "leases" {
            lease(5, "a", 1)
        } else {
            config_map(5, &[])
        }),
        _ => conflict(),
    });
    let store = store(client);
    let revision = store.read(&stage()).await.unwrap().revision;
    let plan = within(600, store.write_plan(&plan("a"), &revision)).await;
    let told = plan.unwrap_err().to_string();
    let words = "it is changed or held by others all the time: has it a finalizer, or does a program write to it in a loop?";
    assert!(told.ends_with(words), "{told}");
    let report = within(600, store.publish(&report("a", 1))).await;
    let told = report.unwrap_err().to_string();
    assert!(told.ends_with(": others change it all the time"), "{told}");
}

#[tokio::test]
async fn a_certificate_that_is_none() {
    let mut config = Config::new("https://127.0.0.1:1".parse().unwrap());
    config.root_cert = Some(vec![b"nonsense".to_vec()]);
    let pod = Pod {
        name: "k6-1".to_owned(),
        uid: "uid-1".to_owned(),
    };
    let told = KubernetesStore::of_runner(config, "load", "k6", pod)
        .unwrap_err()
        .to_string();
    let (begin, end) = (
        "may not set up a connection to the API server: ",
        ". Look at the service account's files in the pod, the CA certificate first",
    );
    assert!(told.starts_with(begin) && told.ends_with(end), "{told}");
}
