//! Whether anything of a run stands in a store.

use std::fs;

use rendezvous::{DirectoryStore, Store};
use rstest::rstest;

use crate::samples::{abort, gathering, report, run, store};

/// Whether the run of the samples is known there, and another one is.
async fn known(store: &DirectoryStore) -> (bool, bool) {
    let other = "other".parse().unwrap();
    (
        store.knows(&run()).await.unwrap(),
        store.knows(&other).await.unwrap(),
    )
}

#[tokio::test]
async fn nobody_is_known_in_an_empty_store() {
    assert_eq!(known(&store().1).await, (false, false));
}

#[tokio::test]
async fn a_plan_of_any_stage_makes_a_run_known() {
    let (_directory, store) = store();
    let mut plan = gathering("a");
    plan.stage = "warmup".parse().unwrap();
    let empty = store.read(&plan.stage).await.unwrap().revision;
    store.write_plan(&plan, &empty).await.unwrap();
    assert_eq!(known(&store).await, (true, false));
}

#[tokio::test]
async fn a_report_for_any_stage_makes_a_run_known() {
    let (_directory, store) = store();
    let mut report = report("k6-1", 1);
    report.stage = "warmup".parse().unwrap();
    store.publish(&report).await.unwrap();
    assert_eq!(known(&store).await, (true, false));
}

#[tokio::test]
async fn an_abort_makes_a_run_known() {
    let (_directory, store) = store();
    store.write_abort(&abort("enough")).await.unwrap();
    assert_eq!(known(&store).await, (true, false));
}

#[rstest]
#[case("plan-main.json", true)]
#[case("abort.json", true)]
#[case("reports/main/k6-1.json", false)]
#[case("reports/main", false)]
#[case("plan-.json", false)]
#[tokio::test]
async fn a_plan_or_abort_that_cannot_be_read_may_be_any_runs(
    #[case] name: &str,
    #[case] expected: bool,
) {
    let (directory, store) = store();
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "{").unwrap();
    assert_eq!(known(&store).await, (expected, expected));
}

#[tokio::test]
async fn a_store_that_was_removed_does_not_pass_for_an_empty_one() {
    let (directory, store) = store();
    directory.close().unwrap();
    assert!(store.knows(&run()).await.is_err());
}
