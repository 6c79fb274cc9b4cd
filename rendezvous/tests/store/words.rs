//! What is said of a store and its documents, word by word.

use std::fs;

use futures_util::StreamExt;
use rendezvous::{
    Plan, PlanId, Problem, Report, ReportEvent, RunId, RunnerId, StageName, Store, StoreLocation,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::samples::{full_report, names_in, plan, report, run, runner, soon, stage, store};

fn plan_with(field: &str, value: Value) -> String {
    let mut document: Value = serde_json::from_str(&plan("p").to_json()).unwrap();
    document[field] = value;
    Plan::from_json(&document.to_string())
        .unwrap_err()
        .to_string()
}

fn report_with(field: &str, value: Value) -> String {
    let mut document: Value = serde_json::from_str(&full_report().to_json()).unwrap();
    document[field] = value;
    Report::from_json(&document.to_string())
        .unwrap_err()
        .to_string()
}

#[rstest]
#[case(plan_with("start_at", json!("soon")), "its field `start_at` is wrong: \"soon\" is no RFC 3339 time")]
#[case(plan_with("start_at", json!("2026-12-31T23:59:60Z")), "its field `start_at` is wrong: \"2026-12-31T23:59:60Z\" is a leap second, which cannot be waited for")]
#[case(plan_with("start_at", json!("0001-01-01T00:00:00Z")), "its field `start_at` is wrong: \"0001-01-01T00:00:00Z\" is not between the years 2020 and 2261")]
#[case(plan_with("late_tolerance_ns", json!(3_600_000_000_001_u64)), "its field `late_tolerance_ns` is wrong: 3600000000001 ns is over the limit of 3600000000000 ns")]
#[case(plan_with("quorum", json!(0)), "its field `quorum` is wrong: 0 is not between 1 and 100000")]
#[case(plan_with("version", json!(2)), "it has version 2, this program knows version 1: use one release of tminus for the scheduler and all runners")]
#[case(report_with("phase", json!("running")), "its field `exit_code` is wrong: a report has one if and only if its phase is final, and this one is running")]
#[case(report_with("plan", json!(null)), "its field `armed` is wrong: there is no plan that it could be armed with")]
fn a_value_that_is_wrong(#[case] told: String, #[case] words: &str) {
    assert_eq!(told, words);
}

#[test]
fn a_document_of_another_form() {
    let told = plan_with("quorum", json!(null));
    assert!(
        told.contains("a set plan has start_at and quorum, and no seconds_left"),
        "{told}"
    );
    let told = plan_with("state", json!("gathering"));
    assert!(
        told.contains("a gathering plan has seconds_left, and neither start_at nor quorum"),
        "{told}"
    );
    assert!(told.starts_with("its form is wrong: "), "{told}");
    let told = plan_with("plan", json!("A"));
    assert!(told.contains("plan id \"A\" cannot be used: it must be 1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends"), "{told}");
    let cut_off = Plan::from_json("{").unwrap_err().to_string();
    assert!(cut_off.starts_with("it is no complete JSON ("), "{cut_off}");
    let long = " ".repeat(100_000);
    let long = Plan::from_json(&long).unwrap_err().to_string();
    assert_eq!(
        long,
        format!(
            "it is 100000 bytes long, at most {} are read",
            Plan::MOST_BYTES
        )
    );
}

#[rstest]
#[case(RunId::new("a b").unwrap_err().to_string(), "run id \"a b\" cannot be used: it must be 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends")]
#[case(StageName::new("A").unwrap_err().to_string(), "stage \"A\" cannot be used: it must be 1 to 40 lower-case letters, digits or '-', with a letter or digit at both ends")]
#[case(RunnerId::new("A").unwrap_err().to_string(), "runner id \"A\" cannot be used: it must be 1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends")]
#[case(PlanId::new("A").unwrap_err().to_string(), "plan id \"A\" cannot be used: it must be 1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends")]
fn a_name_that_cannot_be_used(#[case] told: String, #[case] words: &str) {
    assert_eq!(told, words);
}

/// What is said of what stands where the plan belongs.
async fn of_a_plan(put: impl FnOnce(&std::path::Path)) -> (String, Problem) {
    let (directory, store) = store();
    let path = directory.path().join("plan-main.json");
    put(&path);
    let error = store.read(&stage()).await.unwrap().plan.unwrap_err();
    let told = error.to_string();
    let begin = format!("the plan in {} cannot be read: ", path.display());
    assert!(told.starts_with(&begin), "{told}");
    (told, error.problem)
}

#[tokio::test]
async fn what_is_no_document() {
    let (told, _) = of_a_plan(|path| fs::create_dir(path).unwrap()).await;
    assert!(told.ends_with(": it is a directory"), "{told}");
    let link = |path: &std::path::Path| std::os::unix::fs::symlink("x", path).unwrap();
    let (told, _) = of_a_plan(link).await;
    assert!(told.ends_with(": it is a symbolic link"), "{told}");
    let socket =
        |path: &std::path::Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    let (told, _) = of_a_plan(socket).await;
    assert!(told.ends_with(": it is a socket or a device"), "{told}");
    let another = plan("p").to_json().replace("\"main\"", "\"warmup\"");
    let (told, _) = of_a_plan(|path| fs::write(path, another).unwrap()).await;
    assert!(told.contains("and the file is that of main"), "{told}");
}

#[tokio::test]
async fn a_store_that_cannot_be_used() {
    let (directory, store) = store();
    let root = directory.path().to_owned();
    fs::create_dir_all(root.join("places/main")).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(root.join("places/main/a.lock"))
        .status();
    assert!(pipe.unwrap().success());
    let error = store.hold(&stage(), &runner("a")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot lock {}/places/main/a.lock: it is no file",
            root.display()
        )
    );

    fs::remove_dir_all(&root).unwrap();
    let error = store.read(&stage()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot use the store in {}: there is no such directory",
            root.display()
        )
    );
    let error = store
        .publish(&report("a", 1))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("cannot make the directory {}", root.display())),
        "{error}"
    );
}

