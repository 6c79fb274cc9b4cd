//! The watch over a stage's reports.

use std::fs;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rendezvous::{DirectoryStore, Problem, Report, ReportEvent, RunId, Store, StoreError};

use crate::samples::{full_report, report, run, runner, soon, stage, store};

struct Watch(BoxStream<'static, Result<ReportEvent, StoreError>>);

impl Watch {
    fn over(store: &DirectoryStore) -> Self {
        Self(store.watch_reports(&run(), &stage()))
    }

    async fn next(&mut self) -> Result<ReportEvent, StoreError> {
        soon(self.0.next()).await.expect("a watch does not end")
    }

    async fn event(&mut self) -> ReportEvent {
        self.next().await.unwrap()
    }

    /// Has the watch look at least once, by an event that is caused for it.
    async fn looks(&mut self, store: &DirectoryStore, sequence: u64) {
        let mark = report("z-mark", sequence);
        store.publish(&mark).await.unwrap();
        loop {
            if let ReportEvent::Seen { report, .. } = self.event().await
                && *report == mark
            {
                return;
            }
        }
    }

    /// Silent for a minute, on paused time.
    async fn is_silent(&mut self) {
        tokio::select! {
            event = self.0.next() => panic!("{event:?}"),
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
        }
    }
}

fn seen(report: Report, live: bool) -> ReportEvent {
    let report = Box::new(report);
    ReportEvent::Seen { report, live }
}

#[tokio::test]
async fn what_was_there_first_may_be_of_any_age_and_what_comes_later_is_live() {
    let (_directory, store) = store();
    store.publish(&report("k6-1", 1)).await.unwrap();
    let mut watch = Watch::over(&store);
    assert_eq!(watch.event().await, seen(report("k6-1", 1), false));
    store.publish(&report("k6-2", 1)).await.unwrap();
    assert_eq!(watch.event().await, seen(report("k6-2", 1), true));
    store.publish(&report("k6-1", 2)).await.unwrap();
    assert_eq!(watch.event().await, seen(report("k6-1", 2), true));
}

#[tokio::test]
async fn the_first_report_of_all_is_live_to_a_watch_that_saw_none() {
    let (_directory, store) = store();
    let mut watch = Watch::over(&store);
    watch.looks(&store, 1).await;
    store.publish(&report("k6-1", 1)).await.unwrap();
    assert_eq!(watch.event().await, seen(report("k6-1", 1), true));
}

#[tokio::test(start_paused = true)]
async fn a_report_is_told_once_for_each_change() {
    let (_directory, store) = store();
    store.publish(&report("k6-1", 1)).await.unwrap();
    let mut watch = Watch::over(&store);
    watch.event().await;
    watch.is_silent().await;
    store.publish(&report("k6-1", 1)).await.unwrap();
    watch.is_silent().await;
    store.publish(&report("k6-1", 2)).await.unwrap();
    assert_eq!(watch.event().await, seen(report("k6-1", 2), true));
    watch.is_silent().await;
}

#[tokio::test]
async fn the_last_of_many_quick_reports_is_always_seen() {
    let (_directory, store) = store();
    let mut watch = Watch::over(&store);
    for sequence in 100..110 {
        // In bursts within one tick of the file system's clock, of one length.
        for burst in 0..5 {
            store
                .publish(&report("k6-1", sequence * 10 + burst))
                .await
                .unwrap();
        }
        loop {
            match watch.event().await {
                ReportEvent::Seen { report, .. } if report.sequence == sequence * 10 + 4 => break,
                ReportEvent::Seen { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_removed_report_is_gone() {
    let (directory, store) = store();
    store.publish(&report("k6-1", 1)).await.unwrap();
    let mut watch = Watch::over(&store);
    watch.event().await;
    fs::remove_file(directory.path().join("reports/main/k6-1.json")).unwrap();
    assert_eq!(watch.event().await, ReportEvent::Gone(runner("k6-1")));
    store.publish(&report("k6-1", 1)).await.unwrap();
    assert_eq!(watch.event().await, seen(report("k6-1", 1), true));
    fs::remove_dir_all(directory.path().join("reports")).unwrap();
    assert_eq!(watch.event().await, ReportEvent::Gone(runner("k6-1")));
}

#[tokio::test]
async fn another_runs_report_is_left_out() {
    let (_directory, store) = store();
    let others = |name: &str, sequence| Report {
        run: RunId::new("yesterday").unwrap(),
        ..report(name, sequence)
    };
    store.publish(&others("k6-1", 1)).await.unwrap();
    store.publish(&report("k6-2", 1)).await.unwrap();
    let mut watch = Watch::over(&store);
    assert_eq!(watch.event().await, seen(report("k6-2", 1), false));
    store.publish(&report("k6-1", 1)).await.unwrap();
    assert_eq!(watch.event().await, seen(report("k6-1", 1), true));
    store.publish(&others("k6-1", 2)).await.unwrap();
    assert_eq!(watch.event().await, ReportEvent::Gone(runner("k6-1")));
    let mut other_stage = report("k6-2", 2);
    other_stage.stage = "warmup".parse().unwrap();
    store.publish(&other_stage).await.unwrap();
    watch.looks(&store, 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_report_is_told_once_for_each_change_of_it() {
    let (directory, store) = store();
    let folder = directory.path().join("reports/main");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("k6-1.json");
    fs::write(&path, &full_report().to_json()[..100]).unwrap();
    fs::write(folder.join(".k6-1.json.tmp"), "a draft").unwrap();
    let mut watch = Watch::over(&store);
    let unreadable = |event: ReportEvent| match event {
        ReportEvent::Unreadable(error) => error,
        other => panic!("{other:?}"),
    };
    let error = unreadable(watch.event().await);
    assert_eq!(error.location, path.to_str().unwrap());
    assert!(matches!(error.problem, Problem::Syntax(_)), "{error}");
    watch.is_silent().await;

    // Renamed into place, so that no half of a write is seen.
    let put = |text: &str| {
        fs::write(folder.join(".put.tmp"), text).unwrap();
        fs::rename(folder.join(".put.tmp"), &path).unwrap();
    };
    put(&full_report().to_json()[..100]);
    assert_eq!(
        unreadable(watch.event().await),
        error,
        "changed, and wrong again"
    );
    watch.is_silent().await;
    put(&report("k6-2", 1).to_json());
    let error = unreadable(watch.event().await);
    assert!(matches!(
        error.problem,
        Problem::Value {
            field: "runner",
            ..
        }
    ));

    put(&report("k6-1", 1).to_json());
    assert_eq!(watch.event().await, seen(report("k6-1", 1), true));
    put("");
    unreadable(watch.event().await);
    fs::remove_file(&path).unwrap();
    assert_eq!(watch.event().await, ReportEvent::Gone(runner("k6-1")));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_another_name_is_told_once_while_it_is_there() {
    let (directory, store) = store();
    let folder = directory.path().join("reports/main");
    fs::create_dir(&folder).unwrap();
    let mut watch = Watch::over(&store);
    watch.looks(&store, 1).await;
    for name in ["notes.txt", "Upper.json", ".hidden"] {
        let path = folder.join(name);
        for _ in 0..2 {
            fs::write(&path, "").unwrap();
            match watch.event().await {
                ReportEvent::Unreadable(error) => {
                    assert_eq!(error.location, path.to_str().unwrap());
                    assert!(matches!(error.problem, Problem::Foreign(_)), "{error}");
                }
                other => panic!("{other:?}"),
            }
            fs::write(&path, "longer").unwrap();
            watch.is_silent().await;
            fs::remove_file(&path).unwrap();
            watch.is_silent().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_is_told_once_and_what_comes_back_is_of_any_age() {
    let (directory, store) = store();
    let path = directory.path().to_path_buf();
    let aside = path.with_extension("aside");
    store.publish(&report("k6-1", 1)).await.unwrap();
    store.publish(&report("k6-2", 1)).await.unwrap();
    let mut watch = Watch::over(&store);
    watch.event().await;
    watch.event().await;

    fs::rename(&path, &aside).unwrap();
    let error = watch.next().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    watch.is_silent().await;

    fs::remove_file(aside.join("reports/main/k6-1.json")).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert_eq!(watch.event().await, ReportEvent::Gone(runner("k6-1")));
    assert_eq!(watch.event().await, seen(report("k6-2", 1), false));
    store.publish(&report("k6-2", 2)).await.unwrap();
    assert_eq!(watch.event().await, seen(report("k6-2", 2), true));
    watch.is_silent().await;
}

#[tokio::test]
async fn a_file_in_place_of_the_reports_is_an_error_that_names_it() {
    let (directory, store) = store();
    let folder = directory.path().join("reports/main");
    fs::write(&folder, "").unwrap();
    let mut watch = Watch::over(&store);
    let error = watch.next().await.unwrap_err();
    assert!(
        error.to_string().contains(folder.to_str().unwrap()),
        "{error}"
    );
    fs::remove_file(&folder).unwrap();
    store.publish(&report("k6-1", 1)).await.unwrap();
    let ReportEvent::Seen { report: found, .. } = watch.event().await else {
        panic!("nothing seen");
    };
    assert_eq!(*found, report("k6-1", 1));
}
