//! The world as one value: two runners, two schedulers, a store, and what may go wrong.

mod steps;

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    fmt::Debug,
    hash::{Hash, Hasher},
    rc::Rc,
};

use agent::decide::{machine::Reply, mark::Mark};
use chrono::{DateTime, Utc};
use rendezvous::{Abort, Plan, PlanId, PlanState, Report, RunId, Terms, Write};

pub use steps::{Step, Who};

use super::{
    agents::{Agent, Fired, K6},
    schedulers::{Answer, Scheduler},
    store::{Store, run, stage},
    time::{PAST, Tick, utc},
};

/// When everybody has to have ended.
pub const END: Tick = 24;

/// A mistake that is made on purpose, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// None.
    Nothing,
    /// A plan is written whatever stands there.
    UnconditionalWrites,
    /// An agent does not ask what an earlier process of its runner left.
    NobodyRemembers,
    /// It asks for the earlier report only, which may not have been written.
    ReportsAlone,
    /// An agent takes another run's plan for its own.
    AnyPlanIsOurs,
    /// An agent is not told that time passes.
    NoDeadlines,
}

/// What is searched through.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// How many runners there are, all of which are wanted.
    pub runners: usize,
    /// How many schedulers there may be.
    pub schedulers: usize,
    /// How much may go wrong, in all.
    pub faults: u32,
    /// Whether another run's plan stands in the store, with an instant to come.
    pub left_over: bool,
    /// A mistake.
    pub planted: Planted,
}

/// A place for a process, and for those that come after it.
#[derive(Clone, Debug)]
enum Place<P> {
    Empty,
    Up(P),
    /// Killed (`None`), or ended with a code.
    Over(Option<u8>),
}

impl<P> Place<P> {
    fn up(&self) -> Option<&P> {
        match self {
            Self::Up(process) => Some(process),
            Self::Empty | Self::Over(_) => None,
        }
    }
}

/// A value and the hash of what it says of itself, so that what has not changed is not hashed again.
#[derive(Clone, Debug)]
struct Hashed<T> {
    value: Rc<T>,
    hash: u64,
}

impl<T: Debug + Clone> Hashed<T> {
    fn new(value: T) -> Self {
        let hash = hash(&format!("{value:?}"));
        Self {
            value: Rc::new(value),
            hash,
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut T)) {
        let mut value = T::clone(&self.value);
        change(&mut value);
        *self = Self::new(value);
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    setting: Setting,
    now: Tick,
    faults_left: u32,
    store: Store,
    agents: Vec<Hashed<Place<Agent>>>,
    schedulers: Vec<Hashed<Place<Scheduler>>>,
    /// How many processes have begun in each place.
    begun: BTreeMap<Who, u32>,
    /// What each runner has left beside its report.
    marks: Vec<Option<Mark>>,
    /// What has been: every instant that ever stood there, and when each runner made a load.
    instants: BTreeSet<(PlanId, DateTime<Utc>)>,
    loads: Vec<Vec<DateTime<Utc>>>,
    broken: Option<String>,
}

/// The run whose plan is left over.
pub fn another_run() -> RunId {
    RunId::new("yesterday").unwrap()
}

impl World {
    /// The beginning.
    pub fn new(setting: Setting) -> Self {
        let mut store = Store {
            reports: vec![None; setting.runners],
            substance: vec![None; setting.runners],
            ..Store::default()
        };
        if setting.left_over {
            let plan = Plan {
                run: another_run(),
                stage: stage(),
                id: PlanId::new("left-over").unwrap(),
                state: PlanState::Set {
                    start_at: utc(1) - PAST,
                    quorum: 1,
                },
                runners_wanted: 1,
                terms: Terms::default(),
            };
            store.plan = Some(plan.to_json().into());
        }
        Self {
            setting,
            now: 0,
            faults_left: setting.faults,
            store,
            agents: vec![Hashed::new(Place::Empty); setting.runners],
            schedulers: vec![Hashed::new(Place::Empty); setting.schedulers],
            begun: BTreeMap::new(),
            marks: vec![None; setting.runners],
            instants: BTreeSet::new(),
            loads: vec![Vec::new(); setting.runners],
            broken: None,
        }
    }

