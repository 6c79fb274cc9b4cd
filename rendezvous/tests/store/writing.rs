//! What the directory store writes, and under which condition.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::Duration;

use rendezvous::{Abort, Plan, RunId, Store, StoreError, Write};

use crate::samples::{
    abort, full_report, gathering, names_in, plan, report, runner, soon, stage, store,
};

async fn plan_in(store: &impl Store) -> Option<Plan> {
    store.read(&stage()).await.unwrap().plan.unwrap()
}

async fn abort_in(store: &impl Store) -> Option<Abort> {
    store.read(&stage()).await.unwrap().abort.unwrap()
}

#[tokio::test]
async fn a_plan_is_written_once_from_what_was_read() {
    let (directory, store) = store();
    let empty = store.read(&stage()).await.unwrap().revision;
    assert_eq!(
        store.write_plan(&gathering("a"), &empty).await.unwrap(),
        Write::Done
    );
    assert_eq!(
        store.write_plan(&plan("b"), &empty).await.unwrap(),
        Write::Conflict
    );
    assert_eq!(plan_in(&store).await, Some(gathering("a")));

    let read = store.read(&stage()).await.unwrap().revision;
    assert_eq!(
        store.write_plan(&plan("a"), &read).await.unwrap(),
        Write::Done
    );
    assert_eq!(
        store.write_plan(&plan("b"), &read).await.unwrap(),
        Write::Conflict
    );
    assert_eq!(plan_in(&store).await, Some(plan("a")));
    assert_eq!(names_in(directory.path()), ["plan-main.json", "reports"]);
}

#[tokio::test]
async fn a_plan_of_one_stage_is_no_other_stages() {
    let (_directory, store) = store();
    let warmup = "warmup".parse().unwrap();
    let empty = store.read(&warmup).await.unwrap().revision;
    store.write_plan(&plan("a"), &empty).await.unwrap();
    let board = store.read(&warmup).await.unwrap();
    assert_eq!((board.plan, board.revision), (Ok(None), empty));
}

#[tokio::test]
async fn what_cannot_be_read_can_be_replaced_by_who_has_seen_it() {
    let (directory, store) = store();
    let path = directory.path().join("plan-main.json");
    fs::write(&path, b"half a pl\xff").unwrap();
    let seen = store.read(&stage()).await.unwrap().revision;
    fs::write(&path, b"half a pl\xfe").unwrap();
    assert_eq!(
        store.write_plan(&plan("a"), &seen).await.unwrap(),
        Write::Conflict
    );
    let seen = store.read(&stage()).await.unwrap().revision;
    assert_eq!(
        store.write_plan(&plan("a"), &seen).await.unwrap(),
        Write::Done
    );

    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "untouched").unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    let seen = store.read(&stage()).await.unwrap().revision;
    assert_eq!(
        store.write_plan(&plan("a"), &seen).await.unwrap(),
        Write::Done
    );
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
    assert_eq!(plan_in(&store).await, Some(plan("a")));
}

#[tokio::test]
async fn a_directory_in_a_plans_place_cannot_be_replaced_and_is_named() {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("plan-main.json")).unwrap();
    let seen = store.read(&stage()).await.unwrap().revision;
    let error = store.write_plan(&plan("a"), &seen).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("/plan-main.json"), "{error}");
    assert_eq!(names_in(directory.path()), ["plan-main.json", "reports"]);
}

#[tokio::test]
async fn the_first_abort_of_a_run_stays() {
    let (_directory, store) = store();
    store.write_abort(&abort("first")).await.unwrap();
    store.write_abort(&abort("second")).await.unwrap();
    assert_eq!(abort_in(&store).await, Some(abort("first")));
}

#[tokio::test]
async fn an_abort_replaces_another_runs_and_what_cannot_be_read() {
    let (directory, store) = store();
    let other = RunId::new("run-0").unwrap();
    store
        .write_abort(&Abort::new(other, "me", "old"))
        .await
        .unwrap();
    store.write_abort(&abort("new")).await.unwrap();
    assert_eq!(abort_in(&store).await, Some(abort("new")));

    fs::write(directory.path().join("abort.json"), "{").unwrap();
    store.write_abort(&abort("again")).await.unwrap();
    assert_eq!(abort_in(&store).await, Some(abort("again")));
    assert_eq!(names_in(directory.path()), ["abort.json", "reports"]);
}

