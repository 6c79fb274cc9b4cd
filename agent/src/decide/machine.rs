//! The phases of a runner as one explicit state machine: events in, actions out.
//!
//! It holds no clock and does no I/O. Every event comes with the [`Moment`] at
//! which it happened.

mod arm;
mod k6;
mod limits;
mod telling;
mod time;
mod vocabulary;
mod wind_up;

#[cfg(test)]
mod tests;

use std::mem::Discriminant;
use std::time::{Duration, Instant};

use clock::{Obstacle, Unfit};
use rendezvous::{LatePolicy, Phase, Plan, PlanId, StartReport, Terms};

pub use vocabulary::{
    Action, Event, Moment, OtherSignal, Progress, Reply, Settings, StopSignal, StoreSide, Triggered,
};

use super::admission::Earlier;
use super::ending::{End, Ending, K6Exit};
use super::setup::SetupFailure;
use limits::POLL_CONFIRMING;

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// Reads the store; k6 is not started yet.
    Admitting,
    /// k6 is started, and not at status 4 yet.
    Building { until: Instant },
    /// `POST /v1/setup` is open.
    SettingUp,
    /// That POST was dropped; perhaps because k6 is ending.
    SetupDropped {
        failure: SetupFailure,
        until: Instant,
    },
    /// k6 waits for the resume, and so do we.
    Waiting,
    /// A thread waits for the instant. With an ending where it was called off, and with k6's end where that
    /// is known before the thread's word: k6 may have been resumed, and have run.
    Armed {
        ending: Option<(Ending, Option<StopSignal>)>,
        k6_ended: Option<K6Exit>,
        /// By this process's own clock the instant is long past then.
        until: Instant,
    },
    /// The resume was sent, and k6 has not been seen running.
    Confirming {
        accepted: bool,
        doubt: Option<String>,
        until: Instant,
    },
    /// k6 runs.
    Running,
    /// k6 is being stopped.
    Stopping {
        ending: Ending,
        step: Step,
        until: Instant,
    },
    /// Over.
    Ended(End),
}

/// How far a stop has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// `POST /v1/teardown` is open; then this is how k6 is to be stopped.
    Teardown { then: Option<StopSignal> },
    /// k6 cannot handle this signal yet, and gets it when it can.
    HeldBack(StopSignal),
    /// k6 is asked how far it is, as this signal would only do harm if its run is over.
    Asked(StopSignal),
    /// k6's run is over, and it ends by itself.
    LeftAlone,
    /// k6 was told: by its API, or, where it got one, by a signal.
    Told { signalled: bool },
    /// k6 was killed.
    Killed,
}

/// A runner.
#[derive(Debug, Clone)]
pub struct Machine {
    settings: Settings,
    began: Instant,
    state: State,
    phase: Phase,
    give_up_at: Instant,
    /// The latest plan, whoever's; `None` until the store was read.
    board: Option<Option<Plan>>,
    /// What an earlier process left; `None` until the store was read.
    earlier: Option<Option<Earlier>>,
    seen: Option<PlanId>,
    armed: bool,
    /// Why the clock is not good enough, as of now.
    unfit: Option<Unfit>,
    /// What kind of reason that is: a figure that grows is no news.
    obstacle: Option<Discriminant<Obstacle>>,
    /// Whether the clock has ever been good enough.
    was_fit: bool,
    /// That nobody was found who tells the time is told once.
    told_of_nobody: bool,
    /// The terms of the start that it is armed for: what to do when late, and how late is still on time.
    late: LatePolicy,
    tolerance: Duration,
    setup_done: Option<(Instant, Duration)>,
    start: Option<StartReport>,
    /// That nobody could say what time the start was is told once.
    closing_failed: bool,
    /// That somebody without a vote contradicts the clock is told once.
    contradicted: bool,
    vus: Option<u64>,
    api_seen: bool,
    /// Whether k6 is known to have set its handler for SIGTERM and SIGINT.
    handles_signals: bool,
    /// When k6, once resumed, has run for too long.
    run_until: Option<Instant>,
    ports_tried: u32,
    trouble_reading: Option<Trouble>,
    trouble_earlier: Option<Trouble>,
    trouble_writing: Option<Trouble>,
    api_trouble: Option<String>,
    left_over: Option<String>,
    notes: Vec<String>,
}

/// The store does not work as it should.
#[derive(Debug, Clone)]
struct Trouble {
    text: String,
    /// Since when it has been one of those that waiting does not mend.
    hopeless_since: Option<Instant>,
}

impl Machine {
    /// A runner that begins now.
    #[must_use]
    pub fn new(settings: Settings, now: Moment<'_>) -> Self {
        let mut machine = Self {
            began: now.mono,
            give_up_at: now.mono + settings.deadline,
            state: State::Admitting,
            phase: Phase::Starting,
            board: None,
            earlier: None,
            seen: None,
            armed: false,
            unfit: None,
            obstacle: None,
            was_fit: false,
            told_of_nobody: false,
            late: LatePolicy::Refuse,
            tolerance: Terms::DEFAULT_TOLERANCE,
            setup_done: None,
            start: None,
            closing_failed: false,
            contradicted: false,
            vus: None,
            api_seen: false,
            handles_signals: false,
            run_until: None,
            ports_tried: 0,
            trouble_reading: None,
            trouble_earlier: None,
            trouble_writing: None,
            api_trouble: None,
            left_over: None,
            notes: Vec::new(),
            settings,
        };
        machine.look_at_clock(now);
        machine
    }

    /// Where the runner stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The end, once there is one.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        match &self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// The plan seen last, and whether the runner has counted down to its instant.
    #[must_use]
    pub fn plan(&self) -> (Option<&PlanId>, bool) {
        (self.seen.as_ref(), self.armed)
    }

