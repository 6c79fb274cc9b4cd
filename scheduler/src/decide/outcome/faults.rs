//! What was not as it should be in a start that was followed through.

use std::time::Duration;

use chrono::SecondsFormat;
use rendezvous::{Phase, Plan, code};

use super::code::is_stopped_for_another;
use super::{DOUBLED, Facts, Fate, Row};
use crate::decide::ending::Start;
use crate::decide::flaw::tolerance;
use crate::decide::loss;
use crate::decide::muster::Why;
use crate::decide::started::{Expected, was_witnessed};
use crate::decide::words::runners;

/// What was not as it should be, each in a sentence; nothing where no start was followed.
pub fn of(facts: &Facts<'_>, wanted: u32, rows: &[Row]) -> Vec<String> {
    let Some(Start {
        plan,
        expected,
        time,
    }) = facts.ending.start()
    else {
        return Vec::new();
    };
    let mut faults: Vec<_> = over_before(facts, plan, expected)
        .filter(|_| !facts.followed)
        .map(|over| format!("{over}; its result is shown again, and a new run needs a new --run"))
        .into_iter()
        .collect();
    faults.extend(too_few(rows, wanted));
    faults.extend(lost(rows));
    if time.clock.is_none() && !time.at_odds.is_empty() {
        faults.push(
            "the runners' clocks contradict each other, and no majority tells who is right: \
             they did not start together"
                .to_owned(),
        );
    }
    let doubled = facts.roster.iter().filter(|(_, observed)| observed.doubled);
    faults.extend(doubled.map(|(runner, _)| format!("{}: {DOUBLED}", facts.roster.name(runner))));
    for row in rows {
        let is_stopped = is_stopped_for_another(facts, row);
        faults.extend(of_runner(plan, expected, row, is_stopped));
    }
    if facts.waited {
        let of_the_start = rows
            .iter()
            .filter(|row| !facts.replaced.contains(&row.runner));
        faults.extend(of_the_start.filter_map(|row| without_code(expected, row)));
    }
    faults
}

/// A start that was over before this process came, and which another one follows: whoever runs a
/// scheduler again for the later stage has nothing to complain of.
pub fn over_before_another(facts: &Facts<'_>) -> Option<String> {
    let Start { plan, expected, .. } = facts.ending.start()?;
    let over = over_before(facts, plan, expected).filter(|_| facts.followed)?;
    Some(format!("{over}; its result is shown again"))
}

/// A start that was over before this process came. What is told of it is true, but
/// whoever asked for a start has not got one.
fn over_before(facts: &Facts<'_>, plan: &Plan, expected: &Expected) -> Option<String> {
    let counted_here = matches!(expected, Expected::Runners(_));
    let mut runners = facts.roster.iter();
    let has_started = runners.any(|(_, one)| one.start_under(&plan.id).is_some());
    if counted_here || !has_started || was_witnessed(facts.roster, &plan.id) {
        return None;
    }
    let start_at = plan.start_at()?;
    // A clock that contradicts it is not worth telling.
    let ago = (facts.own_utc - start_at).to_std().unwrap_or_default();
    let ago = humantime::format_duration(Duration::from_secs(ago.as_secs()));
    Some(format!(
        "this run started at {}, {ago} ago by this machine's clock",
        start_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    ))
}

fn too_few(rows: &[Row], wanted: u32) -> Option<String> {
    let started = rows.iter().filter(|row| row.start.is_some()).count();
    let wanted = wanted as usize;
    (started < wanted).then(|| format!("only {started} of {} started", runners(wanted)))
}

/// How much of the load is missing for those that were lost after the start.
fn lost(rows: &[Row]) -> Option<String> {
    let started = rows.iter().filter(|row| row.had_a_part()).count();
    let losses: Vec<_> = rows.iter().filter_map(|row| row.loss).collect();
    loss::sentence(&losses, started)
}

/// `is_stopped`: whether it was ended for what happened to another one.
fn of_runner(plan: &Plan, expected: &Expected, row: &Row, is_stopped: bool) -> Vec<String> {
    let name = &row.name;
    if row.start.is_none() {
        // Who was counted on elsewhere nobody wrote down, but nobody else refuses for its clock.
        let counted_on = expected.names(&row.runner) || refused_for_its_clock(row);
        let missing = format!("{name} was counted on, but did not start: {}", row.fate);
        return counted_on.then_some(missing).into_iter().collect();
    }
    let flaw = row.flaw.as_ref();
    let flaw = flaw.map(|flaw| flaw.sentence(name, tolerance(&plan.terms)));
    // One that is lost is told with when.
    let when = row.loss.map(|loss| format!(" ({})", loss.when()));
    let when = when.unwrap_or_default();
    if row.started_again {
        let when = row.loss.filter(|loss| loss.after.is_some());
        let when = when.map_or_else(|| "after the start".to_owned(), |loss| loss.when());
        let again = format!(
            "{name}: its process ended {when} and was started again: {}",
            row.fate
        );
        return flaw.into_iter().chain([again]).collect();
    }
    let in_doubt = is_in_doubt(row) && !is_stopped;
    let in_doubt = in_doubt.then(|| match row.fate {
        Fate::Lost(_) => format!("{name}: {}; heard of last{when}", row.fate),
        _ => format!("{name}: {}{when}", row.fate),
    });
    let cut_off = was_cut_off(row) && !is_stopped && in_doubt.is_none();
    let cut_off = cut_off.then(|| {
        format!(
            "{name} started, but ended before its time{when}: {}",
            row.fate
        )
    });
    flaw.into_iter().chain(in_doubt).chain(cut_off).collect()
}

/// Whether it fired and it is not known that its k6 ran, or still runs. One that has ended well may
/// have done so before anybody looked.
fn is_in_doubt(row: &Row) -> bool {
    let was_seen = row
        .start
        .as_ref()
        .is_some_and(|start| start.running_at.is_some());
    match &row.fate {
        Fate::Fired | Fate::Lost(_) | Fate::Removed => true,
        Fate::Ended(None, _) if row.exit_code.is_none() => true,
        Fate::Ended(phase, _) => !was_seen && *phase != Some(Phase::Finished),
        Fate::Running | Fate::Waiting(_) | Fate::Missing(_) => false,
    }
}

/// Whether it started, and something else than k6 ended it: a signal, the death of its agent, or of its container, whose
/// next process then refuses to make the load again.
fn was_cut_off(row: &Row) -> bool {
    let is_k6s_end = matches!(
        row.fate,
        Fate::Ended(Some(Phase::Finished | Phase::Failed), _)
    );
    let is_over = matches!(row.fate, Fate::Ended(..));
    is_over && !is_k6s_end && row.exit_code.is_some_and(|code| code != 0)
}

/// Only a runner that holds a plan finds out that its clock is not good enough for it.
fn refused_for_its_clock(row: &Row) -> bool {
    row.exit_code == Some(code::NO_TIME) && matches!(row.fate, Fate::Ended(Some(Phase::Refused), _))
}

fn without_code(expected: &Expected, row: &Row) -> Option<String> {
    let never_ended = row.exit_code.is_none() && row.start.is_none();
    let told_already = expected.names(&row.runner);
    // One that has not come is none of this start, and was missed as such if it was wanted.
    let has_come = !matches!(row.fate, Fate::Missing(Why::Held(_) | Why::Leaving(_)));
    (never_ended && !told_already && has_come)
        .then(|| format!("{} has no final code: {}", row.name, row.fate))
}
