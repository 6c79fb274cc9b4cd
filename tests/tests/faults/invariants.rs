//! What must hold after a round, whatever went wrong in it.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal;
use rendezvous::{LatePolicy, RunnerId};
use serde_json::Value;
use support::{
    fake_k6::{Event, FakeK6, Record},
    process::Exit,
    runner::Runner,
    scheduler, wait,
};

use super::{
    fault::Fault,
    round::{Round, Started, time},
};

/// How early a request may seem: the clock is read at two places.
const READING: TimeDelta = TimeDelta::milliseconds(2);

/// How late a load may be that is held to be on time: the tolerance, half a second until k6 is seen running, and what a
/// machine with more to do than it can needs to write that down.
const ON_TIME: TimeDelta = TimeDelta::milliseconds(4000);

/// How long after its agent a k6 may be seen to do anything: what the kernel needs to kill it, and this process to see the
/// agent's end.
const GOES_WITHIN: TimeDelta = TimeDelta::milliseconds(1000);

/// How long after an abort was written a load may still begin, where nobody was held up: a watch looks ten times a second.
const ABORT_HEARD: TimeDelta = TimeDelta::seconds(2);

/// What an agent may exit with, as the README says; 137 and 143 are a k6's that was killed or told to end, 105 the
/// stand-in's for a signal.
const AGENT_CODES: [i32; 13] = [0, 69, 71, 73, 74, 75, 76, 77, 99, 105, 129, 137, 143];

/// The same for a scheduler.
const SCHEDULER_CODES: [i32; 11] = [0, 69, 71, 75, 76, 78, 99, 105, 129, 137, 143];

/// All that should not be as it is.
pub fn broken(round: &Round<'_>) -> Vec<String> {
    let mut broken: Vec<String> = round
        .stuck
        .iter()
        .map(|who| format!("{who} never ends"))
        .collect();
    broken.extend(instants(round));
    for (runner, k6) in round.ids.iter().zip(&round.k6s) {
        let load = Load::of(k6);
        broken.extend(load_of(round, runner, &load));
    }
    for (number, agents) in round.agents.iter().enumerate() {
        let load = Load::of(&round.k6s[number]);
        for agent in agents {
            broken.extend(agent_end(round, number, agent, &load));
        }
        broken.extend(outliving(number, agents, &load));
    }
    for (number, schedulers) in round.schedulers.iter().enumerate() {
        for one in schedulers {
            broken.extend(scheduler_end(round, number, one));
        }
    }
    broken.extend(panics(round));
    broken
}

/// What the stand-in of a runner was sent, over all its processes.
pub struct Load {
    records: Vec<Record>,
}

impl Load {
    /// Reads it.
    pub fn of(k6: &FakeK6) -> Self {
        Self {
            records: k6.record(),
        }
    }

