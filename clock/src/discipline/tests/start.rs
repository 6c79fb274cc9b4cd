//! The first answers, and what it takes to believe them.

use chrono::TimeDelta;

use super::world::{MS, SECOND, Server, World, noon};
use crate::{
    ErrorBound, Obstacle, SourceKind, Status, Terms, Unfit, Verdict,
    discipline::{Purpose, Witness, fit},
};

pub(super) const TERMS: Terms = Terms {
    budget: MS.saturating_mul(50),
    require_ntp: false,
};

pub(super) fn fitness(world: &World, terms: Terms) -> Result<(), String> {
    let told = |unfit: Unfit| unfit.to_string();
    fit(&world.reading(), world.discipline.knowledge(), terms).map_err(told)
}

#[test]
fn before_the_first_round_nothing_is_known() {
    let world = World::new(vec![Server::near("a")]);
    assert_eq!(world.reading().status, Status::Unsynchronised);
    assert_eq!(world.reading().bound(), ErrorBound::Unmeasured);
    assert_eq!(world.discipline.knowledge().to_string(), "unsynchronised");
    assert_eq!(
        fitness(&world, TERMS),
        Err("clock unsynchronised".to_owned())
    );
}

#[test]
fn one_answer_is_enough_where_the_wall_clock_is_not_far_off() {
    for off in [0, 130, -420_000, 600_000] {
        let mut world = World::new(vec![Server::near("10.0.0.2")]);
        world.wall_off = TimeDelta::milliseconds(off);
        assert_eq!(world.live_to_next_round(), Purpose::Start);
        let by = SourceKind::Ntp;
        assert_eq!(world.reading().status, Status::Synchronised { by });
        assert!(world.is_covered());
        assert!(matches!(world.reading().bound(), ErrorBound::Within(bound) if bound < MS));
        let knowledge = world.discipline.knowledge();
        assert_eq!(knowledge.to_string(), "NTP 10.0.0.2 (single)");
        let error = knowledge.offset.unwrap() + world.wall_off;
        assert!(error.abs() < TimeDelta::milliseconds(1), "{error}");
        assert_eq!(fitness(&world, TERMS), Ok(()));
    }
}

#[test]
fn a_wall_clock_that_is_far_off_takes_three_answers_two_seconds_apart() {
    for off in [3 * 3600, -3 * 3600, -1_767_268_800] {
        let mut world = World::new(vec![Server::near("a")]);
        world.wall_off = TimeDelta::seconds(off);
        let began = world.utc();
        for agreeing in 1..3 {
            world.live_to_next_round();
            assert_eq!(world.reading().status, Status::Unsynchronised);
            let obstacle = world.discipline.knowledge().obstacle;
            assert!(
                matches!(obstacle, Some(Obstacle::FarOff { agreeing: n, wanted: 3, .. }) if n == agreeing),
                "{obstacle:?}"
            );
        }
        world.live_to_next_round();
        assert_eq!(fitness(&world, TERMS), Ok(()));
        assert!(world.is_covered());
        assert!(world.utc() - began >= TimeDelta::seconds(4));
    }
}

#[test]
fn why_a_far_off_clock_is_not_believed_yet_is_told() {
    let mut world = World::new(vec![Server::near("a")]);
    world.wall_off = TimeDelta::hours(3);
    world.live_to_next_round();
    assert_eq!(
        fitness(&world, TERMS),
        Err(
            "clock unsynchronised: the wall clock would be corrected by -10800 s \
             (1 of 3 answers agree)"
                .to_owned()
        )
    );
}

