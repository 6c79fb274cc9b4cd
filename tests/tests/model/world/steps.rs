//! What can happen next.

use super::{END, Place, World};
use crate::{agents::Agent, schedulers::Answer, time::Tick};

/// A process that has not begun by then never does.
const BEGINS_BY: Tick = 1;

/// One that has ended is run again by then, or never.
const AGAIN_BY: Tick = 5;

/// Whose step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    Agent(usize),
    Scheduler(usize),
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Begins(Who),
    IsKilled(Who),
    Looks(Who),
    K6Shows(usize),
    K6Dies(usize),
    AgentWrites(usize, Answer),
    AgentFires(usize, Answer),
    AgentHears(usize),
    AgentEnds(usize, Answer),
    SchedulerWrites(usize, Answer),
    RunIsAborted,
    TimePasses,
    /// Somebody gets no processor meanwhile.
    TimePassesWithout(Who),
}

impl World {
    /// All that can happen next.
    pub fn steps(&self) -> Vec<Step> {
        let duties = self.duties();
        let inward = self.agents.iter().position(|place| {
            let agent = place.value.up();
            agent.is_some_and(Agent::is_busy_with_itself)
        });
        if let Some(number) = inward {
            let of_it = |step: &Step| matches!(step, Step::AgentHears(n) | Step::K6Shows(n) if *n == number);
            let first = duties.iter().map(|(_, step)| *step).find(of_it);
            return first.into_iter().collect();
        }
        let mut steps: Vec<Step> = duties.iter().map(|(_, step)| *step).collect();
        steps.extend(self.beginnings());
        if self.faults_left > 0 {
            steps.extend(self.faults());
        }
        if self.now >= END || self.is_over() && self.beginnings().is_empty() {
            return steps;
        }
        let mut late: Vec<Who> = duties.into_iter().map(|(who, _)| who).collect();
        late.dedup();
        match late.as_slice() {
            [] => steps.push(Step::TimePasses),
            [who] if self.faults_left > 0 => steps.push(Step::TimePassesWithout(*who)),
            _ => {}
        }
        steps
    }

    /// What somebody does without delay, unless it is held up.
    pub(super) fn duties(&self) -> Vec<(Who, Step)> {
        let mut duties = Vec::new();
        for (number, place) in self.agents.iter().enumerate() {
            let Some(agent) = place.value.up() else {
                continue;
            };
            let who = Who::Agent(number);
            let can = [
                (
                    agent.may_look(&self.store, self.now, self.is_told()),
                    Step::Looks(who),
                ),
                (agent.may_see_k6(self.now), Step::K6Shows(number)),
                (agent.may_write(), Step::AgentWrites(number, Answer::Heard)),
                (
                    agent.may_fire(self.now),
                    Step::AgentFires(number, Answer::Heard),
                ),
                (agent.may_hear(), Step::AgentHears(number)),
                (
                    agent.end().is_some(),
                    Step::AgentEnds(number, Answer::Heard),
                ),
            ];
            let can = can.into_iter().filter(|(can, _)| *can);
            duties.extend(can.map(|(_, step)| (who, step)));
        }
        for (number, place) in self.schedulers.iter().enumerate() {
            let Some(scheduler) = place.value.up() else {
                continue;
            };
            let who = Who::Scheduler(number);
            if scheduler.may_look(&self.store, self.now) {
                duties.push((who, Step::Looks(who)));
            }
            if scheduler.may_write() {
                duties.push((who, Step::SchedulerWrites(number, Answer::Heard)));
            }
        }
        duties
    }

    /// Who may begin, or begin again.
    fn beginnings(&self) -> Vec<Step> {
        let agents = self.agents.iter().map(|place| match *place.value {
            Place::Empty => Some(BEGINS_BY),
            Place::Over(None) => Some(AGAIN_BY),
            Place::Over(Some(_)) | Place::Up(_) => None,
        });
        let schedulers = self.schedulers.iter().map(|place| match *place.value {
            Place::Empty => Some(BEGINS_BY),
            Place::Over(None) => Some(AGAIN_BY),
            Place::Over(Some(_)) | Place::Up(_) => None,
        });
        // Which of those that have not begun yet is the first, makes no difference.
        let first = |by: &[Option<Tick>]| by.iter().position(|it| *it == Some(BEGINS_BY));
        let may = |by: Vec<Option<Tick>>, who: fn(usize) -> Who| {
            let first = first(&by);
            let by = by.into_iter().enumerate();
            let by = by.filter(|(number, by)| {
                let in_turn = *by != Some(BEGINS_BY) || first == Some(*number);
                in_turn && by.is_some_and(|by| self.now <= by)
            });
            by.map(|(number, _)| Step::Begins(who(number)))
                .collect::<Vec<_>>()
        };
        let agents = may(agents.collect(), Who::Agent);
        let schedulers = may(schedulers.collect(), Who::Scheduler);
        [agents, schedulers].concat()
    }

    /// What may go wrong.
    fn faults(&self) -> Vec<Step> {
        let mut faults = Vec::new();
        let duties = self.duties();
        let idle = |who| !duties.iter().any(|(it, _)| *it == who);
        for (number, place) in self.agents.iter().enumerate() {
            let Some(agent) = place.value.up() else {
                continue;
            };
            // To be killed before one step that nobody sees or after it comes to the same.
            let who = Who::Agent(number);
            let is_seen = agent.may_write() || agent.may_fire(self.now) || agent.end().is_some();
            if is_seen || idle(who) {
                faults.push(Step::IsKilled(who));
            }
            if agent.k6_may_die() && (agent.may_fire(self.now) || idle(who)) {
                faults.push(Step::K6Dies(number));
            }
            if agent.may_fire(self.now) {
                faults.push(Step::AgentFires(number, Answer::Unanswered));
            }
            if agent.may_write() {
                faults.push(Step::AgentWrites(number, Answer::Lost));
            }
            if agent.end().is_some() {
                faults.push(Step::AgentEnds(number, Answer::Lost));
            }
        }
        for (number, place) in self.schedulers.iter().enumerate() {
            let Some(scheduler) = place.value.up() else {
                continue;
            };
            let who = Who::Scheduler(number);
            if scheduler.may_write() || idle(who) {
                faults.push(Step::IsKilled(who));
            }
            if scheduler.may_write() {
                faults.push(Step::SchedulerWrites(number, Answer::Lost));
                faults.push(Step::SchedulerWrites(number, Answer::Unanswered));
            }
        }
        if self.store.abort.is_none() && !self.is_over() {
            faults.push(Step::RunIsAborted);
        }
        faults
    }
}
