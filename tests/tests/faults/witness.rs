//! What stood in the store while a round went on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use chrono::{DateTime, Utc};
use rendezvous::{Phase, Plan, Report, RunId, RunnerId};
use support::stage::Stage;

/// An instant, and the plan that it was published in.
pub type Published = (String, DateTime<Utc>);

/// What was seen of a run's stage.
#[derive(Default)]
pub struct Witness {
    /// Every instant that ever stood there.
    pub published: BTreeSet<Published>,
    /// Every start that was reported: by whom, and the instant that it was late by so much for.
    pub reported: BTreeSet<(RunnerId, Published)>,
    /// Every final code that was reported, by the process's own id.
    pub last_words: BTreeMap<String, u8>,
}

impl Witness {
    /// Looks what stands there now. What cannot be read is not there.
    pub fn look(&mut self, stage: &Stage, runners: &[RunnerId]) {
        let ours = |run: &RunId| run == stage.run();
        if let Some(plan) = read(&stage.plan_file(), Plan::from_json).filter(|it| ours(&it.run))
            && let Some(start_at) = plan.start_at()
        {
            self.published.insert((plan.id.to_string(), start_at));
        }
        for runner in runners {
            let Some(report) = report(stage, runner) else {
                continue;
            };
            if let (Some(start), Some(plan)) = (&report.start, &report.plan) {
                let instant = start.fired_at - start.lateness;
                self.reported
                    .insert((runner.clone(), (plan.to_string(), instant)));
            }
            if let Some(code) = report.exit_code {
                self.last_words.insert(report.incarnation.to_string(), code);
            }
        }
    }

    /// The instant, once one has stood there.
    pub fn instant(&self) -> Option<DateTime<Utc>> {
        self.published.first().map(|(_, start_at)| *start_at)
    }
}

/// The phase that a runner reports, if what it reports can be read.
pub fn phase(stage: &Stage, runner: &RunnerId) -> Option<Phase> {
    report(stage, runner).map(|report| report.phase)
}

fn report(stage: &Stage, runner: &RunnerId) -> Option<Report> {
    read(&stage.report_file(runner), Report::from_json).filter(|report| report.run == *stage.run())
}

fn read<T, E>(path: &Path, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    let text = fs::read_to_string(path).ok()?;
    parse(&text).ok()
}
