//! A simulated machine, whose time passes only when it is asked to, and to
//! which anything may happen.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Cancel, Raw, Timebase, span};

/// What each reading of a clock takes, as on a real machine; so a spin ends.
const READING: Duration = Duration::from_nanos(25);

/// Where the simulated `CLOCK_MONOTONIC_RAW` starts: it has no meaning, so not 0.
const UPTIME: Duration = Duration::from_secs(86_400);

const MILLION: i128 = 1_000_000;

/// Something that happens to a simulated machine.
#[derive(Debug, Clone)]
pub enum Event {
    /// The wall clock is set, forward if positive.
    WallStep(TimeDelta),
    /// From now on the wall clock and `CLOCK_MONOTONIC` run this many parts in a
    /// million faster than `CLOCK_MONOTONIC_RAW`.
    Slew {
        /// −100,000 to 100,000.
        ppm: i32,
    },
    /// The machine is suspended.
    Suspend(Duration),
    /// The process does not get a core for this long.
    Freeze(Duration),
    /// Somebody calls the wait off.
    Cancel(Cancel),
}

/// A machine of a test's own. Clones are the same machine.
#[derive(Debug, Clone)]
pub struct SimulatedTimebase {
    machine: Arc<Mutex<Machine>>,
}

#[derive(Debug)]
struct Machine {
    /// Time run, by `CLOCK_MONOTONIC_RAW`, since the simulation began.
    ran: Duration,
    suspended: Duration,
    /// The wall clock when its rate last changed, and when that was.
    wall: DateTime<Utc>,
    wall_set_at: Duration,
    slew_ppm: i32,
    /// What is going to happen, by the time run.
    ahead: Vec<(Duration, Event)>,
    oversleeps: VecDeque<Duration>,
    sleeps: Vec<Duration>,
}

impl SimulatedTimebase {
    /// A machine whose wall clock shows `wall`.
    pub fn at(wall: DateTime<Utc>) -> Self {
        Self {
            machine: Arc::new(Mutex::new(Machine {
                ran: Duration::ZERO,
                suspended: Duration::ZERO,
                wall,
                wall_set_at: Duration::ZERO,
                slew_ppm: 0,
                ahead: Vec::new(),
                oversleeps: VecDeque::new(),
                sleeps: Vec::new(),
            })),
        }
    }

    /// Lets `event` happen now.
    pub fn happens(&self, event: Event) {
        self.after(Duration::ZERO, event);
        self.advance(Duration::ZERO);
    }

    /// Lets `event` happen once the machine has run for `delay` from now.
    pub fn after(&self, delay: Duration, event: Event) {
        let mut machine = self.lock();
        let due = machine.ran + delay;
        let place = machine.ahead.partition_point(|(other, _)| *other <= due);
        machine.ahead.insert(place, (due, event));
    }

    /// Makes the coming sleeps, one after the other, end this much late; those
    /// after them end on time.
    pub fn oversleep(&self, by: impl IntoIterator<Item = Duration>) {
        self.lock().oversleeps.extend(by);
    }

    /// Lets the machine run for `duration`.
    pub fn advance(&self, duration: Duration) {
        self.lock().run(duration);
    }

    /// The time that has truly passed since the simulation began, suspends
    /// included.
    pub fn true_elapsed(&self) -> TimeDelta {
        let machine = self.lock();
        span::signed(machine.ran + machine.suspended)
    }

    /// How long each sleep so far was asked to be.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.lock().sleeps.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    /// Runs for `duration`, and longer where the process is frozen.
    fn run(&mut self, duration: Duration) {
        let end = self.ran + duration;
        loop {
            self.run_to_next_event(end.saturating_sub(self.ran));
            if self.ran >= end && self.ahead.first().is_none_or(|(due, _)| *due > self.ran) {
                break;
            }
        }
    }

    /// Runs for `at_most`, or until after the next event if that comes first.
    fn run_to_next_event(&mut self, at_most: Duration) {
        let end = self.ran + at_most;
        match self.ahead.first() {
            Some((due, _)) if *due <= end => {
                let (due, event) = self.ahead.remove(0);
                self.ran = self.ran.max(due);
                self.apply(event);
            }
            _ => self.ran = end,
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::WallStep(by) => self.set_wall(span::after(self.wall(), by)),
            Event::Slew { ppm } => {
                self.set_wall(self.wall());
                self.slew_ppm = ppm;
            }
            Event::Suspend(asleep) => {
                self.suspended += asleep;
                self.set_wall(span::after(self.wall(), span::signed(asleep)));
            }
            Event::Freeze(frozen) => self.ran += frozen,
            Event::Cancel(cancel) => cancel.cancel(),
        }
    }

