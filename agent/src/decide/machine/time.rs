//! The clock's part in it: without a clock that is good enough a runner is not ready, does not
//! start, and does not say that an instant is past.

use std::mem;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use clock::{Closing, Firing, Status, Unfit, fit};
use rendezvous::{Phase, code};

use super::limits::{CLOCK_WAIT, COUNTDOWN_BEYOND, FASTEST_SLEW, NOBODY_FOUND_LIMIT};
use super::{Action, Machine, Moment, State};
use crate::decide::admission::Verdict;
use crate::decide::ending::Ending;

impl Machine {
    /// What the clock has to keep: the smaller of the runner's budget and that of its plan.
    #[must_use]
    pub fn clock_terms(&self) -> clock::Terms {
        let plan = self.board.as_ref().and_then(Option::as_ref);
        let ours = plan.filter(|plan| self.settings.rules.is_ours(plan));
        let budget = ours.and_then(|plan| plan.terms.max_clock_error);
        self.settings.clock.within(budget)
    }

    /// Looks whether the clock is good enough now. A k6 that waits is ready only as long as it is.
    pub(super) fn look_at_clock(&mut self, now: Moment<'_>) {
        let before = (self.unfit.is_some(), self.obstacle);
        self.unfit = fit(&now.time, now.knowledge, self.clock_terms()).err();
        let obstacle = now.knowledge.obstacle.as_ref();
        self.obstacle = obstacle
            .filter(|_| self.unfit.is_some())
            .map(mem::discriminant);
        if self.state == State::Waiting {
            self.phase = match self.unfit {
                None => Phase::Ready,
                Some(_) => Phase::Starting,
            };
        }
        self.was_fit |= self.unfit.is_none();
        let nobody = self.finds_nobody().map(Unfit::to_string);
        if let (Some(nobody), false) = (nobody, self.told_of_nobody) {
            self.told_of_nobody = true;
            let limit = humantime::format_duration(NOBODY_FOUND_LIMIT);
            self.notes.push(format!(
                "nobody tells the time here, and without that this runner ends {limit} after its start: {nobody}"
            ));
        }
        let matters = matches!(self.state, State::Waiting | State::Armed { .. });
        if matters && before != (self.unfit.is_some(), self.obstacle) {
            self.note_clock_trouble();
        }
    }

    pub(super) fn note_clock_trouble(&mut self) {
        if let Some(trouble) = self.clock_trouble() {
            self.notes
                .push(format!("cannot start by this clock: {trouble}"));
        }
    }

    /// Why there is no time to be had, where nobody was named to ask and nobody has been found from the start.
    pub(super) fn finds_nobody(&self) -> Option<&Unfit> {
        let unfit = self.unfit.as_ref().filter(|unfit| unfit.found_nobody());
        unfit.filter(|_| !self.was_fit)
    }

    /// Why the runner cannot start by its clock, for people.
    pub(super) fn clock_trouble(&self) -> Option<String> {
        self.unfit.as_ref().map(Unfit::to_string)
    }

    /// By this clock the instant is past. Where it is not to be believed, or where a k6 that is ready waits for
    /// nothing but a better one, that is no lateness: what to do instead.
    pub(super) fn past_by_an_unfit_clock(
        &mut self,
        verdict: &Verdict,
        now: Moment<'_>,
    ) -> Option<Vec<Action>> {
        // A load that was made for certain needs no clock to be known.
        let (Verdict::Late { id, .. }
        | Verdict::UsedUp {
            id, started: false, ..
        }) = verdict
        else {
            return None;
        };
        let trouble = self.clock_trouble()?;
        let status = now.time.status;
        let may_show_anything = matches!(status, Status::Unsynchronised | Status::InDoubt);
        if !may_show_anything && self.state != State::Waiting {
            return None;
        }
        self.seen = Some(id.clone());
        if status == Status::Unsynchronised && now.mono < self.began + CLOCK_WAIT {
            return Some(Vec::new());
        }
        Some(self.wind_up(no_time_at_the_instant(&trouble), None, now))
    }

    /// The clock has learnt something.
    pub(super) fn on_clock_measured(&mut self, now: Moment<'_>) -> Vec<Action> {
        if let Some(firing) = now.knowledge.firing {
            self.close_start(&firing);
        }
        if let (Some(by), false) = (now.knowledge.witness_disagrees, self.contradicted) {
            self.contradicted = true;
            let by = seconds(by);
            self.notes.push(format!(
                "the time servers are at least {by} from the Date that the API server sends: one of them is wrong"
            ));
        }
        self.consider(now)
    }

    /// What the clock, measured once more after the start, says of the time of it.
    pub(super) fn close_start(&mut self, firing: &Firing) {
        let Some(start) = &mut self.start else { return };
        let by = match firing.closing {
            Closing::Awaited => return,
            Closing::Failed if !self.closing_failed => {
                self.closing_failed = true;
                self.notes.push(
                    "the clock could not be measured after the start: a jump cannot be ruled out"
                        .to_owned(),
                );
                None
            }
            Closing::Confirmed | Closing::Failed => None,
            Closing::Jumped { by } => Some(by),
        };
        if let (Some(by), false) = (by, start.clock_jumped) {
            let by = seconds(by);
            self.notes.push(format!(
                "the clock jumped around the start: measured just after it, the time was {by} from what it was held to be"
            ));
        }
        start.lateness += firing.utc - start.fired_at;
        start.fired_at = firing.utc;
        start.clock_error = Some(firing.bound);
        start.clock_jumped = by.is_some();
    }
}

/// When, by the monotonic clock, a countdown that begins now must be over, whatever the runner's clock becomes.
pub(super) fn long_past(start_at: DateTime<Utc>, now: Moment<'_>) -> Instant {
    let left = (start_at - now.utc()).to_std().unwrap_or_default();
    now.mono + left + left / FASTEST_SLEW + COUNTDOWN_BEYOND
}

/// The clock was put back so far, or so often, that the countdown did not end.
pub(super) fn instant_never_came() -> Ending {
    let beyond = humantime::format_duration(COUNTDOWN_BEYOND);
    let reason = format!(
        "the instant did not come: since the countdown began the clock has gone back by {beyond} or more; look at the time servers"
    );
    Ending::own(Phase::Refused, code::NO_TIME, reason)
}

/// The instant came, and the clock was not good enough.
pub(super) fn no_time_at_the_instant(trouble: &str) -> Ending {
    let reason =
        format!("the instant came, and the clock was not good enough to start by: {trouble}");
    Ending::own(Phase::Refused, code::NO_TIME, reason)
}

/// Nobody was named who tells the time, and there is none.
pub(super) fn nobody_to_ask(trouble: &Unfit) -> Ending {
    let limit = humantime::format_duration(NOBODY_FOUND_LIMIT);
    let reason = format!("nobody was found in {limit} who tells the time: {trouble}");
    Ending::own(Phase::Refused, code::NO_TIME, reason)
}

/// Seconds with their sign, to the millisecond.
fn seconds(delta: TimeDelta) -> String {
    let sign = if delta < TimeDelta::zero() { '-' } else { '+' };
    let millis = delta.num_milliseconds().unsigned_abs();
    format!("{sign}{}.{:03} s", millis / 1000, millis % 1000)
}
