//! What the directory store makes of what it finds.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use proptest::prelude::*;
use rendezvous::{DirectoryStore, DocumentError, Plan, Problem, Report, Store, StoreError};
use rstest::rstest;

use crate::samples::{abort, full_report, plan, report, runner, soon, stage, store};

#[test]
fn opening_makes_what_is_missing_for_this_user_only() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("one/two");
    let store = DirectoryStore::open(&path).unwrap();
    assert_eq!(store.location(), path.to_str().unwrap());
    for made in [path.clone(), path.join("reports")] {
        let mode = fs::metadata(&made).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", made.display());
    }
    DirectoryStore::open(&path).expect("it is there already");
    let left = crate::samples::names_in(&path);
    assert_eq!(left, ["reports"], "the trial of writing leaves nothing");
}

#[test]
fn opening_a_file_or_what_is_below_one_names_it() {
    let above = tempfile::tempdir().unwrap();
    let file = above.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = DirectoryStore::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
    }
    let path = above.path().join("store");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("reports"), "").unwrap();
    let text = DirectoryStore::open(&path).unwrap_err().to_string();
    assert!(text.contains("store/reports"), "{text}");
}

#[tokio::test]
async fn an_empty_store_holds_nothing() {
    let (_directory, store) = store();
    let board = store.read(&stage()).await.unwrap();
    assert_eq!((board.plan, board.abort), (Ok(None), Ok(None)));
    let report = store.read_report(&stage(), &runner("k6-1")).await.unwrap();
    assert_eq!(report, Ok(None));
}

#[tokio::test]
async fn a_store_that_was_removed_is_not_an_empty_one() {
    let (directory, store) = store();
    let path = directory.path().to_str().unwrap().to_owned();
    fs::remove_dir_all(&path).unwrap();
    let errors = [
        store.read(&stage()).await.unwrap_err(),
        store
            .read_report(&stage(), &runner("k6-1"))
            .await
            .unwrap_err(),
    ];
    fs::write(&path, "a file in its place").unwrap();
    let more = [
        store.read(&stage()).await.unwrap_err(),
        store
            .read_report(&stage(), &runner("k6-1"))
            .await
            .unwrap_err(),
    ];
    fs::remove_file(&path).unwrap();
    for error in errors.into_iter().chain(more) {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(&path), "{error}");
    }
}

/// The error of a plan, an abort or a report, read from the path where each stands.
async fn errors_of(store: &DirectoryStore) -> [DocumentError; 3] {
    let board = soon(store.read(&stage())).await.unwrap();
    let report = soon(store.read_report(&stage(), &runner("k6-1"))).await;
    [
        board.plan.unwrap_err(),
        board.abort.unwrap_err(),
        report.unwrap().unwrap_err(),
    ]
}

const PLACES: [&str; 3] = ["plan-main.json", "abort.json", "reports/main/k6-1.json"];

