//! The resume itself: a thread of its own that waits for the instant with the
//! line to k6 open, and sends.
//!
//! It blocks, and nothing else that the agent does can stand between the instant
//! and the first byte.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clock::{Cancel, Clock, Disturbance, Moment, Outcome, Reading, Unfit};

use super::api::ApiError;
use super::line::Line;
use super::ownership::Owner;
use crate::decide::instant::{Instant, may_fire};
use crate::decide::machine::Triggered;

/// What the thread needs to know.
#[derive(Debug, Clone)]
pub struct Order {
    /// When to resume k6, and how late is still on time.
    pub instant: Instant,
    /// What the clock has to keep when the instant comes.
    pub clock: clock::Terms,
    /// Which k6.
    pub owner: Owner,
    /// How long to spin at the end, at most 2 ms; zero for not at all.
    pub spin: Duration,
}

/// What came of it, and what happened to the machine's clocks meanwhile.
#[derive(Debug)]
pub struct Outgoing {
    /// What came of it.
    pub triggered: Triggered,
    /// When it was decided to send the resume, if it was: see [`Triggered::Sent`].
    pub fired: Option<Moment>,
    /// Steps of the wall clock and suspends that were noticed. They changed nothing.
    pub disturbances: Vec<Disturbance>,
}

/// Between two attempts to open the connection while there is time.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The last moment at which opening the connection may still be under way.
const STAND_BY: Duration = Duration::from_millis(200);

/// How long the report that the runner is armed is waited for. It is written within milliseconds, long before an
/// instant that is not only just ahead; a store that has failed since it gave us the plan must not cost more than
/// the usual tolerance.
const ARMED_WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// Waits for the instant and resumes k6. Blocks: it is meant for a thread of its own.
///
/// Before it does so, `armed_written` has heard that the report that the runner is armed stands in the store, where
/// that can be had in time: a runner killed right after the resume must find it there when it comes back.
#[must_use]
pub fn wait_and_resume(
    order: &Order,
    armed_written: &Receiver<()>,
    clock: &Clock,
    cancel: &Cancel,
) -> Outgoing {
    let nothing_sent = |triggered| Outgoing {
        triggered,
        fired: None,
        disturbances: Vec::new(),
    };
    // If it cannot be written, the start is still on time: an armed runner needs the store no more.
    let _ = armed_written.recv_timeout(ARMED_WRITTEN_WITHIN);
    let mut line = open_line(order, clock, cancel);
    // If k6 has not kept it, or it could not be opened in time: it is due now.
    let have_line = || match line.take().filter(Line::is_open) {
        Some(line) => Ok(line),
        None => Line::open(order.owner),
    };
    let Some(due) = await_instant(order, clock, cancel, have_line) else {
        return nothing_sent(Triggered::Disarmed);
    };
    let triggered = match may_fire(&order.instant, &due.now, due.fitness) {
        Ok(()) => fire(order.instant.start_at, &due.now, due.ready),
        Err(refused) => refused,
    };
    tracing::debug!(answered_after = ?clock.moment().since(due.moment), "the instant was acted upon");
    Outgoing {
        fired: matches!(triggered, Triggered::Sent { .. }).then_some(due.moment),
        triggered,
        disturbances: due.disturbances,
    }
}

/// The instant is here.
struct Due<T> {
    /// What was made ready for it.
    ready: T,
    /// When the clock was looked at, what it showed, and whether it was good enough: of one look, so that what the
    /// start is judged by is what is told of it.
    moment: Moment,
    now: Reading,
    fitness: Result<(), Unfit>,
    /// What happened to the clocks meanwhile.
    disturbances: Vec<Disturbance>,
}

/// Waits for the instant, does what is left to do with `make_ready`, and looks at the clock; none if it was called off.
///
/// The instant has come by that very look. A doubt may be settled between the end of the wait and the look, by a time
/// that puts the instant off: then it is waited for again, or the start would be early by as much as the clock was
/// wrong.
fn await_instant<T>(
    order: &Order,
    clock: &Clock,
    cancel: &Cancel,
    mut make_ready: impl FnMut() -> T,
) -> Option<Due<T>> {
    let start_at = order.instant.start_at;
    let mut disturbances = Vec::new();
    loop {
        match clock::wait_until(clock, start_at, order.spin, cancel) {
            Outcome::Reached { noticed } => disturbances.extend(noticed),
            Outcome::Cancelled => return None,
        }
        let ready = make_ready();
        if cancel.is_cancelled() {
            return None;
        }
        let moment = clock.moment();
        let (now, fitness) = clock.fit_at(moment, order.clock);
        if now.held >= start_at {
            return Some(Due {
                ready,
                moment,
                now,
                fitness,
                disturbances,
            });
        }
    }
}

