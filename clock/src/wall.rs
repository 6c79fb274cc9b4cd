//! Reading the wall clock and the machine's own time line together.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{Moment, Timebase, span};

/// Brackets no wider than this are undisturbed: about 0.3 µs through the vDSO,
/// 1.5 µs where every reading is a system call. Half of it is how far two
/// processes' anchors to one wall clock may lie apart, well below the tens of
/// microseconds that waking up costs.
const UNDISTURBED: Duration = Duration::from_micros(2);

/// How often a disturbed bracket is tried again: a preemption or a CPU quota
/// hits one, not five in a row. On a machine whose every bracket is wider this
/// costs some tens of microseconds.
const ATTEMPTS: usize = 5;

/// What the wall clock showed at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallReading {
    /// When it was read: halfway between the two moments that bracket it.
    pub(crate) at: Moment,
    /// What it showed.
    pub(crate) wall: DateTime<Utc>,
    /// How far apart the brackets were; `at` is off by half of it at most.
    pub(crate) width: Duration,
}

impl WallReading {
    /// Now: the tightest of several brackets, or the first undisturbed one.
    ///
    /// The brackets count suspended time, so one that the machine slept in is a
    /// wide one, and loses.
    pub(crate) fn take(timebase: &dyn Timebase) -> Self {
        let mut tightest = Self::once(timebase);
        for _ in 1..ATTEMPTS {
            if tightest.width <= UNDISTURBED {
                break;
            }
            let next = Self::once(timebase);
            if next.width < tightest.width {
                tightest = next;
            }
        }
        tightest
    }

    fn once(timebase: &dyn Timebase) -> Self {
        let before = Moment::read(timebase);
        let wall = timebase.wall();
        let width = span::positive(Moment::read(timebase).since(before));
        Self {
            at: before.plus(width / 2),
            wall,
            width,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        MachineTimebase,
        simulation::{Event, SimulatedTimebase},
    };

    #[test]
    fn an_undisturbed_machine_is_read_within_microseconds() {
        let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
        let reading = WallReading::take(&machine);
        assert!(reading.width <= UNDISTURBED);
    }

    /// Wherever in the bracket the process is held up or the machine sleeps,
    /// the pair that is used is one that this did not happen to.
    #[test]
    fn a_disturbed_bracket_is_never_the_one_used() {
        for disturbance in [
            Event::Freeze(Duration::from_millis(80)),
            Event::Suspend(Duration::from_secs(300)),
        ] {
            for offset in 0..400 {
                let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
                let start = Moment::read(&machine);
                machine.after(Duration::from_nanos(offset), disturbance.clone());
                let reading = WallReading::take(&machine);
                let off = (reading.wall - DateTime::UNIX_EPOCH) - reading.at.since(start);
                assert!(
                    off.abs() < chrono::TimeDelta::microseconds(1),
                    "{disturbance:?} after {offset} ns: {off}"
                );
            }
        }
    }

    #[test]
    fn the_wall_clock_of_this_machine_can_be_read() {
        let first = WallReading::take(&MachineTimebase);
        let second = WallReading::take(&MachineTimebase);
        assert!(second.at.since(first.at) >= chrono::TimeDelta::zero());
    }
}