    /// When it was resumed.
    pub fn resumes(&self) -> Vec<DateTime<Utc>> {
        let is_resume = |event: &Event| {
            matches!(event, Event::Request { request, body }
                if request == "PATCH /v1/status" && body.contains(r#""paused":false"#))
        };
        let resumes = self.records.iter().filter(|it| is_resume(&it.event));
        resumes.map(|it| it.at).collect()
    }

    /// Whether the process that was resumed first ended by itself, and with this code.
    pub fn ran_to(&self, code: u8) -> bool {
        let Some(resumed) = self.resumes().first().copied() else {
            return false;
        };
        let after = self.records.iter().filter(|it| it.at >= resumed);
        let mut own = after.take_while(|it| !matches!(it.event, Event::Started(_)));
        own.any(|it| it.event == Event::Exiting(code))
    }
}

/// There is one instant at most, and everybody speaks of that one.
fn instants(round: &Round<'_>) -> Vec<String> {
    let published = &round.witness.published;
    let mut broken = Vec::new();
    if published.len() > 1 {
        broken.push(format!(
            "more than one instant was published: {published:?}"
        ));
    }
    for (runner, start) in &round.witness.reported {
        if !published.contains(start) {
            broken.push(format!(
                "{runner} started by {start:?}, which never stood there"
            ));
        }
    }
    let told = round.schedulers.iter().flatten();
    let told = told.filter_map(|one| scheduler::time(&result(&one.process.stdout())?["start_at"]));
    for start_at in told.collect::<BTreeSet<_>>() {
        if round.witness.instant() != Some(start_at) {
            broken.push(format!("a scheduler tells of {start_at}"));
        }
    }
    broken
}

/// No load twice, none without a plan, none before the instant, none that comes too late unless that is welcome.
fn load_of(round: &Round<'_>, runner: &RunnerId, load: &Load) -> Vec<String> {
    let mut broken = Vec::new();
    let resumes = load.resumes();
    if resumes.len() > 1 {
        broken.push(format!("{runner} was resumed {} times", resumes.len()));
    }
    let Some(instant) = round.witness.instant() else {
        if !resumes.is_empty() {
            broken.push(format!("{runner} was resumed without any plan of its own"));
        }
        return broken;
    };
    let is_frozen = round.script.has(Fault::freezes);
    for at in resumes {
        let late = at - instant;
        let is_late = late > ON_TIME && round.script.late != LatePolicy::Join && !is_frozen;
        if late < -READING || is_late {
            broken.push(format!("{runner} was resumed {late} after the instant"));
        }
        broken.extend(resumed_though_aborted(round, runner, at));
    }
    broken
}

/// Where nobody was held up and the store was well, an abort that was written is heard.
fn resumed_though_aborted(
    round: &Round<'_>,
    runner: &RunnerId,
    at: DateTime<Utc>,
) -> Option<String> {
    if round
        .script
        .has(|fault| fault.freezes() || fault.is_of_the_store())
    {
        return None;
    }
    let written = round.aborts.iter().filter_map(|abort| abort.exited());
    let written = written.filter(|exit| exit.code == Some(0));
    let first = written.map(|exit| exit.at.utc).min()?;
    (at > first + ABORT_HEARD)
        .then(|| format!("{runner} was resumed {} after the abort", at - first))
}

/// Agents end with a code that says what happened, and well only where a load was made, or none was wanted.
fn agent_end(
    round: &Round<'_>,
    number: usize,
    agent: &Started<Runner<'_>>,
    load: &Load,
) -> Option<String> {
    let exit = agent.process.process().exited()?;
    match exit.code {
        None => killed_unasked(agent, exit).then(|| format!("agent {number} ended by {exit:?}")),
        Some(0) if round.script.late == LatePolicy::Skip || load.ran_to(0) => None,
        Some(0) => Some(format!("agent {number} ended well, and there was no load")),
        Some(code) if AGENT_CODES.contains(&code) => None,
        Some(code) => Some(format!("agent {number} ended with {code}")),
    }
}

/// A process that a signal ended, and not one that this test sent.
fn killed_unasked<P>(process: &Started<P>, exit: Exit) -> bool {
    // Before it has set a handler, whatever is sent ends it.
    let sent = process.killed.then_some(Signal::SIGKILL);
    exit.signal != sent && exit.signal != process.told
}

/// No k6 lives longer than its agent.
fn outliving(number: usize, agents: &[Started<Runner<'_>>], load: &Load) -> Vec<String> {
    let mut broken = Vec::new();
    for agent in agents {
        let Some(exit) = agent.process.process().exited() else {
            continue;
        };
        let since = exit.at.utc + GOES_WITHIN;
        let after = load.records.iter().filter(|it| it.at > exit.at.utc);
        let own = after.take_while(|it| !matches!(it.event, Event::Started(_)));
        let late = own.filter(|it| it.at > since);
        broken.extend(late.map(|it| {
            let at = time(exit.at.utc);
            format!("k6 {number} lived on after its agent had ended at {at}: {it:?}")
        }));
        let left = agent.process.process().descendants();
        if !left.is_empty() {
            broken.push(format!("agent {number} left behind {left:?}"));
        }
    }
    broken
}

/// Schedulers end with a code that says what happened, and well only where all that were wanted started in time and,
/// if that was waited for, ended well.
fn scheduler_end(
    round: &Round<'_>,
    number: usize,
    one: &Started<support::process::Running>,
) -> Vec<String> {
    let Some(exit) = one.process.exited() else {
        return Vec::new();
    };
    let who = format!("scheduler {number}");
    match exit.code {
        None if killed_unasked(one, exit) => vec![format!("{who} ended by {exit:?}")],
        None => Vec::new(),
        Some(0) => wrong_success(round, &who),
        Some(code) if SCHEDULER_CODES.contains(&code) => Vec::new(),
        Some(code) => vec![format!("{who} ended with {code}")],
    }
}

fn wrong_success(round: &Round<'_>, who: &str) -> Vec<String> {
    let Some(instant) = round.witness.instant() else {
        return vec![format!("{who} ended well without an instant")];
    };
    if round.ids.len() < round.script.wanted {
        return vec![format!("{who} ended well though some never came")];
    }
    let mut broken = Vec::new();
    for (runner, k6) in round.ids.iter().zip(&round.k6s) {
        let load = Load::of(k6);
        let is_in_time = |at: &DateTime<Utc>| *at <= instant + ON_TIME;
        if !load.resumes().first().is_some_and(is_in_time) {
            broken.push(format!(
                "{who} ended well though {runner} did not start in time"
            ));
        }
        if round.script.wait && !load.ran_to(0) {
            broken.push(format!("{who} ended well though {runner} did not end well"));
        }
    }
    broken
}

/// Nothing panics, whatever the store holds.
fn panics(round: &Round<'_>) -> Vec<String> {
    let agents = round.agents.iter().flatten();
    let agents = agents.map(|agent| agent.process.process().stderr());
    let schedulers = round.schedulers.iter().flatten();
    let schedulers = schedulers.map(|one| one.process.stderr());
    let all = agents
        .chain(schedulers)
        .filter(|it| it.contains("panicked at"));
    all.map(|stderr| format!("panicked: {stderr}")).collect()
}

/// What a scheduler told of the start, if it had time to.
pub fn result(stdout: &str) -> Option<Value> {
    serde_json::from_str(stdout.lines().next()?).ok()
}

/// Waits until nothing is left of the agents that were killed.
///
/// # Panics
/// If something is left.
pub fn wait_for_nothing(round: &Round<'_>) {
    for agent in round.agents.iter().flatten() {
        wait::until("an agent's k6 to go", Duration::from_secs(5), || {
            agent
                .process
                .process()
                .descendants()
                .is_empty()
                .then_some(())
        });
    }
}