/// Resumes k6.
///
/// `now` is read before the request is written, with nothing in between but writing it, which takes some hundredths of
/// a millisecond. A thread that is stopped right here sends later than is told.
fn fire(start_at: DateTime<Utc>, now: &Reading, line: Result<Line, ApiError>) -> Triggered {
    match line.map(Line::resume) {
        Ok(reply) => {
            let fired_at = now.midpoint();
            Triggered::Sent {
                fired_at,
                lateness: fired_at - start_at,
                clock_error: now.bound().measured(),
                reply,
            }
        }
        Err(error) => Triggered::NotSent(error.to_string()),
    }
}

/// A connection that has carried a request is kept by k6; one that never did is closed after 10 s. If it cannot be opened
/// now, there is another try while there is time, and at last there is none.
fn open_line(order: &Order, clock: &Clock, cancel: &Cancel) -> Option<Line> {
    loop {
        let left = (order.instant.start_at - clock.now().held)
            .to_std()
            .unwrap_or_default();
        // A late join has no time to lose, and no instant to hit.
        let limit = left.saturating_sub(STAND_BY);
        if limit.is_zero() || cancel.is_cancelled() {
            return None;
        }
        let warmed = Line::open(order.owner).and_then(|mut line| {
            line.warm(limit)?;
            Ok(line)
        });
        match warmed {
            Ok(line) => return Some(line),
            Err(error) => tracing::debug!(%error, "no line to k6 yet"),
        }
        let again_at = clock.now().held + TRY_AGAIN_AFTER.min(limit);
        // Whichever way it ends, the next turn looks at the time and at the call-off.
        let _ = clock::wait_until(clock, again_at, Duration::ZERO, cancel);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use chrono::TimeDelta;
    use clock::{MachineTimebase, Raw, Terms, Timebase};
    use rendezvous::LatePolicy;

    use super::*;

    /// This machine, with a wall clock that the test sets back or forward by so many milliseconds.
    #[derive(Clone, Default)]
    struct OtherWall(Arc<AtomicI64>);

    impl Timebase for OtherWall {
        fn raw(&self) -> Raw {
            MachineTimebase.raw()
        }

        fn wall(&self) -> DateTime<Utc> {
            MachineTimebase.wall() + TimeDelta::milliseconds(self.0.load(Ordering::SeqCst))
        }

        fn suspended(&self) -> TimeDelta {
            MachineTimebase.suspended()
        }

        fn sleep(&self, duration: Duration, cancel: &Cancel) {
            MachineTimebase.sleep(duration, cancel);
        }
    }

    fn order(start_at: DateTime<Utc>) -> Order {
        Order {
            instant: Instant {
                start_at,
                late: LatePolicy::Refuse,
                tolerance: Duration::from_secs(1),
            },
            clock: Terms {
                budget: Duration::from_millis(50),
                require_ntp: false,
            },
            owner: Owner {
                root: std::process::id(),
                address: ([127, 0, 0, 1], 1).into(),
            },
            spin: Duration::ZERO,
        }
    }

    #[test]
    fn a_clock_that_is_put_back_when_the_wait_is_just_over_makes_no_early_start() {
        let wall = OtherWall::default();
        let clock = Clock::system(wall.clone());
        let start_at = clock.now().held + TimeDelta::milliseconds(20);
        let mut times = 0;
        let due = await_instant(&order(start_at), &clock, &Cancel::new(), || {
            times += 1;
            if times == 1 {
                wall.0.fetch_sub(100, Ordering::SeqCst);
                clock.anchor_again();
                assert!(clock.now().held < start_at);
            }
            times
        });
        let due = due.unwrap();
        assert_eq!(due.ready, 2);
        assert!(due.now.held >= start_at, "{:?}", due.now);
        assert_eq!(due.now, clock.reading_at(due.moment));
    }

    #[test]
    fn what_is_called_off_while_the_last_is_made_ready_is_not_due() {
        let clock = Clock::system(MachineTimebase);
        let cancel = Cancel::new();
        let now = clock.now().held;
        let due = await_instant(&order(now), &clock, &cancel, || cancel.cancel());
        assert!(due.is_none());
    }
}
