//! The phases of a runner as one explicit state machine: events in, actions out.
//!
//! It holds no clock and does no I/O. Every event comes with the [`Moment`] at
//! which it happened.

mod arm;
mod wind_up;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{Abort, LatePolicy, Phase, Plan, PlanId, Report, Slot};

use super::admission::{Earlier, Rules};
use super::ending::{End, Ending, K6Exit, code};
use super::setup::SetupFailure;

/// When something happened, on the two clocks that matter.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// For how long something lasts: this process's monotonic clock.
    pub mono: Instant,
    /// For instants: UTC by the runner's corrected clock.
    pub utc: DateTime<Utc>,
}

/// What the machine was told on the command line.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose plans to obey, and what to do when late.
    pub rules: Rules,
    /// Whether setup() is run by us, before the instant.
    pub early_setup: bool,
    /// Whether an early setup() that no run follows is torn down.
    pub teardown: bool,
    /// Runs an early setup() again if it is older than this when the runner arms.
    pub setup_max_age: Option<Duration>,
    /// How long to wait for a plan before giving up, from the start of the agent.
    pub deadline: Duration,
    /// How long k6 may take until it waits for the resume (status 4), from its start.
    pub ready_timeout: Duration,
    /// How long k6 may take to end when it is told to, until it is killed.
    pub grace: Duration,
}

/// A signal that ends a run, passed on to k6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// Graceful in k6, code 105.
    Terminate,
    /// Graceful in k6, code 105.
    Interrupt,
    /// Ends k6 at once.
    HangUp,
    /// Ends k6 at once, with a dump of its goroutines (code 2).
    Quit,
}

impl StopSignal {
    /// Its name and number on Linux.
    #[must_use]
    pub fn name_and_number(self) -> (&'static str, u8) {
        match self {
            Self::Terminate => ("SIGTERM", 15),
            Self::Interrupt => ("SIGINT", 2),
            Self::HangUp => ("SIGHUP", 1),
            Self::Quit => ("SIGQUIT", 3),
        }
    }
}

/// What k6 answered to the resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A 2xx: taken.
    Accepted,
    /// Another status, or no answer: it may have been taken or not.
    Unclear(String),
}

/// What came of the thread that waits for the instant.
#[derive(Debug, Clone, PartialEq)]
pub enum Triggered {
    /// Called off before anything was sent.
    Disarmed,
    /// Woke up so late that the policy forbids to start; nothing was sent.
    TooLate(TimeDelta),
    /// k6 could not be reached, so nothing was sent.
    NotSent(String),
    /// The resume was sent, once.
    Sent {
        /// When.
        fired_at: DateTime<Utc>,
        /// By how much later than the instant.
        lateness: TimeDelta,
        /// The clock's error then; none if nobody has measured it.
        clock_error: Option<Duration>,
        /// What k6 said.
        reply: Reply,
    },
}

/// The two things that a runner does with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreSide {
    /// Reads plan, abort and its earlier report.
    Reading,
    /// Writes its report.
    Writing,
}

/// What happens to a runner.
#[derive(Debug, Clone)]
pub enum Event {
    /// What stands in the store for our stage.
    Board {
        /// The plan.
        plan: Slot<Plan>,
        /// The run-wide abort.
        abort: Slot<Abort>,
    },
    /// The store does not do as it should.
    StoreTrouble {
        /// What cannot be done with it.
        side: StoreSide,
        /// What is wrong, for people.
        text: String,
        /// Waiting will not help.
        denied: bool,
    },
    /// Our report stands in the store.
    ReportWritten,
    /// What an earlier process of this runner left in the store.
    Earlier(Option<Box<Report>>),
    /// k6's API says this of it.
    Status {
        /// k6's own number for what it does.
        status: u64,
        /// How many VUs it has built.
        vus: Option<u64>,
    },
    /// k6's API does not answer as it should.
    ApiTrouble(String),
    /// `POST /v1/setup` ended.
    SetupEnded(Result<Duration, SetupFailure>),
    /// `POST /v1/teardown` ended.
    TeardownEnded(Result<(), String>),
    /// The REST stop could not be delivered.
    StopFailed(String),
    /// The thread that waits for the instant has ended.
    Triggered(Triggered),
    /// k6's process has ended.
    K6Ended(K6Exit),
    /// k6 could not be started: the shell's code for it, and why.
    K6NotStarted(u8, String),
    /// Somebody wants us to stop.
    Signal(StopSignal),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Start k6, paused, on a free port.
    StartK6,
    /// Send `POST /v1/setup`, once.
    RunSetup,
    /// Close the connection of that POST.
    CancelSetup,
    /// Send `POST /v1/teardown`, and give it this long.
    RunTeardown(Duration),
    /// Stop k6 by its API.
    StopK6,
    /// Send a signal to k6's process group.
    SignalK6(StopSignal),
    /// Kill k6's process group.
    KillK6,
    /// Start the thread that waits for the instant.
    Arm {
        /// When to resume k6.
        start_at: DateTime<Utc>,
        /// What to do when late after all.
        late: LatePolicy,
        /// How late is still on time.
        tolerance: Duration,
    },
    /// Call that thread off.
    Disarm,
    /// Ask k6's API for its status this often, or no more.
    Poll(Option<Duration>),
    /// The report has changed: publish it.
    Report,
}

