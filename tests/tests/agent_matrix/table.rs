//! What is expected of each cell, once for the tests and for the documentation.

use std::fmt;

use rendezvous::Phase;

/// How far k6 is when something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// It reads its script, and its API is not up.
    Reading,
    /// It builds its VUs, and its API is up.
    Building,
    /// The agent has it run setup(), before the runner is ready.
    EarlySetup,
    /// It is paused, and no instant is set.
    Ready,
    /// It is paused, and the instant is ten minutes ahead.
    Armed,
    /// It runs setup() itself, after the instant (`--setup k6`).
    K6Setup,
    /// The load runs.
    Running,
    /// It runs teardown().
    Teardown,
    /// The run is over, and an output takes its time to take the last samples.
    Flushing,
    /// It makes and writes its summary.
    Summary,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The agent gets SIGTERM.
    Terminate,
    /// The agent gets SIGINT.
    Interrupt,
    /// The agent gets SIGTERM, and once more when the first has had its effect.
    TerminateTwice,
    /// The agent gets SIGHUP.
    HangUp,
    /// The agent gets SIGQUIT.
    Quit,
    /// The run is aborted.
    Abort,
    /// Somebody stops k6 by its API, behind the agent's back.
    Stop,
    /// k6 gets SIGKILL.
    KillK6,
    /// The agent gets SIGKILL.
    KillAgent,
}

/// How the agent ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// In this phase, and with one of these codes: the first as a rule.
    With(Phase, &'static [u8]),
    /// Without a word: it was killed.
    Silent,
    /// k6's API is not there, so nobody can.
    Impossible,
}

pub const WHENS: [When; 10] = [
    When::Reading,
    When::Building,
    When::EarlySetup,
    When::Ready,
    When::Armed,
    When::K6Setup,
    When::Running,
    When::Teardown,
    When::Flushing,
    When::Summary,
];

pub const WHATS: [What; 9] = [
    What::Terminate,
    What::Interrupt,
    What::TerminateTwice,
    What::HangUp,
    What::Quit,
    What::Abort,
    What::Stop,
    What::KillK6,
    What::KillAgent,
];

const fn aborted(codes: &'static [u8]) -> End {
    End::With(Phase::Aborted, codes)
}

const fn failed(codes: &'static [u8]) -> End {
    End::With(Phase::Failed, codes)
}

const fn finished(codes: &'static [u8]) -> End {
    End::With(Phase::Finished, codes)
}

/// By when, then by what, in the order of [`WHENS`] and [`WHATS`].
#[rustfmt::skip]
const TABLE: [[End; WHATS.len()]; WHENS.len()] = [
    // SIGTERM          SIGINT           SIGTERM twice          SIGHUP           SIGQUIT        abort           stop by the API  k6 killed        agent killed
    [aborted(&[105]), aborted(&[105]), aborted(&[143]),      aborted(&[129]), aborted(&[2]), aborted(&[76]), End::Impossible, failed(&[137]),   End::Silent],
    [aborted(&[105]), aborted(&[105]), aborted(&[105, 143]), aborted(&[129]), aborted(&[2]), aborted(&[76]), failed(&[103]),  failed(&[137]),   End::Silent],
    [aborted(&[105]), aborted(&[105]), aborted(&[105, 143]), aborted(&[129]), aborted(&[2]), aborted(&[76]), failed(&[103]),  failed(&[137]),   End::Silent],
    [aborted(&[105]), aborted(&[105]), aborted(&[105]),      aborted(&[129]), aborted(&[2]), aborted(&[76]), failed(&[103]),  failed(&[137]),   End::Silent],
    [aborted(&[105]), aborted(&[105]), aborted(&[105]),      aborted(&[129]), aborted(&[2]), aborted(&[76]), failed(&[103]),  failed(&[137]),   End::Silent],
    [aborted(&[105]), aborted(&[105]), aborted(&[105, 143]), aborted(&[129]), aborted(&[2]), aborted(&[76]), finished(&[103]), finished(&[137]), End::Silent],
    [aborted(&[105]), aborted(&[105]), aborted(&[105]),      aborted(&[129]), aborted(&[2]), aborted(&[76]), finished(&[103]), finished(&[137]), End::Silent],
    [aborted(&[105]), aborted(&[105]), aborted(&[105]),      aborted(&[129]), aborted(&[2]), aborted(&[76]), finished(&[103]), finished(&[137]), End::Silent],
    [finished(&[0]),  finished(&[0]),  aborted(&[143]),      aborted(&[129]), aborted(&[2]), aborted(&[76]), finished(&[0]),  finished(&[137]), End::Silent],
    [finished(&[0]),  finished(&[0]),  aborted(&[143]),      aborted(&[129]), aborted(&[2]), aborted(&[76]), End::Impossible, finished(&[137]), End::Silent],
];

/// What is expected.
pub fn end(when: When, what: What) -> End {
    TABLE[when as usize][what as usize]
}

/// The table in Markdown.
pub fn markdown() -> String {
    let mut lines = vec![
        row("k6 …", WHATS.map(|what| what.to_string())),
        row("---", WHATS.map(|_| "---".to_owned())),
    ];
    lines.extend(WHENS.map(|when| {
        row(
            &when.to_string(),
            WHATS.map(|what| end(when, what).to_string()),
        )
    }));
    lines.join("\n")
}

fn row(first: &str, others: [String; WHATS.len()]) -> String {
    format!("| {first} | {} |", others.join(" | "))
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reading => "reads its script",
            Self::Building => "builds its VUs",
            Self::EarlySetup => "runs an early setup()",
            Self::Ready => "is paused, *ready*",
            Self::Armed => "is paused, *armed*",
            Self::K6Setup => "runs setup() (`--setup k6`)",
            Self::Running => "makes its load",
            Self::Teardown => "runs teardown()",
            Self::Flushing => "flushes its outputs",
            Self::Summary => "writes its summary",
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::TerminateTwice => "SIGTERM twice",
            Self::HangUp => "SIGHUP",
            Self::Quit => "SIGQUIT",
            Self::Abort => "run aborted",
            Self::Stop => "k6 stopped by its API",
            Self::KillK6 => "k6 killed",
            Self::KillAgent => "agent killed",
        })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::With(phase, codes) => {
                let codes: Vec<_> = codes.iter().map(u8::to_string).collect();
                write!(f, "{} {phase}", codes.join(" or "))
            }
            Self::Silent => f.write_str("(137)"),
            Self::Impossible => f.write_str("–"),
        }
    }
}
