//! What was known of the time when the instant came.

use chrono::TimeDelta;

use super::{
    contradiction::{bound, world_of},
    start::{TERMS, fitness},
    world::{MS, SECOND, Server, World},
};
use crate::{Closing, Verdict, discipline::Purpose};

/// Fires when the clock says that it is time. The rounds before it are told.
fn fire_after(world: &mut World, ahead: TimeDelta) -> Vec<Purpose> {
    let instant = world.reading().midpoint() + ahead;
    let luck = world.luck();
    world.discipline.set_instant(instant, luck);
    let mut rounds = Vec::new();
    loop {
        let left = instant - world.reading().midpoint();
        if left <= TimeDelta::zero() {
            break;
        }
        rounds.extend(world.go_on(left.to_std().unwrap()));
    }
    let luck = world.luck();
    world.discipline.fire(world.now(), luck);
    rounds
}

fn closing(world: &World) -> Closing {
    world.discipline.knowledge().firing.unwrap().closing
}

#[test]
fn the_bound_at_the_firing_is_the_smaller_of_both_rounds() {
    let mut world = world_of(&["a"]);
    let rounds = fire_after(&mut world, TimeDelta::seconds(30));
    assert_eq!(rounds.last(), Some(&Purpose::Final));
    assert_eq!(closing(&world), Closing::Awaited);
    let fired = world.utc();
    let before = world.discipline.knowledge().firing.unwrap();
    assert!((before.utc - fired).abs() <= TimeDelta::from_std(before.bound).unwrap());

    assert_eq!(world.live_to_next_round(), Purpose::Closing);
    assert_eq!(closing(&world), Closing::Confirmed);
    let after = world.discipline.knowledge().firing.unwrap();
    assert!(after.bound <= before.bound);
    assert!((after.utc - fired).abs() <= TimeDelta::from_std(after.bound).unwrap());
}

#[test]
fn a_jump_around_the_firing_is_found_by_the_closing_round() {
    for jump in [2 * SECOND, 100 * MS] {
        let mut world = world_of(&["a"]);
        world.discipline.set_budget(SECOND);
        let instant = world.utc() + TimeDelta::seconds(20);
        world.discipline.set_instant(instant, 0.0);
        world.run_until(instant - TimeDelta::seconds(3));
        world.live_to_next_round();
        world.pause(jump);
        world.run(3 * SECOND);
        world.discipline.fire(world.now(), 0.9);
        world.live_to_next_round();
        let Closing::Jumped { by } = closing(&world) else {
            panic!("{:?}", closing(&world));
        };
        let off = by - TimeDelta::from_std(jump).unwrap();
        assert!(off.abs() < TimeDelta::milliseconds(1), "{by}");
    }
}

#[test]
fn a_closing_round_without_an_answer_says_so() {
    let mut world = world_of(&["a"]);
    fire_after(&mut world, TimeDelta::seconds(30));
    world.servers[0].down = true;
    let before = world.discipline.knowledge().firing.unwrap();
    world.live_to_next_round();
    let after = world.discipline.knowledge().firing.unwrap();
    assert_eq!(after.closing, Closing::Failed);
    assert_eq!((after.utc, after.bound), (before.utc, before.bound));
}

#[test]
fn without_a_final_round_the_old_anchor_goes_on_and_the_bound_grows() {
    let mut world = World::new(vec![Server::near("a")]);
    world.live(SECOND);
    let before = bound(&world);
    world.servers[0].down = true;
    world.rate = -480_000;
    fire_after(&mut world, TimeDelta::seconds(30));
    assert!(world.is_covered());
    assert_eq!(
        world.discipline.knowledge().sources[0].verdict,
        Verdict::Used
    );
    assert!(bound(&world) - before >= 15 * MS);
    assert_eq!(fitness(&world, TERMS), Ok(()));
}
