//! The clock that the rest of the program asks.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::TimeDelta;

use crate::{
    Moment, Reading, Status, Timebase,
    anchor::Anchor,
    discipline::{Knowledge, Terms, Unfit, fit},
    wall::WallReading,
};

/// UTC on this machine, counted on `CLOCK_MONOTONIC_RAW` from an anchor.
/// Clones share the anchor.
#[derive(Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

struct Shared {
    timebase: Box<dyn Timebase>,
    known: RwLock<Known>,
}

/// What is known, which is replaced as a whole.
struct Known {
    anchor: Anchor,
    knowledge: Arc<Knowledge>,
}

impl Clock {
    /// A clock that takes the machine's wall clock at its word, as it stands
    /// now: [`Status::SystemClock`].
    pub fn system(timebase: impl Timebase + 'static) -> Self {
        Self::to_wall_clock(timebase, Status::SystemClock)
    }

    /// A clock that is going to be measured, and takes the wall clock at its word
    /// until then: [`Status::Unsynchronised`].
    pub(crate) fn unsynchronised(timebase: impl Timebase + 'static) -> Self {
        Self::to_wall_clock(timebase, Status::Unsynchronised)
    }

    fn to_wall_clock(timebase: impl Timebase + 'static, status: Status) -> Self {
        let wall = WallReading::take(&timebase);
        let anchor = Anchor::to_wall_clock(wall, status);
        let knowledge = Knowledge::of_wall_clock(anchor.reading_at(wall.at));
        Self {
            shared: Arc::new(Shared {
                timebase: Box::new(timebase),
                known: RwLock::new(Known {
                    anchor,
                    knowledge: Arc::new(knowledge),
                }),
            }),
        }
    }

    /// The time now.
    pub fn now(&self) -> Reading {
        self.reading_at(self.moment())
    }

    /// This moment, to be asked about later with
    /// [`reading_at`](Self::reading_at).
    pub fn moment(&self) -> Moment {
        Moment::read(self.timebase())
    }

    /// The time at `moment`, past or to come, by what the clock knows by now.
    pub fn reading_at(&self, moment: Moment) -> Reading {
        self.known().anchor.reading_at(moment)
    }

    /// What the clock knew, and from whom, at the end of the last round of
    /// measurements.
    pub fn knowledge(&self) -> Arc<Knowledge> {
        Arc::clone(&self.known().knowledge)
    }

    /// The time at `moment`, and whether the clock, as it reads then, keeps `terms`;
    /// if not, why, in words for a report. A later round may mend it.
    ///
    /// Both are of one look: no round comes in between.
    pub fn fit_at(&self, moment: Moment, terms: Terms) -> (Reading, Result<(), Unfit>) {
        let known = self.known();
        let reading = known.anchor.reading_at(moment);
        (reading, fit(&reading, &known.knowledge, terms))
    }

    /// Takes the wall clock at its word once more, as it stands now, and says
    /// by how much that changed this clock (positive: it is later than thought).
    ///
    /// For the moment from which on the wall clock shall change nothing any
    /// more. While nobody measures it, it is all the truth there is: runners of
    /// one machine that anchor again when they are told the instant agree, even
    /// if it was set right after some of them had started.
    ///
    /// A clock that knows better than the wall clock keeps what it knows.
    pub fn anchor_again(&self) -> TimeDelta {
        let wall = WallReading::take(self.timebase());
        let mut known = self.known_mut();
        let Anchor::WallClock { status, .. } = known.anchor else {
            return TimeDelta::zero();
        };
        let before = known.anchor.reading_at(wall.at).midpoint();
        known.anchor = Anchor::to_wall_clock(wall, status);
        wall.wall.signed_duration_since(before)
    }

    /// Takes over what was measured.
    pub(crate) fn learn(&self, anchor: Anchor, knowledge: Knowledge) {
        *self.known_mut() = Known {
            anchor,
            knowledge: Arc::new(knowledge),
        };
    }