/// How often k6 is asked while it comes up: a reader sees VUs grow, and readiness is late by a tenth of a second at most.
const POLL_STARTING: Duration = Duration::from_millis(100);
/// How often k6 is asked right after the resume: what it costs k6 delays its first requests, where runners share cores.
const POLL_CONFIRMING: Duration = Duration::from_millis(10);
/// How often k6 is asked while it runs a setup() of its own, until its load runs.
const POLL_UNTIL_LOAD: Duration = Duration::from_millis(50);
/// How long a resume may stay unconfirmed. k6 answers within milliseconds; a machine so busy that it takes ten
/// seconds makes no load worth having.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
/// How long a store that denies access, or holds what cannot be read, is waited for: long enough for a person or
/// controller that is about to put it right, too short to hide a mistake.
pub const TROUBLE_LIMIT: Duration = Duration::from_secs(30);
/// How long the store may take before k6 is started all the same, paused.
pub const ADMISSION_WAIT: Duration = Duration::from_secs(2);
/// How much longer than its scheduler a runner waits: the scheduler renews its promise every 30 s, and says so itself when
/// it gives up.
const BEYOND_SCHEDULER: Duration = Duration::from_secs(30);
/// Between a connection that k6 dropped and the news that k6 itself ended lies no more than this.
const EXIT_FOLLOWS_WITHIN: Duration = Duration::from_secs(1);
/// Ports lost in a race before the fault is held to be another one.
const MOST_PORTS: u32 = 5;
/// k6's exit code where its API address is taken.
const ADDRESS_TAKEN: K6Exit = K6Exit::Code(106);

mod k6_status {
    //! k6's own numbers (`lib.ExecutionStatus`, v1.1.0 and v2.2.0).
    pub const PAUSED_BEFORE_RUN: u64 = 4;
    pub const STARTED: u64 = 5;
    pub const RUNNING: u64 = 7;
}

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
    /// k6 was told.
    Told,
    /// k6 was killed.
    Killed,
}

/// The start as it was, for the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// When the resume was sent.
    pub fired_at: DateTime<Utc>,
    /// By how much later than the instant.
    pub lateness: TimeDelta,
    /// The clock's error then.
    pub clock_error: Option<Duration>,
    /// When k6 was first seen past its pause.
    pub running_at: Option<DateTime<Utc>>,
    /// When the load was first seen running.
    pub load_at: Option<DateTime<Utc>>,
}

