//! Answers that contradict what was known.

use std::time::Duration;

use chrono::TimeDelta;

use super::{
    start::{TERMS, fitness},
    world::{MS, SECOND, Server, World, noon},
};
use crate::{
    ErrorBound, Obstacle, SourceKind, Status,
    discipline::{Heard, Purpose},
};

const SYNCHRONISED: Status = Status::Synchronised {
    by: SourceKind::Ntp,
};

/// Synchronised for a minute to so many servers.
pub(super) fn world_of(names: &[&str]) -> World {
    let mut world = World::new(names.iter().map(|name| Server::near(name)).collect());
    world.live(60 * SECOND);
    assert_eq!(world.reading().status, SYNCHRONISED);
    world
}

pub(super) fn bound(world: &World) -> Duration {
    match world.reading().bound() {
        ErrorBound::Within(bound) => bound,
        ErrorBound::Unmeasured => panic!("it was measured"),
    }
}

/// UTC by a server that is `off` the truth.
fn shows(world: &World, off: TimeDelta) -> bool {
    let told = world.utc() + off;
    let reading = world.reading();
    reading.earliest <= told && told <= reading.latest
}

#[test]
fn a_step_of_the_only_source_is_followed_after_three_answers() {
    for step in [2, -2, 3600].map(TimeDelta::seconds) {
        let mut world = world_of(&["a"]);
        world.servers[0].error = step;
        world.live_to_next_round();
        let doubted = world.utc();
        for agreeing in 1..3 {
            assert_eq!(world.reading().status, Status::InDoubt);
            let Some(Obstacle::Contradicted {
                by, agreeing: n, ..
            }) = world.discipline.knowledge().obstacle
            else {
                panic!("{:?}", world.discipline.knowledge());
            };
            assert_eq!(n, agreeing);
            assert!((by - step).abs() < TimeDelta::milliseconds(10), "{by}");
            // Both are covered, so nobody can start by it.
            assert!(shows(&world, TimeDelta::zero()) && shows(&world, step));
            assert!(fitness(&world, TERMS).is_err());
            world.live_to_next_round();
        }
        assert_eq!(world.reading().status, SYNCHRONISED);
        assert!(world.utc() - doubted >= TimeDelta::seconds(4));
        assert!(shows(&world, step) && !shows(&world, TimeDelta::zero()));
        assert_eq!(fitness(&world, TERMS), Ok(()));
    }
}

#[test]
fn a_doubt_is_told_in_words() {
    let mut world = world_of(&["10.0.0.2"]);
    world.servers[0].error = TimeDelta::seconds(-2);
    world.live_to_next_round();
    assert_eq!(world.discipline.knowledge().to_string(), "in doubt");
    let unfit = fitness(&world, TERMS).unwrap_err();
    assert!(
        unfit.starts_with("clock in doubt: the time jumped by -2"),
        "{unfit}"
    );
}

#[test]
fn one_wrong_answer_is_doubted_and_then_forgotten() {
    let mut world = world_of(&["a"]);
    world.servers[0].error = TimeDelta::seconds(2);
    world.live_to_next_round();
    world.servers[0].error = TimeDelta::zero();
    for _ in 0..3 {
        assert_eq!(world.reading().status, Status::InDoubt);
        world.live_to_next_round();
    }
    assert_eq!(world.reading().status, SYNCHRONISED);
    assert!(world.is_covered());
}

/// Whether what is counted on is the truth, `off`, to a hundredth of a second.
fn holds(world: &World, off: TimeDelta) -> bool {
    (world.reading().held - world.utc() - off).abs() < TimeDelta::milliseconds(10)
}

#[test]
fn what_was_held_before_a_doubt_is_counted_on_until_it_is_settled() {
    for step in [3600, -3600].map(TimeDelta::seconds) {
        let mut world = world_of(&["a"]);
        world.servers[0].error = step;
        for _ in 0..2 {
            world.live_to_next_round();
            assert_eq!(world.reading().status, Status::InDoubt);
            assert!(holds(&world, TimeDelta::zero()));
        }
        world.live_to_next_round();
        assert_eq!(world.reading().status, SYNCHRONISED);
        assert!(holds(&world, step));
    }
}

