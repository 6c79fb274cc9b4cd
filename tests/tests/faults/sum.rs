//! What happened in all rounds together, so that one sees that they are worth something.

use std::{collections::BTreeMap, fmt, sync::Mutex};

use super::{invariants::Load, round::Round};

/// Counted over all rounds.
#[derive(Default)]
pub struct Sum(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    rounds: usize,
    instants: usize,
    loads: usize,
    agents: BTreeMap<Option<i32>, usize>,
    schedulers: BTreeMap<Option<i32>, usize>,
}

impl Sum {
    /// Adds a round that is over.
    pub fn add(&self, round: &Round<'_>) {
        let mut counted = self.0.lock().unwrap();
        counted.rounds += 1;
        counted.instants += round.witness.published.len();
        counted.loads += round
            .k6s
            .iter()
            .map(|k6| Load::of(k6).resumes().len())
            .sum::<usize>();
        for agent in round.agents.iter().flatten() {
            let code = agent.process.process().exited().and_then(|exit| exit.code);
            *counted.agents.entry(code).or_default() += 1;
        }
        for one in round.schedulers.iter().flatten() {
            let code = one.process.exited().and_then(|exit| exit.code);
            *counted.schedulers.entry(code).or_default() += 1;
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.0.lock().unwrap();
        let codes = |codes: &BTreeMap<Option<i32>, usize>| {
            let each = codes.iter().map(|(code, times)| match code {
                Some(code) => format!("{times} with {code}"),
                None => format!("{times} by a signal"),
            });
            each.collect::<Vec<_>>().join(", ")
        };
        write!(
            f,
            "{} rounds with {} instants and {} loads\nagents ended: {}\nschedulers ended: {}",
            counted.rounds,
            counted.instants,
            counted.loads,
            codes(&counted.agents),
            codes(&counted.schedulers)
        )
    }
}
