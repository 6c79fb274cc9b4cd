//! When a packet arrived, by what the kernel says of it.
//!
//! A process may run long after the packet came: a CPU quota holds it up for
//! 80 ms, a busy neighbour for a few. All of that would count as the answer's
//! delay. The kernel stamps a packet when it comes, but by the wall clock, which
//! may be stepped and slewed, and which a test may fake for this process alone.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Moment, span, wall::WallReading};

/// By how much the wall clock may come apart from the raw one, beyond what
/// [`STEERING_PPM`] allows, while an answer is waited for. Reading both takes a
/// microsecond or two; more than this is a step.
const STEP: Duration = Duration::from_micros(10);

/// The wall clock's frequency is steered by up to this much at any time (the
/// kernel's limit). More is a slew that sets it right, of which nobody knows
/// when it began.
const STEERING_PPM: u32 = 500;

/// A moment on this machine's own time line, and the wall clock with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) at: Moment,
    pub(super) wall: WallReading,
}

impl Reading {
    /// The latest moment at which the wall clock can have shown what was read.
    fn wall_at_latest(&self) -> Moment {
        self.wall
            .at
            .plus(self.wall.width / 2 + Duration::from_nanos(1))
    }
}

/// When the packet arrived that was `stamped` so by the wall clock, was asked
/// for after `sent` and read just before `read`.
///
/// It is never earlier than the packet truly came: that would be a delay that
/// nobody accounts for. It is as late as [`read`](Reading::at) where the stamp
/// cannot be trusted.
///
/// The stamp is converted twice, forward from the wall clock as it stood at
/// `sent` and back from how it stood at `read`, and the later result counts. A
/// step or a slew in between, the one or the other is late by it or right. (Only
/// a clock that is set back and forth again within one question, both by the same
/// few microseconds, could make the later one early.)
pub(super) fn arrival(sent: &Reading, stamped: Option<DateTime<Utc>>, read: &Reading) -> Moment {
    let Some(stamped) = stamped else {
        return read.at;
    };
    let suspended = !read.at.suspended_since(sent.at).is_zero();
    let by_wall = read.wall.wall.signed_duration_since(sent.wall.wall);
    let ran = read.wall.at.since(sent.wall.at);
    let ran_apart = span::difference(by_wall, ran).abs();
    let steered = span::positive(ran) * STEERING_PPM / 1_000_000;
    let readings = sent.wall.width + read.wall.width;
    if suspended || ran_apart > span::signed(STEP + steered + readings) {
        return read.at;
    }
    let since_sent = |reading: &Reading| {
        let from_reading = stamped.signed_duration_since(reading.wall.wall);
        let reading = reading.wall_at_latest().since(sent.at);
        span::sum(reading, from_reading)
    };
    let after = since_sent(sent).max(since_sent(read));
    if after < TimeDelta::zero() || after > read.at.since(sent.at) {
        return read.at;
    }
    sent.at.plus(span::positive(after))
}

#[cfg(test)]
mod tests;