#[test]
fn answers_that_do_not_agree_do_not_add_up() {
    let mut world = World::new(vec![Server::near("a")]);
    world.wall_off = TimeDelta::hours(3);
    for round in 0..12 {
        world.servers[0].error = TimeDelta::seconds(5 * (round % 2));
        world.live_to_next_round();
        assert_eq!(world.reading().status, Status::Unsynchronised);
    }
    world.live(20 * SECOND);
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

/// The API server's `Date` of now, `off` the truth.
fn date(world: &World, off: TimeDelta) -> Witness {
    Witness::new(world.utc() + off, world.now(), 5 * MS)
}

#[test]
fn a_single_source_is_not_believed_against_the_witness() {
    let mut world = World::new(vec![Server::near("a").off(TimeDelta::hours(3))]);
    let witness = date(&world, TimeDelta::zero());
    world.discipline.hear_witness(witness);
    world.live(60 * SECOND);
    assert_eq!(world.reading().status, Status::Unsynchronised);
    let unfit = fitness(&world, TERMS).unwrap_err();
    assert!(
        unfit.contains("the API server's Date says otherwise"),
        "{unfit}"
    );
    // Nothing but the witness is in the way.
    let witness = date(&world, TimeDelta::hours(3));
    world.discipline.hear_witness(witness);
    world.live(4 * SECOND);
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn a_witness_that_agrees_does_not_stand_in_for_the_three_answers() {
    let mut world = World::new(vec![Server::near("a")]);
    world.wall_off = TimeDelta::hours(3);
    let witness = date(&world, TimeDelta::zero());
    world.discipline.hear_witness(witness);
    world.live_to_next_round();
    assert_eq!(world.reading().status, Status::Unsynchronised);
}

#[test]
fn two_sources_are_each_others_witness() {
    let mut world = World::new(vec![Server::near("a"), Server::near("b")]);
    world.wall_off = TimeDelta::hours(-3);
    let witness = date(&world, TimeDelta::hours(-3));
    world.discipline.hear_witness(witness);
    world.live(20 * SECOND);
    assert_eq!(fitness(&world, TERMS), Ok(()));
    assert!(world.is_covered());
}

#[test]
fn otherwise_the_witness_warns_and_changes_nothing() {
    let cases = [
        (TimeDelta::milliseconds(-900), None),
        (TimeDelta::seconds(1), None),
        (TimeDelta::seconds(2), Some(())),
        (TimeDelta::seconds(-4), Some(())),
    ];
    for (off, warning) in cases {
        let mut world = World::new(vec![Server::near("a")]);
        let witness = date(&world, off);
        world.discipline.hear_witness(witness);
        world.live(SECOND);
        assert_eq!(fitness(&world, TERMS), Ok(()));
        let disagrees = world.discipline.knowledge().witness_disagrees;
        assert_eq!(disagrees.map(|_| ()), warning, "{off}: {disagrees:?}");
        if let Some(disagrees) = disagrees {
            assert_eq!(disagrees > TimeDelta::zero(), off < TimeDelta::zero());
        }
    }
}

#[test]
fn a_server_that_comes_up_later_is_found() {
    let mut world = World::new(vec![Server::near("10.0.0.2")]);
    world.servers[0].down = true;
    world.live(40 * SECOND);
    assert_eq!(world.reading().status, Status::Unsynchronised);
    assert_eq!(
        fitness(&world, TERMS),
        Err("clock unsynchronised: no time source answers; NTP 10.0.0.2: no answer".to_owned())
    );
    world.servers[0].down = false;
    world.live(5 * SECOND);
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn a_source_over_the_budget_does_not_vote_and_is_named_with_its_error() {
    let mut far = Server::near("far");
    far.there.0 = 60 * MS;
    far.back.0 = 60 * MS;
    let mut world = World::new(vec![far]);
    world.live_to_next_round();
    assert_eq!(
        fitness(&world, TERMS),
        Err(
            "clock unsynchronised: no time source is good enough; NTP far: clock error 60.2 ms"
                .to_owned()
        )
    );
    let source = &world.discipline.knowledge().sources[0];
    assert_eq!(source.verdict, Verdict::TooWide);
    world.discipline.set_budget(100 * MS);
    world.live(20 * SECOND);
    let terms = Terms {
        budget: 100 * MS,
        ..TERMS
    };
    assert_eq!(fitness(&world, terms), Ok(()));
}

#[test]
fn noon_is_noon() {
    assert_eq!(noon().to_rfc3339(), "2026-01-01T12:00:00+00:00");
}
