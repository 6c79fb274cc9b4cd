//! A virtual machine that is stopped without knowing of it.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::{
    start::{TERMS, fitness},
    world::{MS, SECOND, Server, World},
};
use crate::Closing;

/// How a start went, by a clock that was stopped for `paused`, `before` its instant.
#[derive(Debug, PartialEq)]
enum Start {
    Refused,
    OnTime,
    JumpReported,
}

fn start(servers: usize, before: Duration, paused: Duration, seed: u64) -> Start {
    let names = (0..servers).map(|name| Server::near(&name.to_string()));
    let mut world = World::seeded(names.collect(), 50 * MS, seed);
    world.rate = 120_000;
    world.live(5 * SECOND);
    let instant = world.utc() + TimeDelta::seconds(60);
    let luck = world.luck();
    world.discipline.set_instant(instant, luck);
    let mut paused = Some(paused);
    loop {
        let left = instant - world.reading().midpoint();
        if left <= TimeDelta::zero() {
            break;
        }
        world.go_on(left.to_std().unwrap().min(MS * 100));
        let left = instant - world.reading().midpoint();
        if left <= TimeDelta::from_std(before).unwrap()
            && let Some(paused) = paused.take()
        {
            world.pause(paused);
        }
    }
    if fitness(&world, TERMS).is_err() {
        return Start::Refused;
    }
    let fired = world.utc();
    let luck = world.luck();
    world.discipline.fire(world.now(), luck);
    world.live_to_next_round();
    let firing = world.discipline.knowledge().firing.unwrap();
    let covered = (firing.utc - fired).abs().to_std().unwrap() <= firing.bound;
    assert!(covered, "{fired} is not within {firing:?}");
    match firing.closing {
        Closing::Confirmed => Start::OnTime,
        Closing::Jumped { .. } => Start::JumpReported,
        other => panic!("{other:?}"),
    }
}

#[test]
fn long_before_the_instant_it_is_measured_away() {
    assert_eq!(start(1, 40 * SECOND, 5 * SECOND, 1), Start::OnTime);
    assert_eq!(start(3, 40 * SECOND, 5 * SECOND, 1), Start::OnTime);
}

#[test]
fn right_before_the_instant_it_is_reported_after_it() {
    assert_eq!(start(1, SECOND, 5 * SECOND, 1), Start::JumpReported);
    assert_eq!(start(3, SECOND, 5 * SECOND, 1), Start::JumpReported);
}

proptest! {
    /// Whenever it happens and however long it is, if it is longer than what can be
    /// measured.
    #[test]
    fn no_start_by_a_clock_that_jumped_goes_unnoticed(
        servers in 1..4_usize,
        before_ms in 0..60_000_u64,
        paused_ms in 60..20_000_u64,
        seed in any::<u64>(),
    ) {
        let before = Duration::from_millis(before_ms);
        let paused = Duration::from_millis(paused_ms);
        let start = start(servers, before, paused, seed);
        // The one before the last second is too close for the doubt to be settled.
        if before < 3 * SECOND {
            prop_assert_ne!(start, Start::OnTime);
        }
    }
}