    fn set_wall(&mut self, wall: DateTime<Utc>) {
        self.wall = wall;
        self.wall_set_at = self.ran;
    }

    fn wall(&self) -> DateTime<Utc> {
        let shown = self.slewed(self.ran - self.wall_set_at);
        span::after(self.wall, span::signed(shown))
    }

    /// What the slewed clocks count while the machine runs for `ran`.
    fn slewed(&self, ran: Duration) -> Duration {
        scaled(ran, MILLION + i128::from(self.slew_ppm), MILLION)
    }

    /// How long the machine runs while the slewed clocks count `shown`.
    fn unslewed(&self, shown: Duration) -> Duration {
        scaled(shown, MILLION, MILLION + i128::from(self.slew_ppm))
    }
}

/// `duration` × `numerator` / `denominator`, rounded up to a nanosecond.
fn scaled(duration: Duration, numerator: i128, denominator: i128) -> Duration {
    let nanoseconds = duration.as_nanos().cast_signed() * numerator;
    let nanoseconds = (nanoseconds + denominator - 1) / denominator;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

impl Timebase for SimulatedTimebase {
    fn raw(&self) -> Raw {
        let mut machine = self.lock();
        machine.run(READING);
        Raw::new(UPTIME + machine.ran)
    }

    fn wall(&self) -> DateTime<Utc> {
        let mut machine = self.lock();
        machine.run(READING);
        machine.wall()
    }

    fn suspended(&self) -> TimeDelta {
        let mut machine = self.lock();
        machine.run(READING);
        span::signed(machine.suspended)
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) {
        let mut machine = self.lock();
        machine.sleeps.push(duration);
        let mut left = duration;
        while !left.is_zero() && !cancel.is_cancelled() {
            let began = machine.ran;
            let rest = machine.unslewed(left);
            let rate = machine.slew_ppm;
            machine.run_to_next_event(rest);
            let ran = machine.ran - began;
            left = if ran >= rest {
                Duration::ZERO
            } else {
                let passed = scaled(ran, MILLION + i128::from(rate), MILLION);
                left.saturating_sub(passed)
            };
        }
        if !cancel.is_cancelled()
            && let Some(late) = machine.oversleeps.pop_front()
        {
            machine.run(late);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ran(machine: &SimulatedTimebase) -> Duration {
        span::positive(machine.true_elapsed())
    }

    #[test]
    fn a_sleep_on_a_fast_clock_is_short_and_on_a_slow_one_long() {
        for ppm in [100_000, -50_000] {
            let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
            machine.happens(Event::Slew { ppm });
            machine.sleep(
                SECOND * (1_000_000 + ppm).unsigned_abs() / 1_000_000,
                &Cancel::new(),
            );
            assert_eq!(ran(&machine), SECOND);
        }
    }

    #[test]
    fn a_suspend_in_a_sleep_lengthens_it_and_moves_the_wall_clock_along() {
        let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
        machine.after(SECOND / 2, Event::Suspend(60 * SECOND));
        machine.sleep(SECOND, &Cancel::new());
        assert_eq!(ran(&machine), 61 * SECOND);
        assert_eq!(machine.wall().timestamp(), 61);
    }

    #[test]
    fn a_cancel_ends_a_sleep_when_it_comes() {
        let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
        let cancel = Cancel::new();
        machine.after(SECOND / 4, Event::Cancel(cancel.clone()));
        machine.sleep(SECOND, &cancel);
        assert_eq!(ran(&machine), SECOND / 4);
    }

    #[test]
    fn sleeps_end_late_by_what_was_ordered_and_then_on_time() {
        let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
        machine.oversleep([SECOND]);
        machine.sleep(SECOND, &Cancel::new());
        assert_eq!(ran(&machine), 2 * SECOND);
        machine.sleep(SECOND, &Cancel::new());
        assert_eq!(ran(&machine), 3 * SECOND);
    }
}
