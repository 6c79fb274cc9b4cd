//! Time in steps, each so long that whatever takes less has happened in between.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use clock::{Knowledge, Reading, Status, ntp::Leap};

/// How many steps have passed.
pub type Tick = u32;

/// A renewal of a report, a confirmation, a lateness that matters: all are as long or shorter. Deadlines are some steps.
pub const STEP: Duration = Duration::from_secs(10);

/// Instants are whole seconds. So each is just past when its step has come, and within the tolerance.
pub const PAST: Duration = Duration::from_millis(500);

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// That step on the monotonic clock.
pub fn mono(tick: Tick) -> Instant {
    *BEGAN + STEP * tick + PAST
}

/// That step in UTC.
pub fn utc(tick: Tick) -> DateTime<Utc> {
    let noon: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    noon + STEP * tick + PAST
}

/// What an agent's clock says: the machine's own, which nobody measures and all share.
pub fn reading(tick: Tick) -> Reading {
    let utc = utc(tick);
    Reading {
        earliest: utc,
        latest: utc,
        held: utc,
        status: Status::SystemClock,
    }
}

/// What that rests on.
pub fn knowledge(tick: Tick) -> Knowledge {
    Knowledge {
        reading: reading(tick),
        offset: None,
        by: Vec::new(),
        sources: Vec::new(),
        obstacle: None,
        leap: Leap::None,
        witness_disagrees: None,
        firing: None,
    }
}
