//! The words in which the machine is spoken to and answers.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use clock::{Knowledge, Reading};
use rendezvous::{Abort, LatePolicy, Plan, Report, Slot};

use crate::decide::admission::Rules;
use crate::decide::ending::K6Exit;
use crate::decide::mark::Mark;
use crate::decide::setup::SetupFailure;

/// When something happened, on the two clocks that matter.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// For how long something lasts: this process's monotonic clock.
    pub mono: Instant,
    /// For instants: the runner's corrected clock.
    pub time: Reading,
    /// What that clock rests on.
    pub knowledge: &'a Knowledge,
}

impl Moment<'_> {
    /// UTC, as well as it is known: in doubt, as it was held before.
    #[must_use]
    pub fn utc(&self) -> DateTime<Utc> {
        self.time.held
    }
}

/// What the machine was told on the command line.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose plans to obey, and what to do when late.
    pub rules: Rules,
    /// What the clock has to keep.
    pub clock: clock::Terms,
    /// What an earlier process of this runner left beside its report.
    pub mark: Option<Mark>,
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
    /// How long k6 may run, from the resume, until it is told to end.
    pub max_run: Duration,
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
    /// Whether k6 ends its run in good order on the first of them, once it has set its handler and until the run is
    /// over; before and after that it is killed by it.
    #[must_use]
    pub fn is_graceful(self) -> bool {
        matches!(self, Self::Terminate | Self::Interrupt)
    }

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

/// A signal that ends no run, passed on to k6 as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherSignal {
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
    /// SIGWINCH: the terminal has another size.
    WindowChange,
}

/// How far k6 is with its run, as its API tells when it is asked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Its status.
    Status(u64),
    /// Nobody listens: its API is not up yet, or no more.
    NoApi,
    /// It gave no answer that can be read.
    Unknown,
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
    /// The clock was not good enough when the instant came, and why; nothing was sent.
    Unfit(String),
    /// k6 could not be reached, so nothing was sent.
    NotSent(String),
    /// The resume was sent, once.
    Sent {
        /// When the agent decided to send: read just before the request is written, which is the last thing known for
        /// certain. The bytes leave some tenths of a millisecond later, and more where the thread is held up in
        /// between, or where the connection had to be opened anew.
        fired_at: DateTime<Utc>,
        /// By how much later than the instant.
        lateness: TimeDelta,
        /// The clock's error then, without the way from there to the first byte; none if nobody has measured it.
        clock_error: Option<Duration>,
        /// What k6 said.
        reply: Reply,
    },
}

/// What a runner does with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreSide {
    /// Reads plan and abort.
    Reading,
    /// Reads what an earlier process of it left.
    Earlier,
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
    /// The clock was measured, or has learnt something else.
    ClockMeasured,
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
    StopFailed {
        /// Nobody listens: k6's API is not up yet, or no more.
        no_api: bool,
        /// Why, for people.
        detail: String,
    },
    /// What k6 says of its progress, as it was asked.
    Asked(Progress),
    /// The thread that waits for the instant has ended.
    Triggered(Triggered),
    /// k6's process has ended.
    K6Ended(K6Exit),
    /// k6 could not be started: the shell's code for it, and why.
    K6NotStarted(u8, String),
    /// Somebody wants us to stop.
    Signal(StopSignal),
    /// Somebody has something else to say to k6.
    OtherSignal(OtherSignal),
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
    /// Ask k6 for its progress, once.
    AskK6,
    /// Send a signal to k6's process group.
    SignalK6(StopSignal),
    /// Send it this signal.
    PassOn(OtherSignal),
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
        /// What the clock has to keep when the instant comes.
        clock: clock::Terms,
    },
    /// Call that thread off.
    Disarm,
    /// Ask k6's API for its status this often, or no more.
    Poll(Option<Duration>),
    /// The report has changed: publish it.
    Report,
}