#[test]
fn answers_that_keep_contradicting_each_other_are_never_followed() {
    let mut world = world_of(&["a"]);
    for step in 1..20 {
        world.servers[0].error = TimeDelta::seconds(2 * (step % 3));
        if step % 3 == 0 {
            world.servers[0].error = TimeDelta::seconds(-7);
        }
        world.live_to_next_round();
        assert_eq!(world.reading().status, Status::InDoubt, "{step}");
        assert!(holds(&world, TimeDelta::zero()), "{step}");
        assert!(world.is_covered());
    }
}

#[test]
fn a_lost_round_does_not_break_the_row() {
    let mut world = world_of(&["a"]);
    world.servers[0].error = TimeDelta::seconds(2);
    for down in [false, true, false, true] {
        world.servers[0].down = down;
        world.live_to_next_round();
        assert_eq!(world.reading().status, Status::InDoubt);
    }
    world.servers[0].down = false;
    world.live_to_next_round();
    assert_eq!(world.reading().status, SYNCHRONISED);
}

#[test]
fn a_source_that_is_gone_in_a_doubt_is_looked_up_again() {
    let mut world = world_of(&["a"]);
    world.servers[0].error = TimeDelta::seconds(2);
    world.live_to_next_round();
    world.servers[0].down = true;
    let purposes: Vec<_> = (0..20).map(|_| world.live_to_next_round()).collect();
    let ordinary = purposes.iter().filter(|it| **it == Purpose::Waiting);
    assert!((2..5).contains(&ordinary.count()), "{purposes:?}");
}

#[test]
fn a_step_of_one_of_three_is_outvoted_without_a_doubt() {
    for step in [2, -2].map(TimeDelta::seconds) {
        let mut world = world_of(&["a", "b", "c"]);
        world.servers[1].error = step;
        world.live(20 * SECOND);
        assert_eq!(world.reading().status, SYNCHRONISED);
        assert_eq!(world.discipline.knowledge().to_string(), "NTP a, c");
        assert!(world.is_covered());
    }
}

#[test]
fn a_step_of_one_of_two_is_a_doubt_for_as_long_as_they_disagree() {
    let mut world = world_of(&["a", "b"]);
    world.servers[1].error = TimeDelta::seconds(2);
    world.live(120 * SECOND);
    assert_eq!(world.reading().status, Status::InDoubt);
    assert_eq!(
        world.discipline.knowledge().obstacle,
        Some(Obstacle::NoMajority)
    );
    assert!(world.is_covered());
    world.servers[1].error = TimeDelta::zero();
    world.live(20 * SECOND);
    assert_eq!(world.reading().status, SYNCHRONISED);
    assert!(world.is_covered());
}

#[test]
fn steps_and_slews_of_the_wall_clock_change_nothing() {
    let mut world = world_of(&["a"]);
    for step in [2, -2, 3600, -3600] {
        world.wall_off += TimeDelta::seconds(step);
        world.live(20 * SECOND);
        assert_eq!(world.reading().status, SYNCHRONISED);
        assert!(world.is_covered());
        let offset = world.discipline.knowledge().offset.unwrap() + world.wall_off;
        assert!(offset.abs() < TimeDelta::milliseconds(1));
    }
}

#[test]
fn a_suspend_widens_the_bound_at_once_and_is_measured_away() {
    let mut world = world_of(&["a"]);
    world.suspend(300 * SECOND, 302 * SECOND);
    assert!(world.is_covered());
    assert!(bound(&world) > 3 * SECOND);
    assert!(fitness(&world, TERMS).is_err());
    world.run(2 * SECOND);
    world.live_to_next_round();
    assert!(world.is_covered());
    assert_eq!(world.reading().status, SYNCHRONISED);
    assert_eq!(fitness(&world, TERMS), Ok(()));
    assert!(world.utc() - noon() < TimeDelta::seconds(365));
}

#[test]
fn a_pause_that_the_machine_knows_nothing_of_is_a_doubt() {
    let mut world = world_of(&["a", "b", "c"]);
    world.pause(5 * SECOND);
    world.live_to_next_round();
    assert_eq!(world.reading().status, Status::InDoubt);
    assert!(world.is_covered());
    world.live(5 * SECOND);
    assert_eq!(world.reading().status, SYNCHRONISED);
    assert!(world.is_covered());
}