#[tokio::test]
async fn a_report_replaces_the_runners_earlier_one() {
    let (directory, store) = store();
    store.publish(&report("k6-1", 1)).await.unwrap();
    store.publish(&report("k6-2", 1)).await.unwrap();
    store.publish(&full_report()).await.unwrap();
    let read = store.read_report(&stage(), &runner("k6-1")).await.unwrap();
    assert_eq!(read, Ok(Some(full_report())));
    let folder = directory.path().join("reports/main");
    assert_eq!(names_in(&folder), ["k6-1.json", "k6-2.json"]);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_overwritten() {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("reports/main")).unwrap();
    let longer = "x".repeat(10_000);
    for left in [
        ".plan-main.json.tmp",
        ".abort.json.tmp",
        "reports/main/.k6-1.json.tmp",
    ] {
        fs::write(directory.path().join(left), &longer).unwrap();
    }
    let empty = store.read(&stage()).await.unwrap().revision;
    store.write_plan(&plan("a"), &empty).await.unwrap();
    store.write_abort(&abort("why")).await.unwrap();
    store.publish(&report("k6-1", 1)).await.unwrap();
    assert_eq!(plan_in(&store).await, Some(plan("a")));
    assert_eq!(abort_in(&store).await, Some(abort("why")));
    let left = names_in(directory.path());
    assert_eq!(left, ["abort.json", "plan-main.json", "reports"]);
    assert_eq!(
        names_in(&directory.path().join("reports/main")),
        ["k6-1.json"]
    );
}

#[tokio::test]
async fn a_draft_that_is_a_symbolic_link_is_not_written_through() {
    let (directory, store) = store();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "untouched").unwrap();
    symlink(&elsewhere, directory.path().join(".abort.json.tmp")).unwrap();
    let error = store.write_abort(&abort("why")).await.unwrap_err();
    assert!(error.to_string().contains("/.abort.json.tmp"), "{error}");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
}

/// Holds the lock on a draft as a writer that was stopped does.
fn stopped_writer(path: &std::path::Path) -> File {
    let file = File::create(path).unwrap();
    file.lock().unwrap();
    file
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_was_stopped_holds_up_others_for_a_bounded_time_and_is_told() {
    let (directory, store) = store();
    let draft = directory.path().join(".plan-main.json.tmp");
    let held = stopped_writer(&draft);
    let empty = store.read(&stage()).await.unwrap().revision;
    let begun = tokio::time::Instant::now();
    let error = store.write_plan(&plan("a"), &empty).await.unwrap_err();
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(
        error.to_string().contains(draft.to_str().unwrap()),
        "{error}"
    );
    assert_eq!(plan_in(&store).await, None);

    // Other documents are not held up.
    store.write_abort(&abort("why")).await.unwrap();
    store.publish(&report("k6-1", 1)).await.unwrap();

    drop(held);
    assert_eq!(
        store.write_plan(&plan("a"), &empty).await.unwrap(),
        Write::Done
    );
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_goes_on_in_time_is_waited_for() {
    let (directory, store) = store();
    let held = stopped_writer(&directory.path().join(".abort.json.tmp"));
    let begun = tokio::time::Instant::now();
    let goes_on = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(held);
    };
    let abort = abort("why");
    let (written, ()) = soon(async { tokio::join!(store.write_abort(&abort), goes_on) }).await;
    written.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "it has not waited"
    );
    assert_eq!(abort_in(&store).await, Some(abort));
}

#[tokio::test]
async fn nothing_is_written_where_the_store_was_removed() {
    let (directory, store) = store();
    let path = directory.path().to_path_buf();
    let empty = store.read(&stage()).await.unwrap().revision;
    fs::remove_dir_all(&path).unwrap();
    let errors = [
        store.write_plan(&plan("a"), &empty).await.unwrap_err(),
        store.write_abort(&abort("why")).await.unwrap_err(),
        store.publish(&report("k6-1", 1)).await.unwrap_err(),
    ];
    assert!(!path.exists(), "it must not be made again");
    for error in errors {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    // Back again, if only its directory, it works again.
    fs::create_dir(&path).unwrap();
    store.write_plan(&plan("a"), &empty).await.unwrap();
    store.publish(&report("k6-1", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_incarnations_of_a_runner_do_not_mix_their_reports() {
    let (directory, store) = store();
    let long = "x".repeat(500);
    let publishing = |incarnation: &'static str, reason: Option<String>| {
        let store = store.clone();
        tokio::spawn(async move {
            for sequence in 0..300 {
                let mut report = report("k6-1", sequence);
                report.incarnation = incarnation.parse().unwrap();
                report.reason.clone_from(&reason);
                store.publish(&report).await.unwrap();
            }
        })
    };
    let (first, second) = (publishing("first", None), publishing("second", Some(long)));
    while !(first.is_finished() && second.is_finished()) {
        let read = store.read_report(&stage(), &runner("k6-1")).await.unwrap();
        if let Some(report) = read.unwrap() {
            assert_eq!(
                report.reason.is_some(),
                report.incarnation.as_str() == "second"
            );
        }
    }
    soon(async { tokio::try_join!(first, second) })
        .await
        .unwrap();
    assert_eq!(
        names_in(&directory.path().join("reports/main")),
        ["k6-1.json"]
    );
}
