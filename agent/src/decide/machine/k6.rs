//! What k6 does, and what that makes of a runner: it builds its VUs, runs setup(), runs, ends.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{LatePolicy, Phase, code};

use super::limits::{
    ADDRESS_TAKEN, CONFIRM_WITHIN, EXIT_FOLLOWS_WITHIN, LAST_LOOK, MOST_PORTS, POLL_STARTING,
    POLL_UNTIL_LOAD, SEEN_WITHIN, k6_status,
};
use super::{Action, Machine, Moment, Reply, State, Step};
use crate::decide::admission::is_late;
use crate::decide::ending::{CodeRule, End, Ending, K6Exit};
use crate::decide::setup::SetupFailure;

impl Machine {
    pub(super) fn on_status(
        &mut self,
        status: u64,
        vus: Option<u64>,
        now: Moment<'_>,
    ) -> Vec<Action> {
        self.api_seen = true;
        self.api_trouble = None;
        self.handles_signals |= status >= k6_status::BUILDING;
        if vus.is_some() {
            self.vus = vus;
        }
        match self.state {
            State::Building { .. } if status == k6_status::PAUSED_BEFORE_RUN => self.on_built(now),
            State::Building { .. } if status >= k6_status::STARTED => {
                let reason = format!("k6 left its pause before it was resumed (status {status})");
                self.wind_up(
                    Ending::own(Phase::Failed, code::NOT_READY, reason),
                    None,
                    now,
                )
            }
            State::Confirming { until, .. }
                if status >= k6_status::STARTED
                    && now.mono >= until
                    && self.late != LatePolicy::Join =>
            {
                self.ran_too_late(now)
            }
            State::Confirming { .. } if status >= k6_status::STARTED => {
                self.phase = Phase::Running;
                self.state = State::Running;
                self.saw_running(status, now)
            }
            State::Running => self.saw_running(status, now),
            State::Stopping { .. } => self.deliver_held_back(),
            _ => Vec::new(),
        }
    }

    pub(super) fn saw_running(&mut self, status: u64, now: Moment<'_>) -> Vec<Action> {
        let Some(start) = &mut self.start else {
            return Vec::new();
        };
        if start.running_at.is_none() {
            let after = now.utc() - start.fired_at;
            if is_late(after - SEEN_WITHIN, self.tolerance) {
                self.notes.push(format!(
                    "k6 was first seen running {} after the resume was sent: its load may have begun as late",
                    for_people(after)
                ));
            }
            start.running_at = Some(now.utc());
        }
        if status < k6_status::RUNNING {
            return vec![Action::Poll(Some(POLL_UNTIL_LOAD))];
        }
        if start.load_at.is_none() {
            start.load_at = Some(now.utc());
            self.note_late_load(now);
        }
        vec![Action::Poll(None)]
    }

    /// Where k6 ran in time, but its load did not begin in time.
    fn note_late_load(&mut self, now: Moment<'_>) {
        let Some(start) = &self.start else { return };
        let is_late = |after: TimeDelta| is_late(after - SEEN_WITHIN, self.tolerance);
        let ran_late = start
            .running_at
            .is_some_and(|at| is_late(at - start.fired_at));
        let after = now.utc() - (start.fired_at - start.lateness);
        if is_late(after) && !ran_late {
            self.notes.push(format!(
                "k6's load was first seen {} after the instant, as k6 ran setup() before it; `--setup early` runs it before the instant",
                for_people(after)
            ));
        }
    }

    /// Until when k6 must have been seen running. Without a good answer to the resume, which only a k6 that lives
    /// can give, it is not known to have begun, and a frozen one begins when it thaws: however well the resume was
    /// timed, that is late when the tolerance is over.
    pub(super) fn confirm_until(
        &self,
        reply: &Reply,
        lateness: TimeDelta,
        fired_at: DateTime<Utc>,
        now: Moment<'_>,
    ) -> Instant {
        let within = match (reply, self.late) {
            (Reply::Accepted, _) | (_, LatePolicy::Join) => CONFIRM_WITHIN,
            (Reply::Unclear(_), LatePolicy::Refuse | LatePolicy::Skip) => {
                let since_instant = lateness + (now.utc() - fired_at);
                let since_instant = since_instant.to_std().unwrap_or_default();
                let left = self.tolerance.saturating_sub(since_instant);
                left.clamp(LAST_LOOK, CONFIRM_WITHIN)
            }
        };
        now.mono + within
    }

    /// k6 runs, and nobody knows since when, but for the terms it has begun too late.
    fn ran_too_late(&mut self, now: Moment<'_>) -> Vec<Action> {
        let by = self
            .start
            .as_ref()
            .map(|start| now.utc() - (start.fired_at - start.lateness));
        let reason = format!(
            "k6 was first seen running {} after the instant, though the resume was sent in time: it was frozen or starved; `--late join` would let it run",
            by.map_or_else(String::new, for_people)
        );
        self.wind_up(Ending::own(Phase::Failed, code::LATE, reason), None, now)
    }