    /// What makes it another world than others.
    pub fn key(&self) -> u64 {
        let agents: Vec<u64> = self.agents.iter().map(|it| it.hash).collect();
        let schedulers: Vec<u64> = self.schedulers.iter().map(|it| it.hash).collect();
        let marks = format!("{:?}", self.marks);
        let so_far = (&self.instants, &self.loads, &self.begun, marks);
        hash(&(
            self.now,
            self.faults_left,
            &self.store,
            agents,
            schedulers,
            so_far,
        ))
    }

    /// Which step of time it is in.
    pub fn now(&self) -> Tick {
        self.now
    }

    /// What is wrong with it.
    pub fn broken(&self) -> Option<String> {
        if self.broken.is_some() {
            return self.broken.clone();
        }
        if self.instants.len() > 1 {
            return Some(format!("two instants: {:?}", self.instants));
        }
        let twice = self.loads.iter().position(|loads| loads.len() > 1);
        if let Some(runner) = twice {
            return Some(format!("runner {runner} made its load twice"));
        }
        (self.now >= END && !self.is_over()).then(|| "somebody never ends".to_owned())
    }

    /// Whether nobody lives.
    pub fn is_over(&self) -> bool {
        self.agents.iter().all(|it| it.value.up().is_none())
            && self.schedulers.iter().all(|it| it.value.up().is_none())
    }

    /// The world after a step.
    pub fn after(&self, step: Step) -> Self {
        let mut world = self.clone();
        if !self.duties().iter().any(|(_, duty)| *duty == step)
            && !matches!(step, Step::Begins(_) | Step::TimePasses)
        {
            world.faults_left -= 1;
        }
        world.take(step);
        world
    }

    fn take(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Begins(who) => self.begin(who),
            Step::IsKilled(Who::Agent(number)) => {
                self.agents[number] = Hashed::new(Place::Over(None));
            }
            Step::IsKilled(Who::Scheduler(number)) => {
                self.schedulers[number] = Hashed::new(Place::Over(None));
            }
            Step::Looks(Who::Agent(number)) => {
                let (mut store, is_told) = (self.store.clone(), self.is_told());
                self.agent(number, |agent| agent.look(&mut store, now, is_told));
                self.store = store;
            }
            Step::Looks(Who::Scheduler(number)) => {
                let store = self.store.clone();
                self.scheduler(number, |scheduler| scheduler.look(&store, now));
            }
            Step::K6Shows(number) => self.agent(number, |agent| agent.see_k6(now)),
            Step::K6Dies(number) => self.agent(number, Agent::k6_dies),
            Step::AgentHears(number) => self.agent(number, |agent| agent.hear(now)),
            Step::AgentWrites(number, answer) => {
                let mut store = self.store.clone();
                let written = (answer != Answer::Lost).then_some(&mut store);
                self.agent(number, |agent| agent.write(written, now));
                self.store = store;
            }
            Step::AgentFires(number, answer) => self.fire(number, answer),
            Step::AgentEnds(number, answer) => self.end_agent(number, answer),
            Step::SchedulerWrites(number, answer) => self.write_plan(number, answer),
            Step::RunIsAborted => {
                let abort = Abort::new(run(), "somebody", "enough");
                self.store.write_abort(&abort);
            }
            Step::TimePasses | Step::TimePassesWithout(_) => self.now += 1,
        }
    }

    /// Whether agents are told that time passes.
    fn is_told(&self) -> bool {
        self.setting.planted != Planted::NoDeadlines
    }

    fn begin(&mut self, who: Who) {
        let begun = *self.begun.entry(who).and_modify(|it| *it += 1).or_insert(1);
        match who {
            Who::Agent(number) => {
                let planted = self.setting.planted;
                let mark = match planted {
                    Planted::NobodyRemembers | Planted::ReportsAlone => None,
                    _ => self.marks[number].clone(),
                };
                let left = (&self.store, mark);
                let agent = Agent::start(number, begun, left, self.now, planted);
                self.agents[number] = Hashed::new(Place::Up(agent));
            }
            Who::Scheduler(number) => {
                let wanted = self.setting.runners.try_into().unwrap();
                let name = format!("plan-{number}-{begun}");
                let scheduler = Scheduler::start(&name, wanted, self.now);
                self.schedulers[number] = Hashed::new(Place::Up(scheduler));
            }
        }
    }

