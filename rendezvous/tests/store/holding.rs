//! A runner's place, which one process has at a time.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rendezvous::{DirectoryStore, Hold, ReportEvent, Store};

use futures_util::StreamExt;

use crate::samples::{names_in, report, run, runner, soon, stage, store};

/// Nobody waits longer than this for a place that goes on being taken.
const WAITS: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_place_is_one_processs_until_it_is_given_up() {
    let (directory, store) = store();
    let mine = store.hold(&stage(), &runner("k6-1")).await.unwrap();
    assert!(mine.is_some());

    let others = DirectoryStore::open(directory.path()).unwrap();
    let began = Instant::now();
    let theirs = others.hold(&stage(), &runner("k6-1")).await.unwrap();
    assert!(theirs.is_none());
    assert!(began.elapsed() < WAITS);

    drop(mine);
    let theirs = others.hold(&stage(), &runner("k6-1")).await.unwrap();
    assert!(theirs.is_some());
}

#[tokio::test]
async fn the_next_one_finds_what_the_last_one_left() {
    let (directory, store) = store();
    let mine = store.hold(&stage(), &runner("k6-1")).await.unwrap();
    let mine = mine.unwrap();
    assert_eq!(mine.read().unwrap(), "");
    mine.write("a long note").unwrap();
    mine.write("a note").unwrap();
    // Where neither the directory nor anything in it can be reached.
    let away = directory.path().with_extension("away");
    std::fs::rename(directory.path(), &away).unwrap();
    mine.write("another").unwrap();
    std::fs::rename(&away, directory.path()).unwrap();
    let too_long = "x".repeat(Hold::MOST_BYTES + 1);
    mine.write(&too_long).unwrap_err();
    drop(mine);

    let next = store.hold(&stage(), &runner("k6-1")).await.unwrap();
    let next = next.unwrap();
    assert_eq!(next.read().unwrap(), "another");
    let path = next.path().unwrap().to_owned();
    std::fs::write(&path, too_long).unwrap();
    next.read().unwrap_err();
    std::fs::write(&path, [0xff]).unwrap();
    next.read().unwrap_err();

    let other = store.hold(&stage(), &runner("k6-2")).await.unwrap();
    assert_eq!(other.unwrap().read().unwrap(), "");
}

#[tokio::test]
async fn every_runner_and_every_stage_has_a_place_of_its_own() {
    let (_directory, store) = store();
    let mut places = Vec::new();
    for (stage, name) in [
        ("main", "k6-1"),
        ("main", "k6-2"),
        ("warmup", "k6-1"),
        ("a-b", "c"),
        ("a", "b-c"),
    ] {
        let place = store.hold(&stage.parse().unwrap(), &runner(name)).await;
        places.push(place.unwrap().expect("nobody else has it"));
    }
}

#[tokio::test]
async fn who_is_just_dying_is_waited_for() {
    let (_directory, store) = store();
    let mine = store.hold(&stage(), &runner("k6-1")).await.unwrap();
    let (name, next) = (stage(), runner("k6-1"));
    let asked = tokio::join!(store.hold(&name, &next), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(mine);
    });
    assert!(asked.0.unwrap().is_some());
}

#[tokio::test]
async fn a_child_that_lives_on_does_not_keep_the_place() {
    let (_directory, store) = store();
    let mine = store.hold(&stage(), &runner("k6-1")).await.unwrap();
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(mine);
    let again = store.hold(&stage(), &runner("k6-1")).await.unwrap();
    assert!(again.is_some());
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[tokio::test]
async fn a_place_is_no_report() {
    let (directory, store) = store();
    let _place = store.hold(&stage(), &runner("k6-1")).await.unwrap();
    store.publish(&report("k6-1", 1)).await.unwrap();
    let mut events = store.watch_reports(&run(), &stage());
    let first = soon(events.next()).await.unwrap().unwrap();
    assert!(matches!(first, ReportEvent::Seen { .. }), "{first:?}");
    assert_eq!(names_in(directory.path()), ["places", "reports"]);
    assert!(!store.knows(&"other".parse().unwrap()).await.unwrap());
}