    pub(super) fn on_built(&mut self, now: Moment<'_>) -> Vec<Action> {
        if self.settings.early_setup {
            self.state = State::SettingUp;
            // What it waits for has changed, though the phase has not.
            return vec![Action::Poll(None), Action::RunSetup, Action::Report];
        }
        let mut actions = vec![Action::Poll(None)];
        actions.extend(self.become_ready(now));
        actions
    }

    pub(super) fn become_ready(&mut self, now: Moment<'_>) -> Vec<Action> {
        self.state = State::Waiting;
        let mut actions = self.consider(now);
        if self.unfit.is_some() {
            self.note_clock_trouble();
            // What it waits for has changed, though the phase has not.
            actions.push(Action::Report);
        }
        actions
    }

    pub(super) fn on_setup_ended(
        &mut self,
        result: Result<Duration, SetupFailure>,
        now: Moment<'_>,
    ) -> Vec<Action> {
        if self.state != State::SettingUp {
            return Vec::new();
        }
        match result {
            Ok(took) => {
                self.setup_done = Some((now.mono, took));
                self.become_ready(now)
            }
            // A connection also drops when k6 ends, with a code that says more.
            Err(failure @ SetupFailure::Dropped(_)) => {
                let until = now.mono + EXIT_FOLLOWS_WITHIN;
                self.state = State::SetupDropped { failure, until };
                Vec::new()
            }
            Err(failure) => self.setup_failed(&failure, now),
        }
    }

    pub(super) fn setup_failed(&mut self, failure: &SetupFailure, now: Moment<'_>) -> Vec<Action> {
        self.wind_up(
            Ending::own(Phase::Failed, failure.code(), failure.reason()),
            None,
            now,
        )
    }

    pub(super) fn on_k6_ended(&mut self, exit: K6Exit, now: Moment<'_>) -> Vec<Action> {
        match &self.state {
            State::Building { .. }
                if exit == ADDRESS_TAKEN && !self.api_seen && self.ports_tried < MOST_PORTS =>
            {
                self.notes.push(
                    "the port for k6's API was taken by another process; trying another".to_owned(),
                );
                self.start_k6(now)
            }
            State::Stopping { ending, step, .. } => {
                let mut end = ending.clone().end(Some(exit));
                let was_left = matches!(step, Step::LeftAlone | Step::Asked(_));
                let was_whole = was_left && matches!(exit, K6Exit::Code(_));
                if was_whole && ending.code == CodeRule::OfK6 {
                    end.phase = Phase::Finished;
                }
                if end.code == 0 && end.phase == Phase::Aborted {
                    // Whole after all, if it ran; where it never ran, 0 would be a wrong success.
                    match self.start {
                        Some(_) => end.phase = Phase::Finished,
                        None => end.code = code::ABORTED,
                    }
                }
                self.finish(end);
                Vec::new()
            }
            State::Armed { ending, until, .. } => {
                self.state = State::Armed {
                    ending: ending.clone(),
                    k6_ended: Some(exit),
                    until: *until,
                };
                vec![Action::Disarm]
            }
            State::Confirming {
                accepted: false,
                doubt,
                ..
            } => {
                let doubt = doubt.as_deref().unwrap_or("no answer");
                let code = unless_zero(exit);
                let reason = format!(
                    "k6 ended ({exit}) and it is not known whether it ran: the resume got {doubt}"
                );
                self.finish(Ending::own(Phase::Failed, code, reason).end(None));
                Vec::new()
            }
            State::Confirming { accepted: true, .. } | State::Running => {
                let reason = match exit {
                    K6Exit::Code(_) => None,
                    K6Exit::Signal(signal) => Some(format!("k6 was killed by signal {signal}")),
                };
                self.finish(End {
                    phase: Phase::Finished,
                    code: exit.code(),
                    reason,
                });
                Vec::new()
            }
            _ => {
                self.finish(ended_unasked(exit));
                Vec::new()
            }
        }
    }

    pub(super) fn start_k6(&mut self, now: Moment<'_>) -> Vec<Action> {
        self.ports_tried += 1;
        self.state = State::Building {
            until: now.mono + self.settings.ready_timeout,
        };
        vec![Action::StartK6, Action::Poll(Some(POLL_STARTING))]
    }
}

/// k6 ended by itself while it should have waited.
fn ended_unasked(exit: K6Exit) -> End {
    let reason = match exit {
        K6Exit::Code(99) => {
            "k6 ended before the start: a threshold with abortOnFail was crossed (exit code 99)"
                .to_owned()
        }
        exit => format!("k6 ended before the start ({exit})"),
    };
    Ending::own(Phase::Failed, unless_zero(exit), reason).end(None)
}

/// k6's code, but no success where there was no load.
fn unless_zero(exit: K6Exit) -> u8 {
    match exit.code() {
        0 => code::NOT_READY,
        code => code,
    }
}

/// Finer than a reader cares for is noise.
pub(super) fn for_people(by: TimeDelta) -> String {
    let by = Duration::from_millis(u64::try_from(by.num_milliseconds()).unwrap_or(0));
    humantime::format_duration(by).to_string()
}
