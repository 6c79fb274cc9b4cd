//! What ties UTC to the machine's own time line.

use chrono::{DateTime, Utc};

use crate::{
    Moment, Reading, Status,
    discipline::{Fix, Rates},
    span,
    wall::WallReading,
};

/// What is known of UTC at one moment; every other one is counted from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The wall clock taken at its word. Nobody has measured it, so it has no
    /// bound that could widen.
    WallClock {
        /// The moment.
        at: Moment,
        /// What it showed.
        utc: DateTime<Utc>,
        /// [`Status::SystemClock`] or [`Status::Unsynchronised`].
        status: Status,
    },
    /// What was measured.
    Measured {
        /// Where UTC lay at a moment.
        fix: Fix,
        /// How fast it may run from there.
        rates: Rates,
        /// How it is known.
        status: Status,
    },
}

impl Anchor {
    /// The wall clock taken at its word, under `status`.
    pub(crate) fn to_wall_clock(reading: WallReading, status: Status) -> Self {
        Self::WallClock {
            at: reading.at,
            utc: reading.wall,
            status,
        }
    }

    /// The time at `moment`, before or after the anchor's own.
    pub(crate) fn reading_at(&self, moment: Moment) -> Reading {
        match *self {
            Self::WallClock { at, utc, status } => {
                let utc = span::after(utc, moment.since(at));
                Reading {
                    earliest: utc,
                    latest: utc,
                    status,
                }
            }
            Self::Measured { fix, rates, status } => {
                let interval = fix.carried(moment, rates);
                Reading {
                    earliest: interval.earliest,
                    latest: interval.latest,
                    status,
                }
            }
        }
    }
}