#[test]
fn the_drift_is_assumed_until_two_rounds_prove_it_smaller() {
    let growth = |world: &World| {
        let later = world.now().plus(100 * SECOND);
        let later = world.discipline.anchor().reading_at(later).bound();
        let ErrorBound::Within(later) = later else {
            panic!("{later:?}");
        };
        later - bound(world)
    };
    for rate in [0, 300_000, -499_000] {
        let mut world = World::new(vec![Server::near("a")]);
        world.rate = rate;
        world.live(SECOND);
        assert_eq!(growth(&world), 50 * MS);
        world.live(60 * SECOND);
        // 15 ppm are left, and what the two rounds leave open.
        let proven = growth(&world);
        assert!((3 * MS / 2..3 * MS).contains(&proven), "{proven:?}");
        assert!(world.is_covered());

        world.servers[0].error = TimeDelta::seconds(2);
        world.live(20 * SECOND);
        assert!(growth(&world) >= 50 * MS, "{:?}", growth(&world));
    }
}

#[test]
fn a_drift_that_changes_is_found_and_is_no_doubt() {
    let mut world = world_of(&["a"]);
    world.rate = 400_000;
    world.live(40 * SECOND);
    assert_eq!(world.reading().status, SYNCHRONISED);
    assert!(world.is_covered());
}

#[test]
fn a_doubt_that_is_not_settled_when_the_instant_comes_is_one_then() {
    let mut world = world_of(&["a"]);
    let instant = world.utc() + TimeDelta::seconds(30);
    world.discipline.set_instant(instant, 0.0);
    world.run_until(instant - TimeDelta::milliseconds(3_100));
    world.servers[0].error = TimeDelta::seconds(2);
    assert_eq!(world.live_to_next_round(), Purpose::Final);
    world.live(10 * SECOND);
    // It is settled only after the instant, by whichever of the two.
    world.run_until(instant);
    assert!(world.discipline.knowledge().firing.is_none());
}

/// What a source says in an answer that comes now.
fn answer(world: &World, off: TimeDelta) -> Vec<Heard> {
    vec![Heard {
        name: "a".to_owned(),
        kind: SourceKind::Ntp,
        samples: vec![world.sample_of(&Server::near("a").off(off))],
        troubles: None,
    }]
}

#[test]
fn in_the_last_second_nothing_replaces_the_anchor() {
    let mut world = world_of(&["a"]);
    let instant = world.utc() + TimeDelta::seconds(30);
    world.discipline.set_instant(instant, 0.5);
    for before in [999, 500, 1, 0].map(TimeDelta::milliseconds) {
        world.run_until(instant - before);
        let anchor = world.discipline.anchor();
        let heard = answer(&world, TimeDelta::microseconds(50));
        world.hear(Purpose::Final, heard);
        assert_eq!(world.discipline.anchor(), anchor);
        let obstacle = world.discipline.knowledge().obstacle;
        assert_eq!(obstacle, Some(Obstacle::Withheld));
    }
    // Firing ends it.
    let anchor = world.discipline.anchor();
    world.discipline.fire(world.now(), 0.5);
    assert_eq!(world.live_to_next_round(), Purpose::Closing);
    assert_ne!(world.discipline.anchor(), anchor);
}

#[test]
fn a_contradiction_in_the_last_second_is_a_doubt_all_the_same() {
    let mut world = world_of(&["a"]);
    let instant = world.utc() + TimeDelta::seconds(30);
    world.discipline.set_instant(instant, 0.5);
    world.run_until(instant - TimeDelta::milliseconds(500));
    let heard = answer(&world, TimeDelta::seconds(-2));
    world.hear(Purpose::Final, heard);
    assert_eq!(world.reading().status, Status::InDoubt);
}

#[test]
fn a_first_answer_in_the_last_second_comes_too_late() {
    let mut world = World::new(vec![Server::near("a")]);
    let instant = world.utc() + TimeDelta::milliseconds(300);
    world.discipline.set_instant(instant, 0.5);
    world.live_to_next_round();
    assert_eq!(world.reading().status, Status::Unsynchronised);
    assert_eq!(
        fitness(&world, TERMS),
        Err("clock unsynchronised: an answer came too late to be used".to_owned())
    );
}

#[test]
fn a_doubt_that_is_settled_when_the_instant_is_past_shows_how_late_it_is() {
    let mut world = world_of(&["a"]);
    let instant = world.utc() + TimeDelta::seconds(30);
    world.discipline.set_instant(instant, 0.5);
    world.run(SECOND);
    world.pause(300 * SECOND);
    world.live(30 * SECOND);
    assert_eq!(world.reading().status, SYNCHRONISED);
    assert!(world.is_covered());
    assert!(world.reading().earliest - instant > TimeDelta::seconds(270));
}
