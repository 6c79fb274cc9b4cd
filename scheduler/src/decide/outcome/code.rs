//! What the scheduler exits with.

use std::collections::BTreeMap;

use rendezvous::{Phase, RunnerId, code};

use super::{Facts, Fate, Row};
use crate::decide::ending::Ending;
use crate::exit::Code;

/// What the scheduler exits with.
pub fn of(facts: &Facts<'_>, rows: &[Row], faults: &[String]) -> Code {
    let counting = rows
        .iter()
        .filter(|row| row.start.is_some() || !facts.replaced.contains(&row.runner));
    let codes: BTreeMap<&RunnerId, Code> = counting
        .filter_map(|row| Some((&row.runner, verdict(facts, row)?)))
        .collect();
    let worst = |codes: &mut dyn Iterator<Item = Code>| codes.fold(Code::Well, Code::worse);
    match facts.ending {
        Ending::Followed { .. } => {
            let start = if faults.is_empty() {
                Code::Well
            } else {
                Code::NotWell
            };
            if facts.waited {
                start.worse(worst(&mut codes.into_values()))
            } else {
                start
            }
        }
        // Whatever happened to a runner, its load is missing.
        Ending::Stopped { .. } => Code::NotWell.worse(worst(&mut codes.into_values())),
        Ending::Impossible { ended, .. } if facts.waited => {
            let of_k6 = ended
                .iter()
                .filter_map(|runner| codes.get(runner).copied())
                .filter(|code| code.is_k6s());
            match worst(&mut of_k6.into_iter()) {
                Code::Well => Code::NoQuorum,
                code => code,
            }
        }
        Ending::Impossible { .. } | Ending::TimedOut { .. } | Ending::CannotSet(_) => {
            Code::NoQuorum
        }
        Ending::NoMajority => Code::NoTime,
        Ending::Aborted { .. } if facts.waited => {
            Code::Aborted.worse(worst(&mut codes.into_values()))
        }
        Ending::Aborted { .. } | Ending::Cancelled { .. } | Ending::Unarmed { .. } => Code::Aborted,
        Ending::Broken { .. } | Ending::LostSight { .. } => Code::NoAccess,
    }
}

/// What a runner's final code says of the whole run. If it was stopped in the middle of a run that nobody aborted, as
/// by the deletion of its pod, k6's code says no more than that: its load is missing.
fn verdict(facts: &Facts<'_>, row: &Row) -> Option<Code> {
    let code = Code::of_runner(row.exit_code?);
    if is_stopped_for_another(facts, row) {
        return None;
    }
    let is_aborted = matches!(facts.ending, Ending::Aborted { .. });
    let is_missing = code.is_k6s() && was_stopped(row) && !is_aborted;
    Some(if is_missing { Code::NotWell } else { code })
}

/// Whether the run was ended for what happened to another runner, and this one is one of the others: that it was
/// aborted then says nothing.
pub fn is_stopped_for_another(facts: &Facts<'_>, row: &Row) -> bool {
    let is_stopped = matches!(facts.ending, Ending::Stopped { .. });
    is_stopped && was_stopped(row) && row.exit_code == Some(code::ABORTED)
}

/// Whether a runner was ended before its time by somebody, and could still say so.
fn was_stopped(row: &Row) -> bool {
    matches!(row.fate, Fate::Ended(Some(Phase::Aborted), _))
}
