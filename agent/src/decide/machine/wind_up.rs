//! Stopping k6 so that nothing is left: teardown() first where setup() has run,
//! then k6 itself, gently and at last by force.

use rendezvous::code;

use super::{Action, Machine, Moment, Phase, State, Step, StopSignal};
use crate::decide::ending::{CodeRule, Ending};

impl Machine {
    /// Begins to end. The first ending stays; a later one changes nothing.
    pub(super) fn wind_up(
        &mut self,
        ending: Ending,
        signal: Option<StopSignal>,
        now: Moment<'_>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        match &mut self.state {
            State::Stopping { .. } | State::Ended(_) => return actions,
            State::Admitting => {
                self.finish(ending.end(None));
                return actions;
            }
            State::Armed {
                ending: pending, ..
            } => {
                // The thread that waits may be sending at this very moment. What it says decides how to stop.
                pending.get_or_insert((ending, signal));
                return vec![Action::Disarm];
            }
            State::SettingUp => actions.push(Action::CancelSetup),
            State::Building { .. }
            | State::SetupDropped { .. }
            | State::Waiting
            | State::Confirming { .. }
            | State::Running => {}
        }
        // Once the load has begun, k6 runs teardown() itself.
        let has_begun = matches!(self.state, State::Confirming { .. } | State::Running);
        actions.push(Action::Poll(None));
        let step = if !has_begun && self.setup_done.take().is_some() && self.settings.teardown {
            // A teardown() that hangs must leave k6 time to end by itself.
            actions.push(Action::RunTeardown(self.settings.grace / 2));
            Step::Teardown { then: signal }
        } else {
            actions.push(told(signal));
            Step::Told
        };
        self.state = State::Stopping {
            ending,
            step,
            until: now.mono + self.settings.grace,
        };
        actions
    }

    pub(super) fn on_teardown_ended(&mut self, result: Result<(), String>) -> Vec<Action> {
        let State::Stopping { step, .. } = &mut self.state else {
            return Vec::new();
        };
        let Step::Teardown { then } = *step else {
            return Vec::new();
        };
        *step = Step::Told;
        if let Err(error) = result {
            self.notes.push(format!("teardown() failed: {error}"));
        }
        vec![told(then)]
    }

    pub(super) fn on_stop_failed(&mut self, detail: &str) -> Vec<Action> {
        let State::Stopping {
            step: Step::Told, ..
        } = self.state
        else {
            return Vec::new();
        };
        self.notes.push(format!(
            "k6 cannot be stopped by its API ({detail}); sending SIGTERM"
        ));
        vec![Action::SignalK6(StopSignal::Terminate)]
    }

    pub(super) fn on_signal(&mut self, signal: StopSignal, now: Moment<'_>) -> Vec<Action> {
        let (name, number) = signal.name_and_number();
        if let State::Stopping { step, .. } = &mut self.state {
            // Whoever asks twice does not want to wait for teardown().
            *step = Step::Told;
            return vec![Action::SignalK6(signal)];
        }
        let rule = match self.state {
            State::Admitting => CodeRule::Own(128 + number),
            _ => CodeRule::OfK6,
        };
        let ending = Ending {
            phase: Phase::Aborted,
            code: rule,
            reason: format!("{name} received"),
        };
        self.wind_up(ending, Some(signal), now)
    }

    /// Time passes for a k6 that should run by now, or be gone.
    pub(super) fn press_on(&mut self, now: Moment<'_>) -> Vec<Action> {
        let until = match &self.state {
            State::Confirming { until, .. } | State::Stopping { until, .. } => *until,
            _ => return Vec::new(),
        };
        if now.mono < until {
            return Vec::new();
        }
        match &mut self.state {
            State::Confirming { doubt, .. } => {
                // A resume that k6 has not read yet would still start the load: nothing but its end prevents that.
                let doubt = doubt.take().unwrap_or_else(|| "a good answer".to_owned());
                let reason = format!(
                    "k6 did not start: the resume got {doubt}, and k6 was never seen running"
                );
                let ending = Ending::own(Phase::Failed, code::NOT_READY, reason);
                self.state = State::Stopping {
                    ending,
                    step: Step::Killed,
                    until: now.mono + self.settings.grace,
                };
                vec![Action::Poll(None), Action::KillK6]
            }
            State::Stopping { step, until, .. } if *step != Step::Killed => {
                *step = Step::Killed;
                *until = now.mono + self.settings.grace;
                let grace = humantime::format_duration(self.settings.grace);
                self.notes
                    .push(format!("k6 did not end within {grace}; killing it"));
                vec![Action::KillK6]
            }
            State::Stopping { ending, .. } => {
                // Killed, and not gone: it hangs in the kernel. Nothing more can be done to it.
                let end = ending.clone().end(None);
                self.notes.push(
                    "k6 does not go although it was killed; leaving it to the system".to_owned(),
                );
                self.finish(end);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

fn told(signal: Option<StopSignal>) -> Action {
    signal.map_or(Action::StopK6, Action::SignalK6)
}
