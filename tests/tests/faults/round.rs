//! One round: the processes are started, the faults come, and all is looked at until everybody has ended.

mod befall;

use std::{
    fmt::Write,
    thread::sleep,
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rendezvous::{Plan, PlanState, RunId, RunnerId, StageName, Terms};
use support::{
    fake_k6::FakeK6,
    moment::Moment,
    process::{Program, Running},
    programs,
    runner::{Launch, Runner},
    stage::Stage,
};

use super::{
    fault::Fault,
    script::{Script, When},
    store::Broken,
    witness::{self, Witness},
};

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// When everybody has to have ended. Longest of all waits a scheduler for a runner that is silent, 36 s, or a runner for
/// a scheduler that is, 30 s beyond the wait that it promised; either may be told to wait anew by one that is run again.
const LIMIT: Duration = Duration::from_secs(120);

/// How long whatever a round has put off waits for its turn.
const PUT_OFF: Duration = Duration::from_millis(50);

/// What the round itself does later.
enum Later {
    Thaw(Pid),
    Mend,
    RunAgent(usize),
    RunScheduler(usize),
    Befall(Fault),
}

/// A process that has been started, and which signals it was sent that may have killed it.
pub struct Started<P> {
    /// It.
    pub process: P,
    /// Whether it was killed.
    pub killed: bool,
    /// The signal that it was told to end by.
    pub told: Option<Signal>,
}

/// A round while it goes on, and when it is over.
pub struct Round<'a> {
    /// What it is made of.
    pub script: &'a Script,
    /// Where.
    pub stage: &'a Stage,
    /// The ids of the runners.
    pub ids: Vec<RunnerId>,
    /// The k6 of each, over all its processes.
    pub k6s: Vec<FakeK6>,
    /// The agents of each runner, one after another.
    pub agents: Vec<Vec<Started<Runner<'a>>>>,
    /// The schedulers, each with those that were run in its place.
    pub schedulers: Vec<Vec<Started<Running>>>,
    /// Whoever aborted the run.
    pub aborts: Vec<Running>,
    /// What was seen in the store.
    pub witness: Witness,
    /// What happened.
    pub log: String,
    /// Who had not ended in time.
    pub stuck: Vec<String>,
    began: Instant,
    last_begun: Instant,
    to_come: Vec<(When, Fault)>,
    later: Vec<(Instant, Later)>,
    broken: Option<Broken>,
}

impl<'a> Round<'a> {
    /// Plays it. `is_quiet`: is told once, when what is left is mostly waiting.
    pub fn play(script: &'a Script, stage: &'a Stage, mut is_quiet: impl FnMut()) -> Self {
        let ids =
            (0..script.runners.len()).map(|number| RunnerId::new(format!("r{number}")).unwrap());
        let ids: Vec<RunnerId> = ids.collect();
        let k6s = ids.iter().zip(&script.runners);
        let k6s = k6s
            .map(|(id, runner)| FakeK6::new(stage.scratch(), id.as_str(), &runner.k6))
            .collect();
        let began = Instant::now();
        let agents = script.runners.iter().enumerate();
        let agents = agents.map(|(number, it)| (began + it.comes_after, Later::RunAgent(number)));
        let schedulers = script.schedulers.iter().enumerate();
        let schedulers =
            schedulers.map(|(number, after)| (began + *after, Later::RunScheduler(number)));
        let mut round = Self {
            script,
            stage,
            k6s,
            agents: ids.iter().map(|_| Vec::new()).collect(),
            schedulers: script.schedulers.iter().map(|_| Vec::new()).collect(),
            aborts: Vec::new(),
            witness: Witness::default(),
            log: String::new(),
            stuck: Vec::new(),
            began,
            last_begun: began,
            to_come: script.faults.clone(),
            // Who is last of fifty comes seconds after the first, and no agent is to give up before there is a scheduler.
            later: schedulers.chain(agents).collect(),
            broken: None,
            ids,
        };
        if script.left_over {
            round.leave_over();
        }
        round.go(&mut is_quiet);
        round
    }

    /// The plan of another run, which would start everybody in a moment.
    fn leave_over(&self) {
        self.stage.write(&Plan {
            run: RunId::random(),
            stage: StageName::new("main").unwrap(),
            state: PlanState::Set {
                start_at: Moment::now().utc + Duration::from_secs(1),
                quorum: 1,
            },
            terms: Terms::default(),
            ..self.stage.plan_for(Moment::now().utc)
        });
    }

