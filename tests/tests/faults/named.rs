//! The faults by name, each in the phases in which it makes a difference, and what must come of it.

mod agents;
mod schedulers;
mod stores;

use std::time::Duration;

use rendezvous::Phase;

use super::{
    fault::Fault,
    invariants::{Load, result},
    round::Round,
    script::{Script, When},
};

/// A name, what happens, and what must come of it.
pub type Case = (String, Script, Expected);

/// All of them.
pub fn all() -> Vec<Case> {
    [agents::all(), schedulers::all(), stores::all()].concat()
}

/// One: what each agent and each scheduler exits with, and how many loads are made. A phase that a fault is to come in
/// lasts long enough for that on a busy machine.
fn case(
    name: &str,
    mut script: Script,
    agents: &[Codes],
    schedulers: &[Codes],
    loads: usize,
) -> Case {
    let comes_in = |phase| {
        let mut times = script.faults.iter().map(|(when, _)| *when);
        times.any(|when| matches!(when, When::Phase(in_it, _) if in_it == phase))
    };
    let (while_armed, while_running) = (comes_in(Phase::Armed), comes_in(Phase::Running));
    if while_armed {
        script.lead = script.lead.max(seconds(3));
    }
    for runner in script.runners.iter_mut().filter(|_| while_running) {
        runner.k6.run = runner.k6.run.max(seconds(4));
    }
    let expected = Expected {
        agents: agents.to_vec(),
        schedulers: schedulers.to_vec(),
        loads,
    };
    (name.to_owned(), script, expected)
}

/// What a process may exit with; `None`: a signal ended it.
type Codes = &'static [Option<i32>];

const KILLED: Codes = &[None];
const WELL: Codes = &[Some(0)];
const NO_ACCESS: Codes = &[Some(69)];
const NOT_READY: Codes = &[Some(73)];
const LATE: Codes = &[Some(74)];
const GAVE_UP: Codes = &[Some(75)];
const ABORTED: Codes = &[Some(76)];
/// The plan and the abort come one right after the other.
const LATE_OR_ABORTED: Codes = &[Some(74), Some(76)];
const USED_UP: Codes = &[Some(77)];
const NOT_WELL: Codes = &[Some(78)];
/// What the stand-in ends with when it is told to.
const TOLD: Codes = &[Some(105)];
const K6_KILLED: Codes = &[Some(137)];

const SHORTLY: Duration = Duration::from_millis(100);

/// Two runners, the second of which comes only when the first has been ready for a while: a gathering that lasts.
fn gathering() -> Script {
    let mut script = Script::new(2);
    script.runners[1].comes_after = Duration::from_millis(2500);
    script
}

/// Two runners, the first of which takes a second to become ready.
fn starting() -> Script {
    let mut script = Script::new(2);
    script.runners[0].k6.init = Some(Duration::from_secs(1));
    script
}

/// Shortly after the first runner (or that of the fault) is in this phase.
fn shortly_after(phase: Phase) -> When {
    When::Phase(phase, SHORTLY)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What must come of a fault, besides what must always hold.
#[derive(Clone, Debug)]
pub struct Expected {
    /// What each runner's last agent exits with.
    agents: Vec<Codes>,
    /// What each scheduler's last process exits with.
    schedulers: Vec<Codes>,
    /// How many loads are made.
    loads: usize,
}

impl Expected {
    /// What is not as expected.
    pub fn unmet(&self, round: &Round<'_>) -> Vec<String> {
        let mut unmet = Vec::new();
        let agents = round.agents.iter().map(|agents| {
            let last = agents
                .last()
                .and_then(|agent| agent.process.process().exited());
            last.and_then(|exit| exit.code)
        });
        unmet.extend(differences(
            "agents",
            &self.agents,
            &agents.collect::<Vec<_>>(),
        ));
        let schedulers = round.schedulers.iter().map(|schedulers| {
            let last = schedulers.last().and_then(|one| one.process.exited());
            last.and_then(|exit| exit.code)
        });
        unmet.extend(differences(
            "schedulers",
            &self.schedulers,
            &schedulers.collect::<Vec<_>>(),
        ));
        let loads = round
            .k6s
            .iter()
            .filter(|k6| !Load::of(k6).resumes().is_empty())
            .count();
        if self.loads != loads {
            unmet.push(format!("{loads} loads were made"));
        }
        // Whoever was not killed told what happened.
        for one in round.schedulers.iter().flatten() {
            let told = result(&one.process.stdout());
            if !one.killed && told.is_none() {
                unmet.push("a scheduler told nothing".to_owned());
            }
        }
        unmet
    }
}

fn differences(who: &str, expected: &[Codes], codes: &[Option<i32>]) -> Option<String> {
    let as_expected = expected.len() == codes.len()
        && expected
            .iter()
            .zip(codes)
            .all(|(any, code)| any.contains(code));
    (!as_expected).then(|| format!("the {who} ended with {codes:?}, and not {expected:?}"))
}