#[rstest]
#[case::directory(|path: &Path| fs::create_dir(path).unwrap(), "a directory")]
#[case::symlink(|path: &Path| symlink("/dev/zero", path).unwrap(), "a symbolic link")]
#[case::pipe(make_pipe, "a named pipe")]
#[case::socket(|path: &Path| drop(UnixListener::bind(path).unwrap()), "a socket")]
#[tokio::test]
async fn what_is_no_file_is_told_as_what_it_is(#[case] put: fn(&Path), #[case] what: &str) {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("reports/main")).unwrap();
    for place in PLACES {
        put(&directory.path().join(place));
    }
    for (error, place) in errors_of(&store).await.into_iter().zip(PLACES) {
        assert!(matches!(error.problem, Problem::Foreign(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(place) && text.contains(what), "{text}");
    }
}

fn make_pipe(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn a_symbolic_link_to_a_good_document_is_not_followed() {
    let (directory, store) = store();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, plan("p").to_json()).unwrap();
    symlink(&elsewhere, directory.path().join("plan-main.json")).unwrap();
    let error = store.read(&stage()).await.unwrap().plan.unwrap_err();
    assert!(matches!(error.problem, Problem::Foreign(_)), "{error}");
}

#[rstest]
#[case::empty(b"")]
#[case::zeros(&[0; 100])]
#[case::no_text(b"{\"version\":1,\"run\":\"\xff\"}")]
#[case::another_program(b"[Desktop Entry]\n")]
#[tokio::test]
async fn a_foreign_file_is_an_error_that_names_it(#[case] bytes: &[u8]) {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("reports/main")).unwrap();
    for place in PLACES {
        fs::write(directory.path().join(place), bytes).unwrap();
    }
    for (error, place) in errors_of(&store).await.into_iter().zip(PLACES) {
        let told = matches!(error.problem, Problem::Syntax(_) | Problem::Form(_));
        assert!(told, "{error:?}");
        let path = directory.path().join(place);
        assert_eq!(error.location, path.to_str().unwrap());
    }
}

#[tokio::test]
async fn a_file_of_any_length_is_read_no_further_than_a_document_can_go() {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("reports/main")).unwrap();
    let terabyte = 1 << 40;
    for place in PLACES {
        let file = fs::File::create(directory.path().join(place)).unwrap();
        file.set_len(terabyte).unwrap();
    }
    for error in errors_of(&store).await {
        match error.problem {
            Problem::TooLong { bytes, .. } => assert_eq!(bytes, terabyte),
            problem => panic!("{problem:?}"),
        }
    }
}

#[tokio::test]
async fn a_document_in_anothers_place_is_nobodys() {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("reports/main")).unwrap();
    let warmup = |text: String| text.replace("\"main\"", "\"warmup\"");
    fs::write(
        directory.path().join("plan-main.json"),
        warmup(plan("p").to_json()),
    )
    .unwrap();
    let error = store.read(&stage()).await.unwrap().plan.unwrap_err();
    assert!(matches!(
        error.problem,
        Problem::Value { field: "stage", .. }
    ));

    let path = directory.path().join("reports/main/k6-1.json");
    for (text, named) in [
        (warmup(report("k6-1", 1).to_json()), "stage"),
        (report("k6-2", 1).to_json(), "runner"),
    ] {
        fs::write(&path, text).unwrap();
        let read = store.read_report(&stage(), &runner("k6-1")).await.unwrap();
        match read.unwrap_err().problem {
            Problem::Value { field, .. } => assert_eq!(field, named),
            problem => panic!("{problem:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_cut_off_at_any_byte_is_an_error_and_never_an_empty_place() {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("reports/main")).unwrap();
    let texts = [
        plan("p").to_json(),
        abort("why").to_json(),
        full_report().to_json(),
    ];
    let longest = texts.iter().map(String::len).max().unwrap();
    for cut in 0..longest {
        for (text, place) in texts.iter().zip(PLACES) {
            let cut = cut.min(text.len() - 1);
            fs::write(directory.path().join(place), &text[..cut]).unwrap();
        }
        errors_of(&store).await;
    }
}

/// Bytes of a document with some of them changed.
fn damaged(text: String) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5);
    edits.prop_map(move |edits| {
        let mut bytes = text.clone().into_bytes();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn a_damaged_file_is_an_error_or_a_document_and_never_an_empty_place(
        plan_bytes in damaged(plan("p").to_json()),
        abort_bytes in damaged(abort("why").to_json()),
        report_bytes in damaged(full_report().to_json()),
    ) {
        let (directory, store) = store();
        fs::create_dir(directory.path().join("reports/main")).unwrap();
        for (bytes, place) in [plan_bytes, abort_bytes, report_bytes].iter().zip(PLACES) {
            fs::write(directory.path().join(place), bytes).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let (board, report) = runtime.unwrap().block_on(async {
            let report = store.read_report(&stage(), &runner("k6-1-9")).await;
            assert_eq!(report.unwrap(), Ok(None));
            let report = store.read_report(&stage(), &full_report().runner).await;
            (store.read(&stage()).await.unwrap(), report.unwrap())
        });
        prop_assert_ne!(&board.plan, &Ok(None::<Plan>));
        prop_assert_ne!(&board.abort, &Ok(None));
        prop_assert_ne!(&report, &Ok(None::<Report>));
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_a_store_like_any_other() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join(OsStr::from_bytes(b"\xff\n"));
    let store = DirectoryStore::open(&path).unwrap();
    assert!(!store.location().contains(char::is_control));
    store.publish(&report("k6-1", 1)).await.unwrap();
    let read = store.read_report(&stage(), &runner("k6-1")).await.unwrap();
    assert_eq!(read, Ok(Some(report("k6-1", 1))));
}
