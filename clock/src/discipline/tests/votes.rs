//! Several sources.

use std::time::Duration;

use chrono::TimeDelta;

use super::{
    start::{TERMS, fitness},
    world::{MS, SECOND, Server, World},
};
use crate::{
    SourceKind, Status, Terms, Verdict,
    discipline::{Answers, Heard, Purpose, Round},
    wall::WallReading,
};

fn named(names: &[&str]) -> Vec<Server> {
    names.iter().map(|name| Server::near(name)).collect()
}

fn verdicts(world: &World) -> Vec<(&str, Verdict)> {
    let sources = world.discipline.knowledge().sources.iter();
    sources
        .map(|source| (source.name.as_str(), source.verdict))
        .collect()
}

#[test]
fn the_majority_is_used_and_named() {
    let mut world = World::new(named(&["10.0.0.2", "10.0.0.3"]));
    world.live(SECOND);
    assert_eq!(
        world.discipline.knowledge().to_string(),
        "NTP 10.0.0.2, 10.0.0.3"
    );
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn sources_are_told_of_in_the_order_of_their_names() {
    let mut world = World::new(named(&["c", "a", "b"]));
    world.live(20 * SECOND);
    assert_eq!(world.discipline.knowledge().to_string(), "NTP a, b, c");
}

#[test]
fn one_of_three_that_lies_is_outvoted_and_named() {
    for off in [5_000, -5_000, 400] {
        let mut world = World::new(named(&["a", "b", "c"]));
        world.servers[1].error = TimeDelta::milliseconds(off);
        world.live(SECOND);
        assert!(world.is_covered());
        assert_eq!(world.discipline.knowledge().to_string(), "NTP a, c");
        let Verdict::Falseticker { by } = world.discipline.knowledge().sources[1].verdict else {
            panic!("{:?}", verdicts(&world));
        };
        assert!((by - TimeDelta::milliseconds(off)).abs() < TimeDelta::milliseconds(1));
        assert_eq!(fitness(&world, TERMS), Ok(()));
    }
}

/// What servers that are so many milliseconds off have said, while others are still awaited, and
/// whether a clock that knew nothing is synchronised by that.
fn said_so_far(world: &mut World, off_ms: &[i64], awaited: usize) -> bool {
    let servers = ["a", "b", "c", "d"].into_iter().zip(off_ms);
    let heard = servers.map(|(name, off)| Heard {
        name: name.to_owned(),
        ..ntp(world, TimeDelta::milliseconds(*off))
    });
    let answers = Answers {
        heard: heard.collect(),
        awaited,
        nobody_else: false,
    };
    let end = WallReading {
        at: world.now(),
        wall: world.utc(),
        width: Duration::ZERO,
    };
    world.discipline.hear_so_far(&Round { end, answers })
}

#[test]
fn a_majority_of_all_that_are_asked_needs_not_wait_for_the_others() {
    for (off_ms, awaited, enough) in [
        (&[0][..], 0, true),
        (&[0], 1, false),
        (&[0], 2, false),
        (&[0, 0], 1, true),
        (&[0, 0], 2, false),
        (&[0, 0, 0], 1, true),
        (&[0, 5_000], 1, false),
        (&[0, 5_000, 0], 1, false),
        (&[0, 5_000, 0, 0], 1, true),
    ] {
        let mut world = World::new(Vec::new());
        let told = said_so_far(&mut world, off_ms, awaited);
        assert_eq!(told, enough, "{off_ms:?}, {awaited} awaited");
        let by = SourceKind::Ntp;
        let known = world.reading().status == Status::Synchronised { by };
        assert_eq!(known, enough);
        assert!(!known || world.is_covered());
        // It is heard once; the whole round comes later.
        assert!(!enough || !said_so_far(&mut world, off_ms, awaited));
    }
}

#[test]
fn one_that_comes_later_and_lies_changes_nothing_of_what_a_majority_said() {
    let mut world = World::new(named(&["a", "b", "c"]));
    world.servers[2].error = TimeDelta::seconds(5);
    assert!(said_so_far(&mut world, &[0, 0], 1));
    world.run(2 * SECOND);
    world.hold_a_round(Purpose::Start);
    let told: Vec<_> = verdicts(&world).into_iter().take(2).collect();
    assert_eq!(told, [("a", Verdict::Used), ("b", Verdict::Used)]);
    assert!(matches!(verdicts(&world)[2].1, Verdict::Falseticker { .. }));
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn two_of_four_that_lie_leave_no_majority_and_no_average() {
    let mut world = World::new(named(&["a", "b", "c", "d"]));
    for liar in 0..2 {
        world.servers[liar].error = TimeDelta::seconds(5);
    }
    world.live(SECOND);
    assert_eq!(world.reading().status, Status::Unsynchronised);
    assert!(
        verdicts(&world)
            .iter()
            .all(|(_, verdict)| *verdict == Verdict::NoMajority)
    );
    let unfit = fitness(&world, TERMS).unwrap_err();
    assert!(
        unfit.starts_with("clock unsynchronised: no majority of the time sources agrees; NTP a: "),
        "{unfit}"
    );
}

/// One that smears a leap second and one that does not.
#[test]
fn two_sources_that_are_400_ms_apart_are_no_majority() {
    let mut world = World::new(named(&["smears", "leaps"]));
    world.servers[0].error = TimeDelta::milliseconds(400);
    world.live(120 * SECOND);
    assert_eq!(world.reading().status, Status::Unsynchronised);
}

#[test]
fn a_majority_that_comes_about_later_is_found() {
    let mut world = World::new(named(&["a", "b"]));
    world.servers[0].error = TimeDelta::seconds(5);
    world.live(SECOND);
    assert_eq!(world.reading().status, Status::Unsynchronised);
    world.servers[0].error = TimeDelta::zero();
    world.live(20 * SECOND);
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn a_source_that_stops_answering_votes_on_by_what_it_said() {
    let mut world = World::new(named(&["a", "b", "c"]));
    world.servers[2].error = TimeDelta::seconds(5);
    world.live(SECOND);
    world.servers[1].down = true;
    world.live(20 * SECOND);
    assert_eq!(world.discipline.knowledge().to_string(), "NTP a, b");
    assert!(!world.discipline.knowledge().sources[1].answered);
    assert!(world.is_covered());
    assert_eq!(fitness(&world, TERMS), Ok(()));
}

#[test]
fn without_answers_the_bound_grows_until_the_clock_is_unfit() {
    let mut world = World::new(named(&["10.0.0.2"]));
    world.rate = 499_000;
    world.live(SECOND);
    world.servers[0].down = true;
    world.live(60 * SECOND);
    assert!(world.is_covered());
    let by = SourceKind::Ntp;
    assert!(matches!(world.reading().status, Status::FreeRunning { by: b, .. } if b == by));
    assert_eq!(
        world.discipline.knowledge().to_string(),
        "NTP 10.0.0.2 (single), free running since 12:00:00Z"
    );
    assert_eq!(fitness(&world, TERMS), Ok(()));
    world.live(60 * SECOND);
    assert!(world.is_covered());
    let unfit = fitness(&world, TERMS).unwrap_err();
    assert!(unfit.starts_with("clock error 60."), "{unfit}");
    assert!(
        unfit.ends_with(" ms > 50 ms; NTP 10.0.0.2: no answer"),
        "{unfit}"
    );
}

#[test]
fn the_smaller_of_two_budgets_rules() {
    let terms = |budget| TERMS.within(budget).budget;
    assert_eq!(terms(None), 50 * MS);
    assert_eq!(terms(Some(20 * MS)), 20 * MS);
    assert_eq!(terms(Some(80 * MS)), 50 * MS);
}

/// What the kernel says now, `off` the truth, to within 20 ms.
fn kernel(world: &World, off: TimeDelta) -> Heard {
    let mut sample = world.sample_of(&Server::near("kernel").off(off));
    sample.bound = 20 * MS;
    Heard {
        name: "kernel".to_owned(),
        kind: SourceKind::Kernel,
        samples: vec![sample],
        troubles: None,
    }
}

fn ntp(world: &World, off: TimeDelta) -> Heard {
    Heard {
        name: "a".to_owned(),
        kind: SourceKind::Ntp,
        samples: vec![world.sample_of(&Server::near("a").off(off))],
        troubles: None,
    }
}

const NO_NTP: Terms = TERMS;
const NTP: Terms = Terms {
    require_ntp: true,
    ..TERMS
};

#[test]
fn the_kernel_is_believed_where_there_is_nobody_else_unless_ntp_is_required() {
    let mut world = World::new(Vec::new());
    let heard = kernel(&world, TimeDelta::zero());
    world.hear(Purpose::Start, vec![heard]);
    let by = SourceKind::Kernel;
    assert_eq!(world.reading().status, Status::Synchronised { by });
    assert_eq!(
        world.discipline.knowledge().to_string(),
        "kernel, unverified"
    );
    assert_eq!(fitness(&world, NO_NTP), Ok(()));
    assert_eq!(
        fitness(&world, NTP),
        Err("NTP is required, and the time is from: kernel, unverified; set --ntp HOST to name a time server".to_owned())
    );
}

#[test]
fn ntp_replaces_the_kernel_without_a_doubt_even_where_they_differ() {
    let mut world = World::new(Vec::new());
    let heard = kernel(&world, TimeDelta::seconds(300));
    world.hear(Purpose::Start, vec![heard]);
    world.run(16 * SECOND);
    let heard = ntp(&world, TimeDelta::zero());
    world.hear(Purpose::Waiting, vec![heard]);
    assert_eq!(fitness(&world, NTP), Ok(()));
    assert!(world.is_covered());
}

#[test]
fn who_is_no_source_any_more_is_forgotten() {
    let mut world = World::new(Vec::new());
    let heard = kernel(&world, TimeDelta::zero());
    world.hear(Purpose::Start, vec![heard]);
    world.run(16 * SECOND);
    let end = WallReading {
        at: world.now(),
        wall: world.utc(),
        width: Duration::ZERO,
    };
    let answers = Answers {
        heard: vec![ntp(&world, TimeDelta::zero())],
        awaited: 0,
        nobody_else: true,
    };
    let round = Round { end, answers };
    world.discipline.hear(Purpose::Waiting, &round, 0.5);
    assert_eq!(verdicts(&world), [("a", Verdict::Used)]);
}

#[test]
fn in_the_last_second_by_the_kernels_time_ntp_does_not_replace_it_either() {
    let mut world = World::new(Vec::new());
    let heard = kernel(&world, TimeDelta::zero());
    world.hear(Purpose::Start, vec![heard]);
    let instant = world.utc() + TimeDelta::seconds(20);
    world.discipline.set_instant(instant, 0.5);
    world.run_until(instant - TimeDelta::milliseconds(500));
    let anchor = world.discipline.anchor();
    let heard = ntp(&world, TimeDelta::seconds(-300));
    world.hear(Purpose::Final, vec![heard]);
    assert_eq!(world.discipline.anchor(), anchor);
}

#[test]
fn the_kernel_neither_votes_beside_ntp_nor_contradicts_it() {
    let mut world = World::new(Vec::new());
    let both = |world: &World| {
        vec![
            kernel(world, TimeDelta::seconds(300)),
            ntp(world, TimeDelta::zero()),
        ]
    };
    let heard = both(&world);
    world.hear(Purpose::Start, heard);
    assert_eq!(
        verdicts(&world),
        [("a", Verdict::Used), ("kernel", Verdict::NotNeeded)]
    );
    // The one NTP source is silent for so long that it does not vote any more.
    for _ in 0..20 {
        world.run(16 * SECOND);
        let heard = kernel(&world, TimeDelta::seconds(300));
        world.hear(Purpose::Waiting, vec![heard]);
    }
    assert!(matches!(
        world.reading().status,
        Status::FreeRunning {
            by: SourceKind::Ntp,
            ..
        }
    ));
    assert!(world.is_covered());
}