    /// How many runners our plan wants, once there is one.
    #[must_use]
    pub fn runners_wanted(&self) -> Option<u32> {
        let plan = self.board.as_ref().and_then(Option::as_ref);
        let ours = plan.filter(|plan| self.settings.rules.is_ours(plan));
        ours.map(|plan| plan.runners_wanted)
    }

    /// Whether nothing may be published, so that a report of this process does not
    /// take the place of one that has not been read yet.
    #[must_use]
    pub fn must_not_report(&self) -> bool {
        self.earlier.is_none()
    }

    /// How many VUs k6 has built.
    #[must_use]
    pub fn vus(&self) -> Option<u64> {
        self.vus
    }

    /// How long the early setup() took.
    #[must_use]
    pub fn setup_took(&self) -> Option<Duration> {
        self.setup_done.map(|(_, took)| took)
    }

    /// The start, once k6 was resumed.
    #[must_use]
    pub fn start(&self) -> Option<&StartReport> {
        self.start.as_ref()
    }

    /// How soon the machine wants a [`Event::Tick`], if nothing else happens.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        match self.state {
            // A plan may become late any moment, or a limit be reached.
            State::Admitting
            | State::Building { .. }
            | State::SettingUp
            | State::SetupDropped { .. }
            | State::Confirming { .. }
            | State::Stopping { .. } => Duration::from_millis(250),
            State::Waiting | State::Armed { .. } | State::Running | State::Ended(_) => {
                Duration::from_secs(1)
            }
        }
    }

    /// Takes an event in, and says what is to be done, in this order.
    pub fn handle(&mut self, event: Event, now: Moment<'_>) -> Vec<Action> {
        if matches!(self.state, State::Ended(_)) {
            if let (Event::ClockMeasured, Some(firing)) = (event, now.knowledge.firing) {
                self.close_start(&firing);
            }
            return Vec::new();
        }
        let before = self.news();
        self.look_at_clock(now);
        let mut actions = self.react(event, now);
        let after = self.news();
        // `Fired` alone is not published: with `Running`, milliseconds later, it is one write.
        if before != after && !matches!(self.state, State::Confirming { .. }) {
            actions.push(Action::Report);
        }
        actions
    }

    fn react(&mut self, event: Event, now: Moment<'_>) -> Vec<Action> {
        match event {
            Event::Board { plan, abort } => self.on_board(plan, abort, now),
            Event::StoreTrouble { side, text, denied } => {
                self.note_trouble(side, text, denied, now);
                Vec::new()
            }
            Event::ReportWritten => {
                self.trouble_writing = None;
                Vec::new()
            }
            Event::ClockMeasured => self.on_clock_measured(now),
            Event::Earlier(report) => {
                self.trouble_earlier = None;
                self.earlier = Some(Earlier::of(report.as_deref(), &self.settings.rules));
                self.consider(now)
            }
            Event::Status { status, vus } => self.on_status(status, vus, now),
            Event::ApiTrouble(text) => {
                self.api_trouble = Some(text);
                Vec::new()
            }
            Event::SetupEnded(result) => self.on_setup_ended(result, now),
            Event::TeardownEnded(result) => self.on_teardown_ended(result),
            Event::StopFailed { no_api, detail } => self.on_stop_failed(no_api, &detail),
            Event::Asked(progress) => self.on_asked(&progress),
            Event::Triggered(triggered) => self.on_triggered(triggered, now),
            Event::K6Ended(exit) => self.on_k6_ended(exit, now),
            Event::K6NotStarted(code, why) => {
                self.finish(Ending::own(Phase::Failed, code, why).end(None));
                Vec::new()
            }
            Event::Signal(signal) => self.on_signal(signal, now),
            Event::OtherSignal(signal) => vec![Action::PassOn(signal)],
            Event::Tick => self.on_tick(now),
        }
    }

    fn on_triggered(&mut self, triggered: Triggered, now: Moment<'_>) -> Vec<Action> {
        let State::Armed {
            ending, k6_ended, ..
        } = &mut self.state
        else {
            return Vec::new();
        };
        let (ending, k6_ended) = (ending.take(), *k6_ended);
        let actions = match triggered {
            Triggered::Sent {
                fired_at,
                lateness,
                clock_error,
                reply,
            } => {
                self.phase = Phase::Fired;
                self.start = Some(StartReport {
                    fired_at,
                    lateness,
                    clock_error,
                    running_at: None,
                    load_at: None,
                    clock_jumped: false,
                });
                self.run_until = Some(now.mono + self.settings.max_run);
                let until = self.confirm_until(&reply, lateness, fired_at, now);
                let (accepted, doubt) = match reply {
                    Reply::Accepted => (true, None),
                    Reply::Unclear(doubt) => (false, Some(doubt)),
                };
                self.state = State::Confirming {
                    accepted,
                    doubt,
                    until,
                };
                match ending {
                    None => vec![Action::Poll(Some(POLL_CONFIRMING))],
                    Some((ending, signal)) => self.wind_up(ending, signal, now),
                }
            }
            not_sent => {
                self.state = State::Waiting;
                match (ending, k6_ended) {
                    (Some((ending, signal)), _) => self.wind_up(ending, signal, now),
                    (None, Some(_)) => Vec::new(),
                    (None, None) => self.wind_up(self.why_not_sent(not_sent), None, now),
                }
            }
        };
        match k6_ended {
            // There is no k6 left to do anything to.
            Some(exit) => self.on_k6_ended(exit, now),
            None => actions,
        }
    }

    fn finish(&mut self, end: End) {
        self.phase = end.phase;
        self.state = State::Ended(end);
    }
}
