//! The resume itself: a thread of its own that waits for the instant with the
//! line to k6 open, and sends.
//!
//! It blocks, and nothing else that the agent does can stand between the instant
//! and the first byte.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clock::{Cancel, Clock, Disturbance, Moment, Outcome, Reading};

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
    let line = open_line(order, clock, cancel);
    let disturbances = match clock::wait_until(clock, order.instant.start_at, order.spin, cancel) {
        Outcome::Reached { noticed } => noticed,
        Outcome::Cancelled => return nothing_sent(Triggered::Disarmed),
    };
    // If k6 has not kept it, or it could not be opened in time: it is due now.
    let line = match line.filter(Line::is_open) {
        Some(line) => Ok(line),
        None => Line::open(order.owner),
    };
    if cancel.is_cancelled() {
        return nothing_sent(Triggered::Disarmed);
    }
    let moment = clock.moment();
    // One look at the clock: what it is judged by is what is told of the start.
    let (now, fitness) = clock.fit_at(moment, order.clock);
    let triggered = match may_fire(&order.instant, &now, fitness) {
        Ok(()) => fire(order.instant.start_at, &now, line),
        Err(refused) => refused,
    };
    tracing::debug!(answered_after = ?clock.moment().since(moment), "the instant was acted upon");
    Outgoing {
        fired: matches!(triggered, Triggered::Sent { .. }).then_some(moment),
        triggered,
        disturbances,
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
