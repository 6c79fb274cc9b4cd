//! What ties UTC to the machine's own time line.

use chrono::{DateTime, Utc};

use crate::{
    Moment, Reading, Status,
    discipline::{Fix, Interval, Rates},
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
    /// What was measured contradicts what was measured before: [`Status::InDoubt`].
    /// Until it is settled nobody knows how fast UTC runs, so
    /// [`Rates::ASSUMED`] hold.
    InDoubt {
        /// From the earliest to the latest of all that was said.
        hull: Fix,
        /// What was held before the doubt.
        before: Fix,
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
                    held: utc,
                    status,
                }
            }
            Self::Measured { fix, rates, status } => {
                let known = fix.carried(moment, rates);
                reading(known, known, status)
            }
            Self::InDoubt { hull, before } => {
                let known = hull.carried(moment, Rates::ASSUMED);
                let held = before.carried(moment, Rates::ASSUMED);
                reading(known, held, Status::InDoubt)
            }
        }
    }

    /// Where UTC lay at `moment`, if anybody has measured it.
    pub(crate) fn measured_at(&self, moment: Moment) -> Option<Interval> {
        match self {
            Self::WallClock { .. } => None,
            Self::Measured { fix, rates, .. } => Some(fix.carried(moment, *rates)),
            Self::InDoubt { hull, .. } => Some(hull.carried(moment, Rates::ASSUMED)),
        }
    }
}

fn reading(known: Interval, held: Interval, status: Status) -> Reading {
    Reading {
        earliest: known.earliest,
        latest: known.latest,
        held: held.midpoint(),
        status,
    }
}
