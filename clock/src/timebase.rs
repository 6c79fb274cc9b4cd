//! The machine's clocks, behind a trait so that tests own the time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nix::{
    sys::{prctl, time::TimeSpec},
    time::{ClockId, clock_gettime},
};

use crate::{Cancel, Raw, span};

/// The clocks of one machine, and sleeping on it.
pub trait Timebase: Send + Sync {
    /// `CLOCK_MONOTONIC_RAW`: neither stepped nor slewed; stands still while
    /// the machine is suspended.
    fn raw(&self) -> Raw;

    /// `CLOCK_REALTIME`: the wall clock, which anybody may step or slew.
    fn wall(&self) -> DateTime<Utc>;

    /// `CLOCK_BOOTTIME` − `CLOCK_MONOTONIC`: how long the machine has been
    /// suspended. Only its changes mean something (a time namespace may shift
    /// either clock), and only those of a millisecond or more (the two are read
    /// one after the other).
    fn suspended(&self) -> TimeDelta;

    /// Sleeps until about `duration` has passed on `CLOCK_MONOTONIC` (which is
    /// slewed, and stands still in a suspend), or until `cancel`. May end a
    /// little early or any time late: the caller looks at the clock again.
    fn sleep(&self, duration: Duration, cancel: &Cancel);
}

/// The machine that this process runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineTimebase;

/// Bracketing readings this far apart are as good as undisturbed (some 60 ns
/// each through the vDSO, a microsecond where they are system calls): far below
/// the millisecond from which a suspend counts.
const UNDISTURBED: Duration = Duration::from_micros(10);

/// How often a disturbed reading is tried again: a preemption or a CPU quota
/// hits one reading, not five in a row.
const ATTEMPTS: usize = 5;

/// The least timer slack there is. The default lets the kernel end a sleep
/// 50 µs late, and it does: measured over 250 waits without spinning, the
/// median lateness is 75 µs with the default and 24 µs with this.
const TIMER_SLACK_NS: u64 = 1;

impl Timebase for MachineTimebase {
    fn raw(&self) -> Raw {
        Raw::new(since_origin(ClockId::CLOCK_MONOTONIC_RAW))
    }

    fn wall(&self) -> DateTime<Utc> {
        let now = read(ClockId::CLOCK_REALTIME);
        span::after(
            span::after(
                DateTime::UNIX_EPOCH,
                TimeDelta::try_seconds(now.tv_sec()).unwrap_or(TimeDelta::MAX),
            ),
            TimeDelta::nanoseconds(now.tv_nsec()),
        )
    }

    fn suspended(&self) -> TimeDelta {
        let mut tightest = None;
        for _ in 0..ATTEMPTS {
            let before = since_origin(ClockId::CLOCK_MONOTONIC);
            let boot = since_origin(ClockId::CLOCK_BOOTTIME);
            let width = since_origin(ClockId::CLOCK_MONOTONIC).saturating_sub(before);
            let suspended = span::difference(span::signed(boot), span::signed(before + width / 2));
            if tightest.is_none_or(|(least, _)| width < least) {
                tightest = Some((width, suspended));
            }
            if width <= UNDISTURBED {
                break;
            }
        }
        tightest.map_or(TimeDelta::zero(), |(_, suspended)| suspended)
    }

    /// Also sets the calling thread's timer slack to the least, for good: call
    /// it on a thread of its own.
    ///
    /// The sleep is a futex's, so that a cancel ends it at once; measured beside
    /// `clock_nanosleep` it is late by the same.
    fn sleep(&self, duration: Duration, cancel: &Cancel) {
        // Where a sandbox refuses it, sleeps end those 50 µs later, and the
        // lateness that is measured anyway says so.
        let _ = prctl::set_timerslack(TIMER_SLACK_NS);
        cancel.wait(duration);
    }
}

/// The time of a clock that starts at zero or later.
fn since_origin(clock: ClockId) -> Duration {
    Duration::from(read(clock))
}

fn read(clock: ClockId) -> TimeSpec {
    // It fails for clocks that the kernel does not have.
    clock_gettime(clock).expect("Linux has had every one of these clocks since 2.6.39")
}

#[cfg(test)]
mod tests {
    use std::{
        thread,
        time::{Instant, SystemTime},
    };

    use super::*;

    #[test]
    fn raw_time_is_the_clock_that_nobody_slews() {
        let read = || Raw::new(since_origin(ClockId::CLOCK_MONOTONIC_RAW));
        let (before, raw, after) = (read(), MachineTimebase.raw(), read());
        assert!((before..=after).contains(&raw), "{raw:?}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "what this module stands in for")]
    fn wall_time_is_the_system_clock() {
        // Tried again because somebody may set it between the readings.
        let in_order = (0..3).any(|_| {
            let before = DateTime::<Utc>::from(SystemTime::now());
            let wall = MachineTimebase.wall();
            (before..=SystemTime::now().into()).contains(&wall)
        });
        assert!(in_order);
    }

    #[test]
    fn suspended_time_is_what_the_boot_clock_is_ahead_of_the_monotonic_one() {
        let boot = || span::signed(since_origin(ClockId::CLOCK_BOOTTIME));
        let monotonic = || span::signed(since_origin(ClockId::CLOCK_MONOTONIC));
        let (monotonic_before, boot_before) = (monotonic(), boot());
        let suspended = MachineTimebase.suspended();
        let (monotonic_after, boot_after) = (monotonic(), boot());
        assert!(suspended >= boot_before - monotonic_after, "{suspended}");
        assert!(suspended <= boot_after - monotonic_before, "{suspended}");
    }

    #[test]
    fn a_sleep_lasts_its_time() {
        let began = Instant::now();
        MachineTimebase.sleep(Duration::from_millis(5), &Cancel::new());
        assert!(began.elapsed() >= Duration::from_millis(5));
    }

    #[test]
    fn a_sleep_leaves_its_thread_the_least_timer_slack() {
        let slack = thread::spawn(|| {
            MachineTimebase.sleep(Duration::ZERO, &Cancel::new());
            prctl::get_timerslack()
        });
        assert!(matches!(slack.join(), Ok(Ok(1))));
    }
}
