//! The watch over a stage's plan and the abort.

use std::fs;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use rendezvous::{Board, DirectoryStore, Store, StoreError};

use crate::samples::{abort, gathering, plan, soon, stage, store};

type Boards = BoxStream<'static, Result<Board, StoreError>>;

async fn next(boards: &mut Boards) -> Result<Board, StoreError> {
    soon(boards.next()).await.expect("a watch does not end")
}

async fn put(store: &DirectoryStore, id: &str) {
    let read = store.read(&stage()).await.unwrap();
    store.write_plan(&plan(id), &read.revision).await.unwrap();
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_then_each_change() {
    let (_directory, store) = store();
    let mut boards = store.watch(&stage());
    let empty = next(&mut boards).await.unwrap();
    assert_eq!(empty, store.read(&stage()).await.unwrap());
    assert_eq!(empty.plan, Ok(None));

    store
        .write_plan(&gathering("a"), &empty.revision)
        .await
        .unwrap();
    let board = next(&mut boards).await.unwrap();
    assert_eq!(board.plan, Ok(Some(gathering("a"))));
    assert_eq!(board.revision, store.read(&stage()).await.unwrap().revision);

    put(&store, "a").await;
    assert_eq!(next(&mut boards).await.unwrap().plan, Ok(Some(plan("a"))));

    store.write_abort(&abort("why")).await.unwrap();
    let board = next(&mut boards).await.unwrap();
    assert_eq!(board.abort, Ok(Some(abort("why"))));
    assert_eq!(board.plan, Ok(Some(plan("a"))));

    let mut late = store.watch(&stage());
    assert_eq!(next(&mut late).await.unwrap(), board);
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_silent_while_nothing_changes() {
    let (_directory, store) = store();
    put(&store, "a").await;
    let mut boards = store.watch(&stage());
    next(&mut boards).await.unwrap();
    let hour = tokio::time::sleep(std::time::Duration::from_secs(60));
    tokio::select! {
        board = boards.next() => panic!("{board:?}"),
        () = hour => {}
    }
    // The very same text written again is no change either.
    put(&store, "a").await;
    let minute = tokio::time::sleep(std::time::Duration::from_secs(60));
    tokio::select! {
        board = boards.next() => panic!("{board:?}"),
        () = minute => {}
    }
}

#[tokio::test]
async fn an_unreadable_plan_is_told_and_never_as_none() {
    let (directory, store) = store();
    put(&store, "a").await;
    let mut boards = store.watch(&stage());
    next(&mut boards).await.unwrap();
    let path = directory.path().join("plan-main.json");
    fs::write(&path, &plan("b").to_json()[..20]).unwrap();
    // The file is truncated before it is written: either may be seen, and both are errors.
    let error = next(&mut boards).await.unwrap().plan.unwrap_err();
    assert_eq!(error.location, path.to_str().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_is_told_once_and_comes_back() {
    let (directory, store) = store();
    let path = directory.path().to_path_buf();
    put(&store, "a").await;
    let mut boards = store.watch(&stage());
    next(&mut boards).await.unwrap();

    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    let error = next(&mut boards).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    let minute = tokio::time::sleep(std::time::Duration::from_secs(60));
    tokio::select! {
        board = boards.next() => panic!("told twice: {board:?}"),
        () = minute => {}
    }

    fs::rename(&aside, &path).unwrap();
    assert_eq!(next(&mut boards).await.unwrap().plan, Ok(Some(plan("a"))));

    fs::rename(&path, &aside).unwrap();
    next(&mut boards).await.unwrap_err();
    fs::rename(&aside, &path).unwrap();
    next(&mut boards).await.unwrap();
    assert!(boards.next().now_or_never().is_none());
}
