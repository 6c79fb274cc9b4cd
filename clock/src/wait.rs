//! Waiting for an instant, on a thread of one's own.
//!
//! One cannot sleep on `CLOCK_MONOTONIC_RAW`, and the clock that one can sleep
//! on runs up to a tenth fast or slow while a daemon slews it. So the wait is a
//! row of sleeps, each for less than what is left, with a fresh look at the
//! clock between them, and a spin through the last stretch.

mod disturbance;
mod pace;

use std::{hint, time::Duration};

use chrono::{DateTime, Utc};

use crate::{Cancel, Clock, span, wall::WallReading};
use disturbance::disturbances;
use pace::Next;

pub use disturbance::Disturbance;

/// How long to spin where nothing speaks against it. Waking from a sleep takes
/// 25 to 100 µs, and at times much longer: with a millisecond in hand the p99
/// lateness is some 40 µs, with 0.2 ms in hand it was 880 µs.
pub const DEFAULT_SPIN: Duration = Duration::from_millis(1);

/// The longest spin: more than this eats the CPU quota that k6 needs at that
/// very moment, and takes a core from the other runners of the machine.
pub const MAX_SPIN: Duration = Duration::from_millis(2);

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The instant is here, or past.
    Reached {
        /// What happened to the clocks meanwhile, in order. None of it moved
        /// the instant; it may explain why the waker is late.
        noticed: Vec<Disturbance>,
    },
    /// The wait was called off before it ended.
    Cancelled,
}

/// Blocks until `instant` by `clock`, or until `cancel`.
///
/// - Never returns before `instant` by what the clock holds ([`Reading::held`]), so
///   never early by more than the clock's error. How late it is the caller reads from
///   the clock. An instant that is past is reached at once.
/// - A clock in doubt is counted on by what it held before: the doubt may be settled
///   yet, and moves nothing until it is. Whether the clock is fit to act by is the
///   caller's to ask, at the end.
/// - What is left is computed afresh after every sleep from what the clock knows
///   then. Steps and slews of the wall clock change nothing; after a suspend
///   across the instant it returns as soon as the machine runs again.
/// - `spin`, at most [`MAX_SPIN`], is the last stretch, through which the thread
///   keeps its core busy. With zero it sleeps to the end and is late by the time
///   of waking up. Spinning with more waiters than cores makes all of them late.
/// - A cancel ends it at once, and wins up to the last moment.
///
/// Call it on a thread of its own: it blocks, and it may lower the thread's timer
/// slack ([`MachineTimebase`](crate::MachineTimebase)).
///
/// [`Reading::held`]: crate::Reading::held
pub fn wait_until(
    clock: &Clock,
    instant: DateTime<Utc>,
    spin: Duration,
    cancel: &Cancel,
) -> Outcome {
    let spin = spin.min(MAX_SPIN);
    let mut noticed = Vec::new();
    let mut seen = WallReading::take(clock.timebase());
    loop {
        let left = instant.signed_duration_since(clock.now().held);
        match pace::next(span::positive(left), spin) {
            Next::Sleep(duration) => clock.timebase().sleep(duration, cancel),
            // One round of this loop is one of the spin: it takes a microsecond,
            // and what it does at the instant it has then just done.
            Next::Spin => hint::spin_loop(),
            Next::Return if cancel.is_cancelled() => return Outcome::Cancelled,
            Next::Return => return Outcome::Reached { noticed },
        }
        if cancel.is_cancelled() {
            return Outcome::Cancelled;
        }
        let look = WallReading::take(clock.timebase());
        noticed.extend(disturbances(&seen, &look));
        seen = look;
    }
}

#[cfg(test)]
mod tests;