    fn agent(&mut self, number: usize, change: impl FnOnce(&mut Agent)) {
        self.agents[number].change(|place| {
            if let Place::Up(agent) = place {
                change(agent);
            }
        });
        if let Some(agent) = self.agents[number].value.up() {
            self.marks[number].clone_from(&agent.mark);
        }
    }

    fn scheduler(&mut self, number: usize, change: impl FnOnce(&mut Scheduler)) {
        self.schedulers[number].change(|place| {
            if let Place::Up(scheduler) = place {
                change(scheduler);
            }
        });
        let Some(code) = self.schedulers[number].value.up().and_then(Scheduler::end) else {
            return;
        };
        self.schedulers[number] = Hashed::new(Place::Over(Some(code)));
        if code == 0 {
            self.check_success();
        }
    }

    fn fire(&mut self, number: usize, answer: Answer) {
        let reply = match answer {
            Answer::Heard => Reply::Accepted,
            Answer::Lost | Answer::Unanswered => Reply::Unclear("no answer".to_owned()),
        };
        let (now, mut fired) = (self.now, None);
        self.agent(number, |agent| fired = agent.fire(reply, now));
        let Some(Fired { plan, instant }) = fired else {
            return;
        };
        self.loads[number].push(utc(now));
        let is_own = plan.is_some_and(|plan| plan.run == run() && plan.start_at() == Some(instant));
        let stood = self
            .instants
            .iter()
            .any(|(_, published)| *published == instant);
        if !is_own || !stood {
            self.broken = Some(format!("runner {number} started without a plan of its own"));
        }
        if utc(now) < instant {
            self.broken = Some(format!("runner {number} started before the instant"));
        }
    }

    fn end_agent(&mut self, number: usize, answer: Answer) {
        let Some((code, k6)) = self.agents[number]
            .value
            .up()
            .and_then(|agent| Some((agent.end()?, agent.k6)))
        else {
            return;
        };
        let (mut store, now) = (self.store.clone(), self.now);
        let written = (answer != Answer::Lost).then_some(&mut store);
        self.agent(number, |agent| agent.write(written, now));
        self.store = store;
        self.agents[number] = Hashed::new(Place::Over(Some(code)));
        if !matches!(k6, K6::Absent | K6::Gone) {
            self.broken = Some(format!("agent {number} ended and left its k6: {k6:?}"));
        }
        if code == 0 && self.loads[number].is_empty() {
            self.broken = Some(format!("agent {number} ended well, and there was no load"));
        }
    }

    fn write_plan(&mut self, number: usize, answer: Answer) {
        let planted = self.setting.planted;
        let write = |store: &mut Store, plan: &Plan, expected: &_| -> Write {
            let stands = store.plan.clone();
            let unconditional = planted == Planted::UnconditionalWrites;
            store.write_plan(plan, if unconditional { &stands } else { expected })
        };
        let (mut store, now) = (self.store.clone(), self.now);
        self.scheduler(number, |scheduler| {
            scheduler.write(&mut store, answer, write, now)
        });
        self.store = store;
        if let Ok(Some(plan)) = self.store.read_plan()
            && let Some(start_at) = plan.start_at().filter(|_| plan.run == run())
        {
            self.instants.insert((plan.id, start_at));
        }
    }

    /// A scheduler has ended well.
    fn check_success(&mut self) {
        for (number, loads) in self.loads.iter().enumerate() {
            let in_time = self.instants.iter().any(|(_, instant)| {
                loads
                    .iter()
                    .all(|load| *load <= *instant + Terms::DEFAULT_TOLERANCE)
            });
            let report: Option<Report> = self.store.read_report(number).ok().flatten();
            let ended_well = report.is_some_and(|report| report.exit_code == Some(0));
            if loads.is_empty() || !in_time || !ended_well {
                self.broken = Some(format!("a success that is none: of runner {number}"));
            }
        }
    }
}