    fn go(&mut self, is_quiet: &mut impl FnMut()) {
        let mut told = false;
        loop {
            self.witness.look(self.stage, &self.ids);
            self.do_what_is_due();
            let over = self.running().is_empty();
            if over && self.later.is_empty() {
                break;
            }
            if self.began.elapsed() > LIMIT {
                self.stuck = self.running();
                break;
            }
            let is_past = |at| Moment::now().utc > at + TimeDelta::seconds(2);
            if !told && self.later.is_empty() && self.witness.instant().is_none_or(is_past) {
                told = self.began.elapsed() > Duration::from_secs(6);
                if told {
                    is_quiet();
                }
            }
            sleep(LOOK_EVERY);
        }
        self.witness.look(self.stage, &self.ids);
        if let Some(broken) = self.broken.take() {
            broken.mend();
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        let (due, later) = self.later.drain(..).partition(|(at, _)| *at <= now);
        self.later = later;
        let mut due: Vec<(Instant, Later)> = due;
        due.sort_by_key(|(at, _)| *at);
        let come = std::mem::take(&mut self.to_come);
        for (when, fault) in come {
            match self.due_at(when, fault) {
                Some(at) => self.later.push((at, Later::Befall(fault))),
                None => self.to_come.push((when, fault)),
            }
        }
        for (_, what) in due {
            self.act(what);
        }
    }

    /// When a fault comes, once that can be said.
    fn due_at(&self, when: When, fault: Fault) -> Option<Instant> {
        match when {
            When::After(time) => Some(self.began + time),
            When::Phase(phase, delay) => {
                let runner = &self.ids[fault.runner().unwrap_or(0)];
                let is_there = witness::phase(self.stage, runner) == Some(phase);
                is_there.then(|| Instant::now() + delay)
            }
            When::Instant(millis) => {
                let at = self.witness.instant()? + TimeDelta::milliseconds(millis);
                let left = (at - Moment::now().utc).to_std().unwrap_or_default();
                Some(Instant::now() + left)
            }
        }
    }

    fn act(&mut self, what: Later) {
        match what {
            Later::Thaw(process) => {
                self.note(format_args!("process {process} thaws"));
                // It may have been killed meanwhile.
                let _ = kill(process, Signal::SIGCONT);
            }
            Later::Mend => {
                self.note(format_args!("the store is well again"));
                if let Some(broken) = self.broken.take() {
                    broken.mend();
                }
            }
            // A store that is away would be made anew.
            Later::RunAgent(_)
            | Later::RunScheduler(_)
            | Later::Befall(Fault::Abort | Fault::AnotherScheduler)
                if self.broken.as_ref().is_some_and(Broken::is_away) =>
            {
                self.later.push((Instant::now() + PUT_OFF, what));
            }
            Later::Befall(Fault::StoreAway { .. }) if self.anybody_begins() => {
                self.later.push((Instant::now() + PUT_OFF, what));
            }
            Later::RunAgent(number) => self.run_agent(number),
            Later::RunScheduler(number) => self.run_scheduler(number),
            Later::Befall(fault) if fault.is_of_the_store() && self.broken.is_some() => {
                self.later.push((Instant::now() + PUT_OFF, what));
            }
            Later::Befall(fault) => {
                self.note(format_args!("{fault}"));
                self.befall(fault);
            }
        }
    }

    fn run_agent(&mut self, number: usize) {
        self.note(format_args!("agent {number} is started"));
        self.last_begun = Instant::now();
        let k6 = &self.k6s[number];
        let process = Launch::new(self.stage, self.ids[number].as_str())
            .fake_k6(k6)
            .options(["--deadline", "5s", "--ready-timeout", "20s"])
            .options(["--grace", "2s", "--spin", "0s"])
            .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
        self.agents[number].push(started(process));
    }

    fn run_scheduler(&mut self, number: usize) {
        self.note(format_args!("scheduler {number} is started"));
        self.last_begun = Instant::now();
        let script = self.script;
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let (wanted, minimum) = (script.wanted.to_string(), script.minimum.to_string());
        let unarmed = if script.all_or_none { "abort" } else { "start" };
        let mut program = self
            .command("start")
            .args(["--runners", &wanted, "--min-runners", &minimum])
            .args(["--grace-period", "500ms", "--unarmed", unarmed])
            .args(["--max-wait", &millis(script.max_wait)])
            .args(["--lead", &millis(script.lead)])
            .args(["--late", script.late.as_str()]);
        if script.wait {
            program = program.args(["--wait"]);
        }
        self.schedulers[number].push(started(program.start()));
    }

    fn command(&self, command: &str) -> Program {
        let store = format!("dir:{}", self.stage.directory().display());
        Program::new(programs::scheduler())
            .args([command, "--store", &store])
            .args(["--run", self.stage.run().as_str()])
            .env("TMINUS_OUTPUT", "json")
    }

    /// Who has not ended.
    fn running(&self) -> Vec<String> {
        let of = |what: String, process: &Running| process.exited().is_none().then_some(what);
        let agents = self.agents.iter().enumerate().flat_map(|(number, agents)| {
            let agents = agents.iter();
            agents.filter_map(move |it| of(format!("agent {number}"), it.process.process()))
        });
        let schedulers = self.schedulers.iter().enumerate();
        let schedulers = schedulers.flat_map(|(number, schedulers)| {
            let schedulers = schedulers.iter();
            schedulers.filter_map(move |it| of(format!("scheduler {number}"), &it.process))
        });
        let aborts = self.aborts.iter();
        let aborts = aborts.filter_map(|it| of("abort".to_owned(), it));
        agents.chain(schedulers).chain(aborts).collect()
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        let (at, utc) = (self.began.elapsed(), Moment::now().utc);
        writeln!(self.log, "{:7.3} ({}) {what}", at.as_secs_f64(), time(utc)).unwrap();
    }
}

/// A time of day, as in the programs' logs.
pub fn time(utc: chrono::DateTime<Utc>) -> String {
    utc.format("%H:%M:%S%.3f").to_string()
}

fn started<P>(process: P) -> Started<P> {
    Started {
        process,
        killed: false,
        told: None,
    }
}
