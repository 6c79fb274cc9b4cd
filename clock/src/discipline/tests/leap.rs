//! Leap seconds.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    start::{TERMS, fitness},
    world::{SECOND, Server, World, noon},
};
use crate::ntp::Leap;

/// Half a minute before the midnight that has a leap second, if it is announced.
fn before_midnight(leap: Leap, announced_by: usize) -> World {
    let names = ["a", "b", "c"];
    let mut world = World::new(names.iter().map(|name| Server::near(name)).collect());
    for server in &mut world.servers[..announced_by] {
        server.leap = leap;
    }
    world.run_until(midnight() - TimeDelta::seconds(30));
    world.live(15 * SECOND);
    world
}

fn midnight() -> DateTime<Utc> {
    noon() + TimeDelta::hours(12)
}

const LEAPS: [(Leap, i64); 2] = [(Leap::Insert, -1), (Leap::Delete, 1)];

#[test]
fn without_an_announcement_midnight_is_nothing_special() {
    let mut world = before_midnight(Leap::None, 0);
    world.live(20 * SECOND);
    assert!(world.is_covered());
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn an_announced_leap_second_is_known_before_it_comes() {
    for (leap, _) in LEAPS {
        let world = before_midnight(leap, 2);
        assert_eq!(world.discipline.knowledge().leap, leap);
        assert_eq!(fitness(&world, TERMS), Ok(()));
        assert!(world.is_covered());
    }
}

#[test]
fn what_was_known_before_it_covers_both_counts_after_it() {
    for (leap, by) in LEAPS {
        for comes in [true, false] {
            let mut world = before_midnight(leap, 3);
            world.run_until(midnight());
            if comes {
                world.leap(TimeDelta::seconds(by));
            }
            for _ in 0..20 {
                assert!(world.is_covered(), "{leap:?} {comes}");
                world.run(SECOND / 10);
            }
            let unfit = fitness(&world, TERMS).unwrap_err();
            assert!(unfit.starts_with("clock error 5"), "{unfit}");
        }
    }
}

#[test]
fn it_is_measured_away_as_soon_as_it_is_over() {
    for (leap, by) in LEAPS {
        for comes in [true, false] {
            let mut world = before_midnight(leap, 3);
            world.run_until(midnight());
            if comes {
                world.leap(TimeDelta::seconds(by));
            }
            world.live(4 * SECOND);
            assert!(world.is_covered(), "{leap:?} {comes}");
            assert_eq!(fitness(&world, TERMS), Ok(()), "{leap:?} {comes}");
        }
    }
}

#[test]
fn one_of_three_that_announces_it_is_no_majority() {
    let world = before_midnight(Leap::Insert, 1);
    assert_eq!(world.discipline.knowledge().leap, Leap::None);
    let mut world = before_midnight(Leap::Insert, 1);
    world.live(20 * SECOND);
    assert!(world.is_covered());
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn one_that_nobody_announced_is_a_doubt_and_then_known() {
    let mut world = before_midnight(Leap::None, 0);
    world.run_until(midnight());
    world.leap(TimeDelta::seconds(-1));
    world.live(40 * SECOND);
    assert!(world.is_covered());
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn an_instant_right_after_it_is_refused_and_one_a_little_later_is_kept() {
    for (after, fits) in [(0, false), (1, false), (10, true)] {
        let mut world = before_midnight(Leap::Insert, 3);
        let instant = midnight() + TimeDelta::seconds(after);
        world.discipline.set_instant(instant, 0.5);
        world.live((15 - 1) * SECOND);
        world.run_until(midnight());
        world.leap(TimeDelta::seconds(-1));
        // As a waiter does, by what the clock says.
        while world.reading().midpoint() < instant {
            let left = (instant - world.reading().midpoint()).to_std().unwrap();
            world.live(left);
        }
        assert!(world.is_covered());
        assert_eq!(fitness(&world, TERMS).is_ok(), fits, "{after} s");
    }
}
