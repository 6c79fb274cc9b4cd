//! What else went on on the machine: a figure of time is worth little without it.

use std::time::Duration;

use procfs::{CpuTime, CurrentSI, KernelStats};

/// The CPU time of all cores so far.
pub struct Cpu(CpuTime);

impl Cpu {
    pub fn now() -> Self {
        Self(KernelStats::current().unwrap().total)
    }

    /// For how long, since then, the host ran something else on a core that had work to do.
    pub fn stolen_since(&self) -> Duration {
        let stolen = |cpu: &CpuTime| cpu.steal_duration().unwrap_or_default();
        stolen(&Self::now().0).saturating_sub(stolen(&self.0))
    }

    /// Which share of the cores' time, since then, was not idle.
    pub fn busy_since(&self) -> f64 {
        let now = Self::now().0;
        let between = |of: fn(&CpuTime) -> Duration| of(&now).saturating_sub(of(&self.0));
        let idle = between(idle);
        let busy = between(busy);
        busy.as_secs_f64() / (busy + idle).as_secs_f64()
    }
}

fn idle(cpu: &CpuTime) -> Duration {
    cpu.idle_duration() + cpu.iowait_duration().unwrap_or_default()
}

fn busy(cpu: &CpuTime) -> Duration {
    let [irq, softirq, steal] = [
        cpu.irq_duration(),
        cpu.softirq_duration(),
        cpu.steal_duration(),
    ]
    .map(Option::unwrap_or_default);
    cpu.user_duration() + cpu.nice_duration() + cpu.system_duration() + irq + softirq + steal
}