    /// The machine's clocks.
    pub(crate) fn timebase(&self) -> &dyn Timebase {
        &*self.shared.timebase
    }

    // What is known is written whole, so that which a panicking thread held is
    // sound.

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.shared
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.shared
            .known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::{
        ErrorBound, MachineTimebase, SourceKind,
        discipline::{Fix, Interval, Rates},
        ntp::Leap,
        simulation::{Event, SimulatedTimebase},
    };

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// How far the simulated clock may be read off: a few readings' time.
    const READING: TimeDelta = TimeDelta::microseconds(2);

    fn machine() -> (SimulatedTimebase, Clock) {
        let machine = SimulatedTimebase::at(START);
        (machine.clone(), Clock::system(machine))
    }

    #[track_caller]
    fn assert_close(a: DateTime<Utc>, b: DateTime<Utc>) {
        assert!((a - b).abs() <= READING, "{a} is not {b}");
    }

    #[test]
    fn the_system_clock_is_believed_and_said_to_be_unmeasured() {
        let (_machine, clock) = machine();
        let now = clock.now();
        assert_close(now.midpoint(), START);
        assert_eq!(now.earliest, now.latest);
        assert_eq!(now.status, Status::SystemClock);
        assert_eq!(now.bound(), ErrorBound::Unmeasured);
    }

    #[test]
    fn steps_of_the_wall_clock_change_nothing() {
        let (machine, clock) = machine();
        for by in [2, -2, 3600, -3600] {
            machine.happens(Event::WallStep(TimeDelta::seconds(by)));
            assert_close(clock.now().midpoint(), START + machine.true_elapsed());
        }
    }

    #[test]
    fn a_slew_of_the_wall_clock_changes_nothing() {
        let (machine, clock) = machine();
        machine.happens(Event::Slew { ppm: 83_333 });
        machine.advance(Duration::from_secs(60));
        assert_close(clock.now().midpoint(), START + machine.true_elapsed());
        assert!(machine.wall() - clock.now().midpoint() > TimeDelta::seconds(4));
    }

    #[test]
    fn time_goes_on_while_the_machine_is_suspended() {
        let (machine, clock) = machine();
        machine.happens(Event::Suspend(Duration::from_secs(300)));
        assert_close(clock.now().midpoint(), START + TimeDelta::minutes(5));
    }

    #[test]
    fn anchoring_again_takes_up_a_step_and_says_how_large_it_was() {
        let (machine, clock) = machine();
        let other = clock.clone();
        machine.advance(Duration::from_secs(10));
        machine.happens(Event::WallStep(TimeDelta::seconds(-2)));
        let moved = clock.anchor_again();
        assert!((moved + TimeDelta::seconds(2)).abs() <= READING, "{moved}");
        assert_close(other.now().midpoint(), machine.wall());
    }

    #[test]
    fn clocks_that_anchor_again_at_different_times_agree() {
        let machine = SimulatedTimebase::at(START);
        let early = Clock::system(machine.clone());
        machine.happens(Event::WallStep(TimeDelta::seconds(420)));
        let late = Clock::system(machine.clone());
        early.anchor_again();
        machine.advance(Duration::from_secs(600));
        late.anchor_again();
        let moment = early.moment();
        assert_close(
            early.reading_at(moment).midpoint(),
            late.reading_at(moment).midpoint(),
        );
    }

    #[test]
    fn a_moment_kept_is_read_by_what_the_clock_knows_later() {
        let (machine, clock) = machine();
        let kept = clock.moment();
        machine.advance(Duration::from_secs(1));
        machine.happens(Event::WallStep(TimeDelta::seconds(2)));
        clock.anchor_again();
        assert_close(
            clock.reading_at(kept).midpoint(),
            START + TimeDelta::seconds(2),
        );
    }

