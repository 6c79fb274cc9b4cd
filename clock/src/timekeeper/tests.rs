use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use chrono::TimeDelta;

use super::*;
use crate::{
    Closing, MachineTimebase, SourceKind, Status,
    discipline::Heard,
    ntp::{Leap, Sample},
};

const BUDGET: Duration = Duration::from_millis(50);

/// Generous: other tests run beside these, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn answers(heard: Vec<Heard>) -> Answers {
    Answers {
        heard,
        awaited: 0,
        nobody_else: false,
    }
}

/// A server on this machine that is `off` its wall clock, and counts the rounds.
fn server(off: TimeDelta, rounds: &Arc<AtomicU32>) -> Ask {
    let rounds = Arc::clone(rounds);
    Box::new(move |clock, _, _, _, _| {
        rounds.fetch_add(1, Ordering::SeqCst);
        let wall = WallReading::take(clock.timebase());
        let bound = Duration::from_millis(1);
        answers(vec![Heard {
            name: "server".to_owned(),
            kind: SourceKind::Ntp,
            samples: vec![Sample {
                at: wall.at,
                utc: wall.wall + off,
                bound,
                round_trip: bound,
                root_delay: Duration::ZERO,
                root_dispersion: Duration::ZERO,
                stratum: 1,
                leap: Leap::None,
            }],
            troubles: None,
        }])
    })
}

/// A timekeeper that asks `ask`, and word of every change.
fn keep(ask: Ask) -> (Clock, Timekeeper, Receiver<()>) {
    let (commands, told) = mpsc::channel();
    let (change, changes) = mpsc::channel();
    let cancel = Cancel::new();
    let clock = Clock::unsynchronised(MachineTimebase);
    let mut keeping = Keeping::new(clock.clone(), ask, BUDGET, cancel.clone());
    thread::spawn(move || {
        keeping.go_on(&told, &move || {
            // The test may be over.
            let _ = change.send(());
        });
    });
    (clock, Timekeeper { commands, cancel }, changes)
}

fn wait_until(changes: &Receiver<()>, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        changes.recv_timeout(PATIENCE).expect("it changes in time");
        assert!(began.elapsed() < PATIENCE);
    }
}

/// Sets an instant so soon that it is measured for at once, unless this machine
/// is so busy that its last second has come by then.
fn measure_for_an_instant(
    clock: &Clock,
    keeper: &Timekeeper,
    changes: &Receiver<()>,
    done: impl Fn() -> bool,
) {
    wait_until(changes, || {
        let done = done();
        if !done {
            keeper.instant_set(clock.now().midpoint() + Duration::from_millis(2_900));
        }
        done
    });
}

#[test]
fn from_the_start_to_the_closing_round() {
    let rounds = Arc::default();
    let off = TimeDelta::seconds(420);
    let (clock, keeper, changes) = keep(server(off, &rounds));
    let by = SourceKind::Ntp;
    let synchronised = || clock.now().status == Status::Synchronised { by };
    wait_until(&changes, synchronised);
    let wall = WallReading::take(&MachineTimebase);
    let ahead = clock.reading_at(wall.at).midpoint() - wall.wall;
    assert!((ahead - off).abs() < TimeDelta::milliseconds(10), "{ahead}");
    assert_eq!(rounds.load(Ordering::SeqCst), 1);

    measure_for_an_instant(&clock, &keeper, &changes, || {
        rounds.load(Ordering::SeqCst) > 1
    });

    let at = clock.moment();
    keeper.fired(at);
    let closing = || clock.knowledge().firing.map(|firing| firing.closing);
    wait_until(&changes, || closing() == Some(Closing::Confirmed));
    let firing = clock.knowledge().firing.expect("there was one");
    assert!(firing.bound <= Duration::from_millis(5));
}

#[test]
fn the_budget_counts_from_the_next_round_on() {
    let rounds = Arc::default();
    let (clock, keeper, changes) = keep(server(TimeDelta::zero(), &rounds));
    keeper.budget(Duration::from_micros(1));
    measure_for_an_instant(&clock, &keeper, &changes, || {
        clock.knowledge().obstacle.is_some()
    });
}

#[test]
fn without_a_timekeeper_nobody_is_asked_any_more() {
    let (alive, ended) = mpsc::channel::<()>();
    let mut ask = server(TimeDelta::zero(), &Arc::default());
    let (_, keeper, changes) = keep(Box::new(move |clock, occasion, budget, cancel, so_far| {
        let _ = &alive;
        ask(clock, occasion, budget, cancel, so_far)
    }));
    changes.recv_timeout(PATIENCE).expect("it is measured");
    drop(keeper);
    let end = ended.recv_timeout(PATIENCE);
    assert_eq!(end, Err(RecvTimeoutError::Disconnected));
}

#[test]
fn where_nothing_is_to_be_measured_the_wall_clock_is_taken_at_its_word() {
    let (clock, keeper) =
        start(MachineTimebase, &NtpSetting::None, BUDGET, || {}).expect("it starts");
    keeper.instant_set(clock.now().midpoint());
    keeper.fired(clock.moment());
    assert_eq!(clock.now().status, Status::SystemClock);
    assert_eq!(clock.knowledge().to_string(), "system clock");
    let clock = measure(MachineTimebase, &NtpSetting::None, BUDGET);
    assert_eq!(clock.now().status, Status::SystemClock);
}

#[test]
fn one_measurement_is_one_round_where_there_is_no_doubt() {
    let rounds = Arc::default();
    let clock = Clock::unsynchronised(MachineTimebase);
    let ask = server(TimeDelta::seconds(-7), &rounds);
    Keeping::new(clock.clone(), ask, BUDGET, Cancel::new()).settle();
    assert_eq!(rounds.load(Ordering::SeqCst), 1);
    let by = SourceKind::Ntp;
    assert_eq!(clock.now().status, Status::Synchronised { by });
}

#[test]
fn a_measurement_that_nobody_answers_ends() {
    let clock = Clock::unsynchronised(MachineTimebase);
    let ask: Ask = Box::new(|_, _, _, _, _| answers(Vec::new()));
    Keeping::new(clock.clone(), ask, BUDGET, Cancel::new()).settle();
    assert_eq!(clock.now().status, Status::Unsynchronised);
}
