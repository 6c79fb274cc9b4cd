//! How each fault is brought about.

use std::time::{Duration, Instant};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use support::{mark::Marked, process::Running};

use super::{Later, Round, Started};
use crate::{fault::Fault, store::Broken};

/// How long after its start a process has opened the store: on an idle machine that takes some 20 ms.
const HAS_BEGUN: Duration = Duration::from_secs(1);

impl Round<'_> {
    /// Brings a fault about, if there still is somebody whom it can befall.
    pub(super) fn befall(&mut self, fault: Fault) {
        let now = Instant::now();
        match fault {
            Fault::AgentKilled { runner, again } => {
                if let Some(agent) = alive(&mut self.agents[runner], |agent| agent.process()) {
                    agent.killed = true;
                    agent.process.process().signal(Signal::SIGKILL);
                    if let Some(after) = again {
                        self.later.push((now + after, Later::RunAgent(runner)));
                    }
                }
            }
            Fault::AgentToldToEnd { runner, signal } => {
                if let Some(agent) = alive(&mut self.agents[runner], |agent| agent.process()) {
                    agent.told = Some(signal);
                    agent.process.process().signal(signal);
                }
            }
            Fault::AgentFrozen { runner, time } => {
                let agent = alive(&mut self.agents[runner], |agent| agent.process());
                let id = agent.map(|agent| agent.process.process().id());
                self.freeze(id, time);
            }
            Fault::K6Killed { runner } => signal_to(self.k6(runner), Signal::SIGKILL),
            Fault::K6ToldToEnd { runner } => signal_to(self.k6(runner), Signal::SIGTERM),
            Fault::K6Frozen { runner, time } => self.freeze(self.k6(runner), time),
            Fault::SchedulerKilled { scheduler, again } => {
                if let Some(one) = alive(&mut self.schedulers[scheduler], |one| one) {
                    one.killed = true;
                    one.process.signal(Signal::SIGKILL);
                    if let Some(after) = again {
                        self.later
                            .push((now + after, Later::RunScheduler(scheduler)));
                    }
                }
            }
            Fault::SchedulerToldToEnd { scheduler, signal } => {
                if let Some(one) = alive(&mut self.schedulers[scheduler], |one| one) {
                    one.told = Some(signal);
                    one.process.signal(signal);
                }
            }
            Fault::SchedulerFrozen { scheduler, time } => {
                let one = alive(&mut self.schedulers[scheduler], |one| one);
                let id = one.map(|one| one.process.id());
                self.freeze(id, time);
            }
            Fault::AnotherScheduler => {
                self.schedulers.push(Vec::new());
                self.run_scheduler(self.schedulers.len() - 1);
            }
            Fault::Abort => {
                self.last_begun = now;
                let abort = self
                    .command("abort")
                    .args(["--why", "a fault of the test's"]);
                self.aborts.push(abort.start());
            }
            Fault::StoreAway { time } => {
                self.break_store(Broken::away(&self.stage.directory()), time)
            }
            Fault::PlanUnwritable { time } => {
                self.break_store(Broken::unwritable(&self.stage.plan_file()), time);
            }
            Fault::PlanCutOff { time } => {
                self.break_store(Broken::cut_off(&self.stage.plan_file()), time);
            }
            Fault::PlanHeld { time } => {
                self.break_store(Broken::held(&self.stage.plan_file()), time)
            }
            Fault::ReportUnwritable { runner, time } => {
                let report = self.stage.report_file(&self.ids[runner]);
                self.break_store(Broken::unwritable(&report), time);
            }
            Fault::ReportHeld { runner, time } => {
                let report = self.stage.report_file(&self.ids[runner]);
                self.break_store(Broken::held(&report), time);
            }
            // Whoever lives writes it anew.
            Fault::ReportCutOff { runner } => {
                let _ = Broken::cut_off(&self.stage.report_file(&self.ids[runner]));
            }
        }
    }

    /// Whether a process may not have opened the store yet. It makes what it does not find there.
    pub(super) fn anybody_begins(&self) -> bool {
        self.last_begun.elapsed() < HAS_BEGUN && !self.running().is_empty()
    }

    fn break_store(&mut self, broken: Option<Broken>, time: Duration) {
        if broken.is_some() {
            self.broken = broken;
            self.later.push((Instant::now() + time, Later::Mend));
        } else {
            self.note(format_args!("(there was nothing to do that to)"));
        }
    }

    fn freeze(&mut self, process: Option<Pid>, time: Duration) {
        if let Some(process) = process {
            signal_to(Some(process), Signal::SIGSTOP);
            self.later
                .push((Instant::now() + time, Later::Thaw(process)));
        }
    }

    /// The k6 of a runner's agent, if it has one now.
    fn k6(&self, runner: usize) -> Option<Pid> {
        let agent = self.agents[runner].last()?;
        if agent.process.process().exited().is_some() {
            return None;
        }
        let found = agent.process.process().descendants().into_iter();
        let is_k6 = |process: &Marked| process.name == "fake-k6";
        found.filter(is_k6).map(|process| process.id).next()
    }
}

/// The last of several processes, if it has not ended.
fn alive<P>(
    processes: &mut [Started<P>],
    process: impl Fn(&P) -> &Running,
) -> Option<&mut Started<P>> {
    let last = processes.last_mut()?;
    process(&last.process).exited().is_none().then_some(last)
}

fn signal_to(process: Option<Pid>, signal: Signal) {
    if let Some(process) = process {
        // It may just have ended.
        let _ = kill(process, signal);
    }
}
