use std::{
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::{
    Knowledge, MachineTimebase, Raw, Status, Timebase,
    anchor::Anchor,
    discipline::{Fix, Interval},
    ntp::Leap,
    simulation::{Event, SimulatedTimebase},
};

const START: DateTime<Utc> = DateTime::UNIX_EPOCH;
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// How late a waiter is on a simulated machine that wakes up on time: the few
/// readings that it takes to notice.
const PROMPT: TimeDelta = TimeDelta::microseconds(2);

struct Waited {
    outcome: Outcome,
    /// True time minus the instant, when the wait ended.
    late: TimeDelta,
}

/// Waits on `machine` for the instant `ahead` of its start.
fn wait_on(
    machine: &SimulatedTimebase,
    ahead: Duration,
    spin: Duration,
    cancel: &Cancel,
) -> Waited {
    let clock = Clock::system(machine.clone());
    let outcome = wait_until(&clock, START + ahead, spin, cancel);
    Waited {
        outcome,
        late: machine.true_elapsed() - span::signed(ahead),
    }
}

fn wait(machine: &SimulatedTimebase, ahead: Duration) -> Waited {
    wait_on(machine, ahead, DEFAULT_SPIN, &Cancel::new())
}

fn machine() -> SimulatedTimebase {
    SimulatedTimebase::at(START)
}

#[track_caller]
fn assert_on_time(waited: &Waited) {
    assert!(
        (TimeDelta::zero()..PROMPT).contains(&waited.late),
        "{} late",
        waited.late
    );
}

#[track_caller]
fn noticed(waited: &Waited) -> &[Disturbance] {
    let Outcome::Reached { noticed } = &waited.outcome else {
        panic!("{:?}", waited.outcome);
    };
    noticed
}

#[test]
fn an_undisturbed_wait_ends_at_the_instant() {
    for spin in [Duration::ZERO, MS / 10, MS, 2 * MS] {
        let waited = wait_on(&machine(), 600 * SECOND, spin, &Cancel::new());
        assert_eq!(noticed(&waited), []);
        assert_on_time(&waited);
    }
}

#[test]
fn a_step_of_the_wall_clock_is_reported_and_does_not_move_the_instant() {
    for step in [2, -2, 3600, -3600].map(TimeDelta::seconds) {
        let machine = machine();
        machine.after(30 * SECOND, Event::WallStep(step));
        let waited = wait(&machine, 60 * SECOND);
        let [Disturbance::WallStepped { by }] = noticed(&waited) else {
            panic!("{:?}", waited.outcome);
        };
        assert!((*by - step).abs() < TimeDelta::milliseconds(1), "{by}");
        assert_on_time(&waited);
    }
}

#[test]
fn a_step_in_the_spin_is_reported_and_does_not_move_the_instant() {
    for step in [2, -2, 3600, -3600].map(TimeDelta::seconds) {
        let machine = machine();
        machine.after(SECOND - MS / 2, Event::WallStep(step));
        let waited = wait(&machine, SECOND);
        assert!(matches!(
            noticed(&waited),
            [Disturbance::WallStepped { .. }]
        ));
        assert_on_time(&waited);
    }
}

#[test]
fn a_slew_changes_nothing() {
    for ppm in [83_333, -83_333, 100_000, -100_000] {
        let machine = machine();
        machine.after(SECOND, Event::Slew { ppm });
        let waited = wait(&machine, 60 * SECOND);
        assert_eq!(noticed(&waited), []);
        assert_on_time(&waited);
    }
}

#[test]
fn a_slew_without_a_spin_costs_a_tenth_of_a_millisecond_at_most() {
    for ppm in [83_333, -83_333, 100_000, -100_000] {
        let machine = machine();
        machine.after(SECOND, Event::Slew { ppm });
        let waited = wait_on(&machine, 60 * SECOND, Duration::ZERO, &Cancel::new());
        assert!(waited.late >= TimeDelta::zero());
        assert!(
            waited.late <= TimeDelta::microseconds(112),
            "{}",
            waited.late
        );
    }
}

#[test]
fn a_suspend_before_the_instant_is_reported_and_does_not_move_it() {
    let machine = machine();
    let asleep = 300 * SECOND;
    machine.after(10 * SECOND, Event::Suspend(asleep));
    let waited = wait(&machine, 600 * SECOND);
    assert_eq!(noticed(&waited), [Disturbance::Suspended { asleep }]);
    assert_on_time(&waited);
}

#[test]
fn a_suspend_across_the_instant_ends_late_and_the_clock_says_how_late() {
    let machine = machine();
    let asleep = 300 * SECOND;
    machine.after(59 * SECOND, Event::Suspend(asleep));
    let clock = Clock::system(machine.clone());
    let instant = START + 60 * SECOND;
    let outcome = wait_until(&clock, instant, DEFAULT_SPIN, &Cancel::new());

    let noticed = vec![Disturbance::Suspended { asleep }];
    assert_eq!(outcome, Outcome::Reached { noticed });
    let late = clock.now().midpoint() - instant;
    let true_late = machine.true_elapsed() - TimeDelta::seconds(60);
    assert!((late - true_late).abs() < PROMPT, "{late}");
    // It woke 299 s too late, in the middle of a slice.
    assert!(late >= TimeDelta::seconds(299));
    assert!(late <= TimeDelta::milliseconds(299_250), "{late}");
}

#[test]
fn a_suspend_in_the_spin_ends_late_and_is_reported() {
    let machine = machine();
    let asleep = 300 * SECOND;
    machine.after(SECOND - MS / 2, Event::Suspend(asleep));
    let waited = wait(&machine, SECOND);
    assert_eq!(noticed(&waited), [Disturbance::Suspended { asleep }]);
    assert!(waited.late >= span::signed(asleep - MS), "{}", waited.late);
    assert!(waited.late <= span::signed(asleep + MS), "{}", waited.late);
}

/// A machine on which somebody anchors the clock anew after every sleep.
#[derive(Clone)]
struct Reanchoring {
    machine: SimulatedTimebase,
    clock: Arc<OnceLock<Clock>>,
}

impl Timebase for Reanchoring {
    fn raw(&self) -> Raw {
        self.machine.raw()
    }

    fn wall(&self) -> DateTime<Utc> {
        self.machine.wall()
    }

    fn suspended(&self) -> TimeDelta {
        self.machine.suspended()
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) {
        self.machine.sleep(duration, cancel);
        if let Some(clock) = self.clock.get() {
            clock.anchor_again();
        }
    }
}

#[test]
fn what_the_clock_learns_in_mid_wait_moves_the_end_of_it() {
    for (step, ran) in [(10, 50), (-10, 70)] {
        let machine = machine();
        let timebase = Reanchoring {
            machine: machine.clone(),
            clock: Arc::default(),
        };
        let clock = Clock::system(timebase.clone());
        assert!(timebase.clock.set(clock.clone()).is_ok());
        machine.after(30 * SECOND, Event::WallStep(TimeDelta::seconds(step)));
        wait_until(&clock, START + 60 * SECOND, DEFAULT_SPIN, &Cancel::new());
        let off = machine.true_elapsed() - TimeDelta::seconds(ran);
        assert!(off.abs() < TimeDelta::microseconds(10), "{off}");
    }
}

/// One answer an hour off, either way, is all that it takes to be in doubt.
#[test]
fn a_doubt_does_not_move_the_end_of_the_wait() {
    for off in [3600, -3600].map(TimeDelta::seconds) {
        let machine = machine();
        let clock = Clock::system(machine.clone());
        let at = clock.moment();
        let before = Fix {
            at,
            interval: Interval::around(clock.reading_at(at).midpoint(), MS),
            leap: Leap::None,
        };
        let wrong = Interval::around(before.interval.midpoint() + off, MS);
        let hull = Fix {
            interval: before.interval.hull(wrong),
            ..before
        };
        let knowledge = Knowledge::clone(&clock.knowledge());
        clock.learn(Anchor::InDoubt { hull, before }, knowledge);
        wait_until(&clock, START + 60 * SECOND, DEFAULT_SPIN, &Cancel::new());
        let late = machine.true_elapsed() - TimeDelta::seconds(60);
        assert!(late.abs() < TimeDelta::microseconds(10), "{late}");
        assert_eq!(clock.now().status, Status::InDoubt);
    }
}

#[test]
fn an_instant_that_is_past_is_reached_at_once() {
    for past in [
        START,
        START - TimeDelta::milliseconds(10),
        START - TimeDelta::minutes(10),
        DateTime::<Utc>::MIN_UTC,
    ] {
        let machine = machine();
        let clock = Clock::system(machine.clone());
        let outcome = wait_until(&clock, past, DEFAULT_SPIN, &Cancel::new());
        assert_eq!(outcome, Outcome::Reached { noticed: vec![] });
        assert!(machine.sleeps().is_empty());
        assert!(machine.true_elapsed() < PROMPT);
    }
}

#[test]
fn a_cancel_ends_the_wait_in_every_phase_of_it() {
    let slept_through = 60 * SECOND;
    for at in [
        Duration::ZERO,
        30 * SECOND,
        slept_through - 2 * MS,
        slept_through - MS / 2,
    ] {
        let machine = machine();
        let cancel = Cancel::new();
        machine.after(at, Event::Cancel(cancel.clone()));
        let waited = wait_on(&machine, slept_through, DEFAULT_SPIN, &cancel);
        assert_eq!(waited.outcome, Outcome::Cancelled, "cancelled at {at:?}");
        let took = machine.true_elapsed() - span::signed(at);
        assert!(took <= TimeDelta::milliseconds(1), "{took} to end");
    }
}

#[test]
fn a_wait_that_is_cancelled_beforehand_never_reaches_even_a_past_instant() {
    let cancel = Cancel::new();
    cancel.cancel();
    for ahead in [Duration::ZERO, 60 * SECOND] {
        let waited = wait_on(&machine(), ahead, DEFAULT_SPIN, &cancel);
        assert_eq!(waited.outcome, Outcome::Cancelled);
    }
}

#[test]
fn an_instant_beyond_the_calendar_can_be_waited_for_and_cancelled() {
    let machine = machine();
    let cancel = Cancel::new();
    machine.after(3600 * SECOND, Event::Cancel(cancel.clone()));
    let clock = Clock::system(machine.clone());
    let outcome = wait_until(&clock, DateTime::<Utc>::MAX_UTC, DEFAULT_SPIN, &cancel);
    assert_eq!(outcome, Outcome::Cancelled);
}

#[test]
fn a_spin_longer_than_the_longest_is_cut() {
    let machine = machine();
    let waited = wait_on(&machine, SECOND, SECOND, &Cancel::new());
    assert_on_time(&waited);
    let slept: Duration = machine.sleeps().iter().sum();
    assert!(
        SECOND - slept <= MAX_SPIN + MS / 100,
        "slept only {slept:?}"
    );
}

#[test]
fn ten_minutes_are_waited_out_in_four_looks_a_second() {
    let machine = machine();
    wait(&machine, 600 * SECOND);
    let looks = machine.sleeps().len();
    assert!(looks <= 600 * 4 + 8, "{looks} looks");
}

fn events() -> impl Strategy<Value = Event> {
    let sleep = (1..600_u64).prop_map(|s| Event::Suspend(Duration::from_secs(s)));
    let step =
        (-4_000_000..4_000_000_i64).prop_map(|ms| Event::WallStep(TimeDelta::milliseconds(ms)));
    let slew = (-100_000..=100_000).prop_map(|ppm| Event::Slew { ppm });
    let freeze = (0..200_000_u64).prop_map(|us| Event::Freeze(Duration::from_micros(us)));
    prop_oneof![sleep, step, slew, freeze]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However the machine oversleeps, freezes, is suspended, stepped and
    /// slewed: the wait ends, never early, and late only by what held it up.
    #[test]
    fn no_wait_ends_early_and_every_wait_ends(
        ahead_us in 0..20_000_000_u64,
        spin_us in 0..2_500_u64,
        oversleeps_us in prop::collection::vec(0..3_000_u64, 0..200),
        happening in prop::collection::vec((0..20_000_000_u64, events()), 0..8),
    ) {
        let machine = machine();
        let clock = Clock::system(machine.clone());
        machine.oversleep(oversleeps_us.into_iter().map(Duration::from_micros));
        // Time that passes while this process cannot do anything about it.
        let mut held_up = TimeDelta::milliseconds(4);
        for (at_us, event) in happening {
            if let Event::Suspend(lost) | Event::Freeze(lost) = &event {
                // After a suspend the slice that it fell into is slept out.
                held_up += span::signed(*lost + 280 * MS);
            }
            machine.after(Duration::from_micros(at_us), event);
        }
        let instant = START + Duration::from_micros(ahead_us);

        let outcome = wait_until(&clock, instant, Duration::from_micros(spin_us), &Cancel::new());

        prop_assert!(matches!(outcome, Outcome::Reached { .. }), "{outcome:?}");
        let late = machine.true_elapsed() - (instant - START);
        prop_assert!(late >= TimeDelta::zero(), "{late}");
        prop_assert!(late <= held_up, "{late} > {held_up}");
        let lateness = clock.now().midpoint() - instant;
        prop_assert!((lateness - late).abs() < PROMPT, "{lateness} is not {late}");
    }
}

#[test]
fn on_this_machine_a_wait_is_never_early_and_ends() {
    for spin in [Duration::ZERO, DEFAULT_SPIN] {
        let clock = Clock::system(MachineTimebase);
        let began = Instant::now();
        let instant = clock.now().midpoint() + 50 * MS;
        let outcome = wait_until(&clock, instant, spin, &Cancel::new());
        assert!(matches!(outcome, Outcome::Reached { .. }));
        assert!(clock.now().midpoint() >= instant);
        // Generous: other tests run beside this one, on a busy machine.
        assert!(began.elapsed() < 60 * SECOND);
    }
}

#[test]
fn on_this_machine_a_cancel_wakes_the_waiting_thread() {
    let clock = Clock::system(MachineTimebase);
    let cancel = Cancel::new();
    let began = Instant::now();
    let instant = clock.now().midpoint() + 3600 * SECOND;
    let waiting = thread::spawn({
        let cancel = cancel.clone();
        move || wait_until(&clock, instant, DEFAULT_SPIN, &cancel)
    });
    cancel.cancel();
    assert_eq!(waiting.join().ok(), Some(Outcome::Cancelled));
    assert!(began.elapsed() < 60 * SECOND);
}
