//! Stopping k6 so that nothing is left: teardown() first where setup() has run,
//! then k6 itself, gently and at last by force.

use rendezvous::code;

use super::limits::k6_status;
use super::{Action, Machine, Moment, Phase, Progress, State, Step, StopSignal};
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
        // SIGHUP and SIGQUIT end k6 at once whatever it does, and so they do here.
        let has_time = signal.is_none_or(StopSignal::is_graceful);
        let had_setup = !has_begun && self.setup_done.take().is_some();
        let teardown = has_time && had_setup && self.settings.teardown;
        let step = match signal {
            signal if teardown => Step::Teardown { then: signal },
            // It would kill k6 before it has its handler, and after its run is over, in place of its own code.
            Some(signal) if signal.is_graceful() && has_begun => Step::Asked(signal),
            Some(signal) if signal.is_graceful() && !self.handles_signals => Step::HeldBack(signal),
            signal => Step::Told {
                signalled: signal.is_some(),
            },
        };
        if !matches!(step, Step::HeldBack(_)) {
            actions.push(Action::Poll(None));
        }
        actions.extend(match step {
            // A teardown() that hangs must leave k6 time to end by itself.
            Step::Teardown { .. } => Some(Action::RunTeardown(self.settings.grace / 2)),
            Step::Asked(_) => Some(Action::AskK6),
            Step::HeldBack(signal) => {
                let (name, _) = signal.name_and_number();
                self.notes.push(format!(
                    "k6 cannot handle {name} yet, and gets it when it can"
                ));
                None
            }
            Step::Told { .. } | Step::LeftAlone | Step::Killed => Some(told(signal)),
        });
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
        *step = Step::Told {
            signalled: then.is_some(),
        };
        if let Err(error) = result {
            self.notes.push(format!("teardown() failed: {error}"));
        }
        vec![told(then)]
    }

    /// k6 has been heard of: it may handle by now what was held back.
    pub(super) fn deliver_held_back(&mut self) -> Vec<Action> {
        let State::Stopping { step, .. } = &mut self.state else {
            return Vec::new();
        };
        let Step::HeldBack(signal) = *step else {
            return Vec::new();
        };
        if !self.handles_signals {
            return Vec::new();
        }
        *step = Step::Told { signalled: true };
        vec![Action::Poll(None), Action::SignalK6(signal)]
    }

    /// k6 was asked whether its run is over, before a signal goes to it.
    pub(super) fn on_asked(&mut self, progress: &Progress) -> Vec<Action> {
        let State::Stopping { step, .. } = &mut self.state else {
            return Vec::new();
        };
        let Step::Asked(signal) = *step else {
            return Vec::new();
        };
        let is_over = match progress {
            // It was up, and is closed before the summary is made.
            Progress::NoApi => true,
            Progress::Status(status) => *status >= k6_status::ENDED,
            Progress::Unknown => false,
        };
        if !is_over {
            *step = Step::Told { signalled: true };
            return vec![Action::SignalK6(signal)];
        }
        let (name, _) = signal.name_and_number();
        self.leave_alone(&format!("{name} is held back"));
        Vec::new()
    }

    pub(super) fn on_stop_failed(&mut self, no_api: bool, detail: &str) -> Vec<Action> {
        let has_begun = self.start.is_some();
        let State::Stopping { step, .. } = &mut self.state else {
            return Vec::new();
        };
        // Whoever has sent a signal meanwhile has told k6 enough: a second one would end it at once.
        if *step != (Step::Told { signalled: false }) {
            return Vec::new();
        }
        if no_api && has_begun {
            self.leave_alone("it is not stopped");
            return Vec::new();
        }
        *step = Step::Told { signalled: true };
        self.notes.push(format!(
            "k6 cannot be stopped by its API ({detail}); sending SIGTERM"
        ));
        vec![Action::SignalK6(StopSignal::Terminate)]
    }

    fn leave_alone(&mut self, how: &str) {
        if let State::Stopping { step, .. } = &mut self.state {
            *step = Step::LeftAlone;
            let grace = humantime::format_duration(self.settings.grace);
            self.notes.push(format!(
                "k6's run is over, and {how}, so that k6 can flush its outputs and write its summary; it is given {grace}"
            ));
        }
    }

    pub(super) fn on_signal(&mut self, signal: StopSignal, now: Moment<'_>) -> Vec<Action> {
        let (name, number) = signal.name_and_number();
        if let State::Stopping { step, .. } = &mut self.state {
            let first = match *step {
                Step::Killed => return Vec::new(),
                Step::Asked(first) => Some(Action::SignalK6(first)),
                _ => None,
            };
            // Whoever asks twice does not want to wait.
            *step = Step::Told { signalled: true };
            return first
                .into_iter()
                .chain([Action::SignalK6(signal)])
                .collect();
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

    /// k6 has run for longer than it may.
    pub(super) fn ran_too_long(&mut self, now: Moment<'_>) -> Vec<Action> {
        let limit = humantime::format_duration(self.settings.max_run);
        let reason = format!(
            "k6 had not ended {limit} after the start, so it was stopped; --max-run (TMINUS_MAX_RUN) sets how long it may take"
        );
        let ending = Ending::own(Phase::Failed, code::RAN_TOO_LONG, reason);
        self.wind_up(ending, None, now)
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
            State::Stopping {
                ending,
                step,
                until,
            } if *step != Step::Killed => {
                *step = Step::Killed;
                *until = now.mono + self.settings.grace;
                let grace = humantime::format_duration(self.settings.grace);
                let why = format!("k6 did not end within {grace} (--grace) and was killed");
                ending.reason = format!("{}; {why}", ending.reason);
                self.notes.push(why);
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