    /// What a server 7 minutes ahead of the wall clock said just now, to 10 ms.
    fn measured(clock: &Clock) -> Anchor {
        let at = clock.moment();
        Anchor::Measured {
            fix: Fix {
                at,
                interval: Interval::around(
                    clock.reading_at(at).midpoint() + TimeDelta::minutes(7),
                    Duration::from_millis(10),
                ),
                leap: Leap::None,
            },
            rates: Rates::ASSUMED,
            status: Status::Synchronised {
                by: SourceKind::Ntp,
            },
        }
    }

    #[test]
    fn a_clock_that_was_measured_keeps_what_it_knows() {
        let machine = SimulatedTimebase::at(START);
        let clock = Clock::unsynchronised(machine.clone());
        let anchor = measured(&clock);
        clock.learn(anchor, Knowledge::clone(&clock.knowledge()));
        machine.advance(Duration::from_secs(20));
        assert_eq!(clock.anchor_again(), TimeDelta::zero());
        let now = clock.now();
        assert_close(now.midpoint(), START + TimeDelta::seconds(440));
        let ErrorBound::Within(bound) = now.bound() else {
            panic!("it was measured");
        };
        let grown = bound - Duration::from_millis(20);
        assert!(grown < Duration::from_micros(1), "{bound:?}");
    }

    #[test]
    fn a_clock_that_is_not_measured_yet_takes_the_wall_clock_at_its_word() {
        let machine = SimulatedTimebase::at(START);
        let clock = Clock::unsynchronised(machine.clone());
        machine.happens(Event::WallStep(TimeDelta::seconds(2)));
        clock.anchor_again();
        let now = clock.now();
        assert_close(now.midpoint(), START + TimeDelta::seconds(2));
        assert_eq!(now.status, Status::Unsynchronised);
    }

    #[test]
    fn a_clock_is_as_fit_as_it_reads_now() {
        let terms = Terms {
            budget: Duration::from_millis(15),
            require_ntp: true,
        };
        let machine = SimulatedTimebase::at(START);
        let clock = Clock::unsynchronised(machine.clone());
        let now = |clock: &Clock| clock.fit_at(clock.moment(), terms).1;
        assert!(now(&clock).is_err());
        let anchor = measured(&clock);
        clock.learn(anchor, Knowledge::clone(&clock.knowledge()));
        assert_eq!(now(&clock), Ok(()));
        machine.advance(Duration::from_secs(20));
        let unfit = now(&clock).expect_err("10 ms have become 20");
        let told = unfit.to_string();
        assert!(told.starts_with("clock error 20.1 ms > 15 ms"), "{told}");
    }

    #[test]
    fn a_clock_is_judged_by_the_reading_that_is_told() {
        let terms = Terms {
            budget: Duration::from_millis(15),
            require_ntp: true,
        };
        let machine = SimulatedTimebase::at(START);
        let clock = Clock::unsynchronised(machine.clone());
        clock.learn(measured(&clock), Knowledge::clone(&clock.knowledge()));
        let kept = clock.moment();
        machine.advance(Duration::from_secs(20));
        let (then, fitness) = clock.fit_at(kept, terms);
        assert_eq!((then, fitness), (clock.reading_at(kept), Ok(())));
        let (now, fitness) = clock.fit_at(clock.moment(), terms);
        assert!(fitness.is_err(), "{now:?}");
    }

    #[test]
    fn the_ends_of_the_calendar_are_reached_and_not_passed() {
        for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let machine = SimulatedTimebase::at(end);
            let clock = Clock::system(machine.clone());
            machine.advance(Duration::from_secs(60));
            assert!(clock.now().midpoint() >= DateTime::<Utc>::MIN_UTC);
            clock.anchor_again();
        }
    }

    #[test]
    fn this_machine_has_the_time() {
        let clock = Clock::system(MachineTimebase);
        let first = clock.now().midpoint();
        let second = clock.now().midpoint();
        assert!(first <= second);
        // Any clock worth the name stands after this was written.
        assert!(first > START + TimeDelta::days(365 * 50));
    }
}
