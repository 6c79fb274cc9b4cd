//! What a Job says of a run: whether it is one, how many runners it brings, and whether more
//! may come.

use std::fmt;

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use rendezvous::Plan;

use super::absence::short;
use super::words;

/// What may still come of a run's Job, or of whatever else makes its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prospect {
    /// Nothing more, and why.
    Over(String),
    /// Nothing more: it is gone, and another Job has its name, and with it the place of its plan.
    Replaced,
    /// Others in the place of those that end, without an end: the pods are no Job's. A `StatefulSet` makes
    /// another one when the old one is gone, a Deployment at once.
    Open,
    /// So many runners can be there at once, at most.
    AtMost {
        /// How many.
        runners: u32,
        /// Why not more, if that are fewer than the Job once wanted.
        why: Option<String>,
    },
}

impl Prospect {
    /// Whether nothing more may come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Over(_) | Self::Replaced)
    }
}

/// What a Job is to a scheduler that looks for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is none of that name.
    Absent,
    /// It is over, or about to be, and how: it does not count as there.
    Over(String),
    /// It brings no pods yet, and why.
    Idle(&'static str),
    /// It brings so many pods at once.
    Brings(u32),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("does not exist"),
            Self::Over(how) => f.write_str(how),
            Self::Idle(why) => f.write_str(why),
            Self::Brings(pods) => write!(f, "wants {}", words::runners(*pods as usize)),
        }
    }
}

/// What a Job is, to a scheduler that looks for a run.
#[must_use]
pub fn standing(job: Option<&Job>) -> Standing {
    let Some(job) = job else {
        return Standing::Absent;
    };
    if let Some(how) = over(job) {
        return Standing::Over(how);
    }
    let spec = job.spec.as_ref();
    if spec.and_then(|spec| spec.suspend).unwrap_or(false) {
        return Standing::Idle("is suspended");
    }
    match wanted(job) {
        0 => Standing::Idle("wants no pods (parallelism 0)"),
        pods => Standing::Brings(pods),
    }
}

/// How many pods a Job runs at once: `parallelism`, or `completions` if that is less
/// (Kubernetes: parallelism 3 with completions 2 makes 2 pods).
#[must_use]
pub fn wanted(job: &Job) -> u32 {
    let Some(spec) = &job.spec else { return 0 };
    // Kubernetes' own default is 1.
    let parallelism = number(spec.parallelism.unwrap_or(1));
    let completions = spec.completions.map_or(parallelism, number);
    parallelism.min(completions).min(Plan::MOST_RUNNERS)
}

/// How many pods a Job runs in all, if that is more than it runs at once: the later ones come when
/// the earlier ones have ended.
#[must_use]
pub fn more_later(job: &Job) -> Option<u32> {
    let completions = number(job.spec.as_ref()?.completions?);
    (completions > wanted(job)).then_some(completions)
}

/// The UID of a Job, which tells it from others of its name; empty if it stands nowhere yet.
#[must_use]
pub fn uid(job: &Job) -> String {
    job.metadata.uid.clone().unwrap_or_default()
}

/// The service account of a Job's pods.
#[must_use]
pub fn account(job: &Job) -> &str {
    let pod = job
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let account = pod.and_then(|pod| pod.service_account_name.as_deref());
    // Kubernetes' own default.
    account.filter(|name| !name.is_empty()).unwrap_or("default")
}

/// What may still come of a run's Job. `uid`: the run's; the Job of that name may be another one.
#[must_use]
pub fn prospect(job: Option<&Job>, uid: &str) -> Prospect {
    let Some(job) = job else {
        return Prospect::Over("was deleted".to_owned());
    };
    if job.metadata.uid.as_deref() != Some(uid) {
        return Prospect::Replaced;
    }
    match over(job) {
        Some(how) => Prospect::Over(how),
        None => at_most(job),
    }
}

fn at_most(job: &Job) -> Prospect {
    let status = job.status.as_ref();
    let spec = job.spec.as_ref();
    let failed = status
        .and_then(|status| status.failed_indexes.as_deref())
        .unwrap_or_default();
    let succeeded = number(status.and_then(|status| status.succeeded).unwrap_or(0));
    let done = indexes(failed).saturating_add(succeeded);
    let wanted = wanted(job);
    // Without completions others come until the first has ended well; then none does.
    let left = spec
        .and_then(|spec| spec.completions)
        .map_or(wanted, |all| number(all).saturating_sub(done));
    let runners = wanted.min(left);
    let why = match (failed, succeeded) {
        _ if runners == wanted => None,
        ("", succeeded) => Some(format!("{succeeded} of its pods have ended well already")),
        (failed, 0) => Some(format!("it gave up index {failed}")),
        (failed, succeeded) => Some(format!(
            "it gave up index {failed}, and {succeeded} of its pods have ended well already"
        )),
    };
    Prospect::AtMost { runners, why }
}

/// How a Job is over or about to be, if it is. Its controller says that a Job will fail or complete
/// before its pods have ended (`FailureTarget`, `SuccessCriteriaMet`), and that it has after.
#[must_use]
pub fn over(job: &Job) -> Option<String> {
    if job.metadata.deletion_timestamp.is_some() {
        return Some("is being deleted".to_owned());
    }
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let has = |kinds: [&str; 2]| {
        conditions
            .iter()
            .find(|one| one.status == "True" && kinds.contains(&one.type_.as_str()))
    };
    if let Some(condition) = has(["Failed", "FailureTarget"]) {
        return Some(format!("has failed{}", because(condition)));
    }
    has(["Complete", "SuccessCriteriaMet"]).map(|_| "is complete already".to_owned())
}

fn because(condition: &JobCondition) -> String {
    match (&condition.reason, &condition.message) {
        (Some(reason), Some(message)) => format!(" ({reason}: {})", short(message)),
        (Some(only), None) | (None, Some(only)) => format!(" ({})", short(only)),
        (None, None) => String::new(),
    }
}

/// How many indexes a list of them names, such as `1,3-5,7`.
fn indexes(list: &str) -> u32 {
    list.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let ends = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse::<u32>().ok();
            match (number(ends.0), number(ends.1)) {
                (Some(first), Some(last)) => last.saturating_sub(first).saturating_add(1),
                // Not a list that Kubernetes writes; one is the least that it can mean.
                _ => 1,
            }
        })
        .fold(0, u32::saturating_add)
}

fn number(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests;
