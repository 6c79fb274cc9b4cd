//! Over paths that are long, crooked and leaky.

use std::time::Duration;

use chrono::TimeDelta;

use crate::support::{
    fake_server::{FakeServer, honest},
    measure::{judged, median},
    relay::{Path, Relay},
};

const MS: Duration = Duration::from_millis(1);

const MANY: usize = 1_000;

/// So many paths at a time, since each answer takes its time.
const SIDE_BY_SIDE: u64 = 150;

fn assert_bound_holds_on(path: Path) {
    let server = FakeServer::start(|question, _, now| vec![honest(question, now).into()]);
    let relays: Vec<_> = (0..SIDE_BY_SIDE)
        .map(|seed| Relay::start(server.address(), path, seed))
        .collect();
    let addresses: Vec<_> = relays.iter().map(Relay::address).collect();
    let judged = judged(&addresses, MANY);
    for judged in &judged {
        assert!(
            judged.holds(TimeDelta::zero()),
            "off by {}: {:?}",
            judged.offset(),
            judged.sample
        );
    }
    let off = median(judged.iter().map(|judged| judged.offset().abs()));
    let bound = median(judged.iter().map(|judged| judged.sample.bound));
    println!("median: off {off}, bound {bound:?}");
    // The path does something: with a third of it one way the answer is off.
    let crooked = path.out.abs_diff(path.back) / 2;
    assert!(off.to_std().unwrap() >= crooked / 2, "{off}");
}

#[test]
fn the_bound_holds_on_a_path_that_is_longer_one_way() {
    assert_bound_holds_on(Path {
        out: 30 * MS,
        back: 10 * MS,
        ..Path::default()
    });
}

#[test]
fn the_bound_holds_on_a_path_that_loses_doubles_and_reorders() {
    assert_bound_holds_on(Path {
        out: 10 * MS,
        back: 30 * MS,
        jitter: 20 * MS,
        loss: 0.3,
        duplicates: 0.2,
    });
}
