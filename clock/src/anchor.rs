//! What ties UTC to the machine's own time line.

use chrono::{DateTime, Utc};

use crate::{Moment, Reading, Status, span, wall::WallReading};

/// A moment whose UTC is known; every other one is counted from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// The moment.
    pub(crate) at: Moment,
    /// UTC at that moment.
    pub(crate) utc: DateTime<Utc>,
    /// How it is known.
    pub(crate) status: Status,
}

impl Anchor {
    /// The wall clock taken at its word.
    pub(crate) fn to_system_clock(reading: WallReading) -> Self {
        Self {
            at: reading.at,
            utc: reading.wall,
            status: Status::SystemClock,
        }
    }

    /// The time at `moment`, before or after the anchor's own.
    pub(crate) fn reading_at(&self, moment: Moment) -> Reading {
        let utc = span::after(self.utc, moment.since(self.at));
        Reading {
            earliest: utc,
            latest: utc,
            status: self.status,
        }
    }
}
