//! What time the API server says it is.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use support::{cluster, moment::Moment, store_run::Run};

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_hears_the_date_at_first_hand_whatever_it_may_do() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    // One with the shipped rights, and one that may do nothing.
    for account in [run.agent(), run.namespace.account("nobody")] {
        let store = run.of_runner(&account, "uid-1").await;
        let before = Moment::now().utc;
        let said = store.server_date().await.unwrap();
        let after = Moment::now().utc;
        assert_eq!((said.age, said.via), (None, None));
        let date = DateTime::parse_from_rfc2822(&said.date.unwrap()).unwrap();
        // It is cut off to a whole second, and read from a clock that ticks every half.
        let second = TimeDelta::milliseconds(1_500);
        assert!(date.to_utc() > before - second, "{date} {before}");
        assert!(date.to_utc() <= after, "{date} {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_answer_says_nothing_and_holds_nobody_up_for_long() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let run = Run::new(cluster);
    let (account, proxy) = (run.agent(), cluster.proxy());
    let store = run
        .of_runner_through(cluster, &proxy, &account, "uid-1")
        .await;
    assert!(store.server_date().await.is_some());
    proxy.swallow_all();
    let since = Instant::now();
    assert_eq!(store.server_date().await, None);
    assert!(
        since.elapsed() < Duration::from_secs(15),
        "{:?}",
        since.elapsed()
    );
}
