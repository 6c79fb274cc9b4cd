//! What a round is made of: who takes part, on what terms, and what goes wrong when.

use std::{fmt, time::Duration};

use rendezvous::{LatePolicy, Phase};
use support::fake_k6::Behaviour;

use super::fault::Fault;

/// When a fault comes.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// So long after the beginning.
    After(Duration),
    /// So long after its runner (the first one, where it is no runner's) reported this phase.
    Phase(Phase, Duration),
    /// So many milliseconds after the instant (negative: before).
    Instant(i64),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => write!(f, "after {time:?}"),
            Self::Phase(phase, time) => write!(f, "{time:?} after {phase}"),
            Self::Instant(millis) => write!(f, "at the instant {millis:+} ms"),
        }
    }
}

/// A runner.
#[derive(Clone, Debug)]
pub struct RunnerScript {
    /// When its agent is started.
    pub comes_after: Duration,
    /// How its k6 behaves.
    pub k6: Behaviour,
}

/// A round.
#[derive(Clone, Debug)]
pub struct Script {
    /// The runners.
    pub runners: Vec<RunnerScript>,
    /// When each scheduler is started.
    pub schedulers: Vec<Duration>,
    /// How many runners are wanted; more than there are, where some never come.
    pub wanted: usize,
    /// How many will do.
    pub minimum: usize,
    /// How long the schedulers wait for them.
    pub max_wait: Duration,
    /// How far ahead the instant is set.
    pub lead: Duration,
    /// What a late runner does.
    pub late: LatePolicy,
    /// Whether there is no start unless all are armed.
    pub all_or_none: bool,
    /// Whether the schedulers wait for the runners' ends.
    pub wait: bool,
    /// Whether the plan of another run stands in the store, with an instant to come.
    pub left_over: bool,
    /// What goes wrong.
    pub faults: Vec<(When, Fault)>,
}

impl Script {
    /// So many runners and one scheduler that waits for their ends; nothing goes wrong yet.
    pub fn new(runners: usize) -> Self {
        let runner = RunnerScript {
            comes_after: Duration::ZERO,
            k6: Behaviour {
                run: Duration::from_millis(1500),
                ..Behaviour::default()
            },
        };
        Self {
            runners: vec![runner; runners],
            schedulers: vec![Duration::ZERO],
            wanted: runners,
            minimum: runners,
            max_wait: Duration::from_secs(8),
            lead: Duration::from_millis(1500),
            late: LatePolicy::Refuse,
            all_or_none: false,
            wait: true,
            left_over: false,
            faults: Vec::new(),
        }
    }

    /// With one fault more.
    pub fn with(mut self, when: When, fault: Fault) -> Self {
        self.faults.push((when, fault));
        self
    }

    /// Whether any of its faults is one of these.
    pub fn has(&self, is_one: impl Fn(Fault) -> bool) -> bool {
        self.faults.iter().any(|(_, fault)| is_one(*fault))
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} runners ({} wanted, {} will do), schedulers after {:?}, max-wait {:?}, lead {:?}, late {}, {}{}{}",
            self.runners.len(),
            self.wanted,
            self.minimum,
            self.schedulers,
            self.max_wait,
            self.lead,
            self.late,
            if self.wait { "wait" } else { "no wait" },
            if self.all_or_none {
                ", all or none"
            } else {
                ""
            },
            if self.left_over {
                ", another run's plan"
            } else {
                ""
            },
        )?;
        for (number, runner) in self.runners.iter().enumerate() {
            let k6 = &runner.k6;
            writeln!(
                f,
                "  runner {number} after {:?}: init {:?}, setup {:?}, resume {:?}, run {:?}, code {}",
                runner.comes_after, k6.init, k6.setup_takes, k6.resume, k6.run, k6.exit_code
            )?;
        }
        for (when, fault) in &self.faults {
            writeln!(f, "  {when}: {fault}")?;
        }
        Ok(())
    }
}
