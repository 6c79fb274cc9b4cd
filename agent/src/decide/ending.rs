//! How a runner ends: its last phase, its exit code and the reason.

use rendezvous::{Phase, code};

/// How k6's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum K6Exit {
    /// With this code.
    Code(u8),
    /// Killed by this signal.
    Signal(u8),
}

impl K6Exit {
    /// The code that a shell would give: 128 + n for a signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

impl std::fmt::Display for K6Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Which exit code an ending has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeRule {
    /// This one, whatever k6 says when it is stopped: the agent itself stopped it.
    Own(u8),
    /// k6's own: it was a signal from outside that ended it, not the agent.
    OfK6,
}

/// An end that has been decided, while k6 may still have to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The last phase.
    pub phase: Phase,
    /// The exit code.
    pub code: CodeRule,
    /// Why, for people.
    pub reason: String,
}

impl Ending {
    /// An ending with a code of our own.
    pub fn own(phase: Phase, code: u8, reason: impl Into<String>) -> Self {
        Self {
            phase,
            code: CodeRule::Own(code),
            reason: reason.into(),
        }
    }

    /// The end, once k6 is gone.
    #[must_use]
    pub fn end(self, k6: Option<K6Exit>) -> End {
        let code = match (self.code, k6) {
            (CodeRule::Own(code), _) => code,
            (CodeRule::OfK6, Some(exit)) => exit.code(),
            // Nothing ran yet that could have a code.
            (CodeRule::OfK6, None) => code::ABORTED,
        };
        End {
            phase: self.phase,
            code,
            reason: Some(self.reason),
        }
    }
}

/// The end of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// A final phase.
    pub phase: Phase,
    /// What the agent exits with.
    pub code: u8,
    /// Why, for people; none where k6 ran and the code says it all.
    pub reason: Option<String>,
}