#[tokio::test]
async fn a_writer_that_was_stopped() {
    let (directory, store) = store();
    // As a process that was stopped while it wrote leaves it.
    let draft = directory.path().join(".plan-main.json.tmp");
    let file = fs::File::create(&draft).unwrap();
    file.lock().unwrap();
    let revision = store.read(&stage()).await.unwrap().revision;
    let error = store
        .write_plan(&plan("p"), &revision)
        .await
        .unwrap_err()
        .to_string();
    let words = format!(
        "cannot write {}: another process has held {} for 5 s; continue or end it if it is stopped",
        directory.path().join("plan-main.json").display(),
        draft.display()
    );
    assert_eq!(error, words);
    assert_eq!(
        names_in(directory.path()),
        [".plan-main.json.tmp", "reports"]
    );
}

#[test]
fn a_store_in_kubernetes_is_not_opened_like_a_directory() {
    let location: StoreLocation = "kubernetes:load".parse().unwrap();
    let error = location
        .open()
        .err()
        .expect("it cannot be opened")
        .to_string();
    assert_eq!(
        error,
        "may not open kubernetes:load: a store in Kubernetes is not opened without an identity. Use a directory here: dir:PATH"
    );
}

#[tokio::test]
async fn reports_that_are_none_and_reports_that_cannot_be_listed() {
    let (directory, store) = store();
    let folder = directory.path().join("reports/main");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("Notes.json"), "").unwrap();
    let mut events = store.watch_reports(&run(), &stage());
    let event = soon(events.next()).await.unwrap().unwrap();
    let ReportEvent::Unreadable(error) = event else {
        panic!("{event:?}")
    };
    let words = format!(
        "the report in {}/Notes.json cannot be read: it is a file of another name than <runner id>.json",
        folder.display()
    );
    assert_eq!(error.to_string(), words);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    let error = loop {
        match soon(events.next()).await.unwrap() {
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    let words = format!("cannot list the reports in {}: ", folder.display());
    assert!(error.starts_with(&words), "{error}");
}