/// A runner.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    began: Instant,
    state: State,
    phase: Phase,
    give_up_at: Instant,
    /// The latest plan and since when; `None` until the store was read.
    board: Option<Option<Plan>>,
    /// What an earlier process left; `None` until the store was read.
    earlier: Option<Option<Earlier>>,
    seen: Option<PlanId>,
    armed: bool,
    setup_done: Option<(Instant, Duration)>,
    start: Option<Start>,
    vus: Option<u64>,
    api_seen: bool,
    ports_tried: u32,
    trouble_reading: Option<Trouble>,
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
    pub fn new(settings: Settings, now: Moment) -> Self {
        Self {
            began: now.mono,
            give_up_at: now.mono + settings.deadline,
            state: State::Admitting,
            phase: Phase::Starting,
            board: None,
            earlier: None,
            seen: None,
            armed: false,
            setup_done: None,
            start: None,
            vus: None,
            api_seen: false,
            ports_tried: 0,
            trouble_reading: None,
            trouble_writing: None,
            api_trouble: None,
            left_over: None,
            notes: Vec::new(),
            settings,
        }
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
    pub fn start(&self) -> Option<&Start> {
        self.start.as_ref()
    }

    /// What is worth telling to people, since it was asked last.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// What the runner waits for, for people.
    #[must_use]
    pub fn waiting_for(&self) -> Option<String> {
        let what = match &self.state {
            State::Admitting => "the store".to_owned(),
            State::Building { .. } => match (self.api_seen, self.vus, &self.api_trouble) {
                (_, _, Some(trouble)) => format!("k6's API: {trouble}"),
                (true, Some(vus), None) => format!("k6 to build its VUs, {vus} so far"),
                (true, None, None) => "k6 to build its VUs".to_owned(),
                (false, ..) => "k6 to read the script".to_owned(),
            },
            State::SettingUp | State::SetupDropped { .. } => "setup()".to_owned(),
            State::Waiting => match (&self.left_over, &self.seen) {
                (Some(left_over), _) => format!("a plan ({left_over})"),
                (None, None) => "a plan".to_owned(),
                (None, Some(_)) => "the instant".to_owned(),
            },
            State::Stopping { .. } => "k6 to end".to_owned(),
            State::Armed { .. } | State::Confirming { .. } | State::Running | State::Ended(_) => {
                return None;
            }
        };
        Some(match self.trouble() {
            Some(trouble) => format!("{what}; {}", trouble.text),
            None => what,
        })
    }

    /// How soon the machine wants a [`Event::Tick`], if nothing else happens.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        match self.state {
            // A plan may become late any moment.
            State::Admitting
            | State::Building { .. }
            | State::SettingUp
            | State::SetupDropped { .. } => Duration::from_millis(250),
            State::Confirming { .. } | State::Stopping { .. } => Duration::from_millis(250),
            State::Waiting | State::Armed { .. } | State::Running | State::Ended(_) => {
                Duration::from_secs(1)
            }
        }
    }

    /// Takes an event in, and says what is to be done, in this order.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Action> {
        if matches!(self.state, State::Ended(_)) {
            return Vec::new();
        }
        let before = (self.phase, self.seen.clone(), self.start.clone());
        let mut actions = self.react(event, now);
        let after = (self.phase, self.seen.clone(), self.start.clone());
        // `Fired` alone is not published: with `Running`, milliseconds later, it is one write.
        if before != after && !matches!(self.state, State::Confirming { .. }) {
            actions.push(Action::Report);
        }
        actions
    }

    fn react(&mut self, event: Event, now: Moment) -> Vec<Action> {
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
            Event::Earlier(report) => {
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
            Event::StopFailed(detail) => self.on_stop_failed(&detail),
            Event::Triggered(triggered) => self.on_triggered(triggered, now),
            Event::K6Ended(exit) => self.on_k6_ended(exit, now),
            Event::K6NotStarted(code, why) => {
                self.finish(Ending::own(Phase::Failed, code, why).end(None));
                Vec::new()
            }
            Event::Signal(signal) => self.on_signal(signal, now),
            Event::Tick => self.on_tick(now),
        }
    }

    fn on_status(&mut self, status: u64, vus: Option<u64>, now: Moment) -> Vec<Action> {
        self.api_seen = true;
        self.api_trouble = None;
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
            State::Confirming { .. } if status >= k6_status::STARTED => {
                self.phase = Phase::Running;
                self.state = State::Running;
                self.saw_running(status, now)
            }
            State::Running => self.saw_running(status, now),
            _ => Vec::new(),
        }
    }

    fn saw_running(&mut self, status: u64, now: Moment) -> Vec<Action> {
        let Some(start) = &mut self.start else {
            return Vec::new();
        };
        start.running_at.get_or_insert(now.utc);
        if status < k6_status::RUNNING {
            return vec![Action::Poll(Some(POLL_UNTIL_LOAD))];
        }
        start.load_at.get_or_insert(now.utc);
        vec![Action::Poll(None)]
    }

    fn trouble(&self) -> Option<&Trouble> {
        self.trouble_reading
            .as_ref()
            .or(self.trouble_writing.as_ref())
    }

    fn on_built(&mut self, now: Moment) -> Vec<Action> {
        if self.settings.early_setup {
            self.state = State::SettingUp;
            return vec![Action::Poll(None), Action::RunSetup];
        }
        let mut actions = vec![Action::Poll(None)];
        actions.extend(self.become_ready(now));
        actions
    }

    fn become_ready(&mut self, now: Moment) -> Vec<Action> {
        self.state = State::Waiting;
        self.phase = Phase::Ready;
        self.consider(now)
    }

    fn on_setup_ended(
        &mut self,
        result: Result<Duration, SetupFailure>,
        now: Moment,
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

    fn setup_failed(&mut self, failure: &SetupFailure, now: Moment) -> Vec<Action> {
        self.wind_up(
            Ending::own(Phase::Failed, failure.code(), failure.reason()),
            None,
            now,
        )
    }

    fn on_triggered(&mut self, triggered: Triggered, now: Moment) -> Vec<Action> {
        let State::Armed { ending, k6_ended } = &mut self.state else {
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
                self.start = Some(Start {
                    fired_at,
                    lateness,
                    clock_error,
                    running_at: None,
                    load_at: None,
                });
                let (accepted, doubt) = match reply {
                    Reply::Accepted => (true, None),
                    Reply::Unclear(doubt) => (false, Some(doubt)),
                };
                self.state = State::Confirming {
                    accepted,
                    doubt,
                    until: now.mono + CONFIRM_WITHIN,
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

    fn on_k6_ended(&mut self, exit: K6Exit, now: Moment) -> Vec<Action> {
        match &self.state {
            State::Building { .. }
                if exit == ADDRESS_TAKEN && !self.api_seen && self.ports_tried < MOST_PORTS =>
            {
                self.notes.push(
                    "the port for k6's API was taken by another process; trying another".to_owned(),
                );
                self.start_k6(now)
            }
            State::Stopping { ending, .. } => {
                let mut end = ending.clone().end(Some(exit));
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
            State::Armed { ending, .. } => {
                self.state = State::Armed {
                    ending: ending.clone(),
                    k6_ended: Some(exit),
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

    fn finish(&mut self, end: End) {
        self.phase = end.phase;
        self.state = State::Ended(end);
    }

    fn start_k6(&mut self, now: Moment) -> Vec<Action> {
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
