//! The arguments of each command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use rendezvous::{LatePolicy, RunId, StageName, Terms};

use super::place::{Place, RunArguments};
use super::policies::PolicyArguments;
use super::values;
use crate::decide::lead::LeastLead;
use crate::decide::quorum::Need;
use crate::run::result::Telling;
use crate::run::settings::{Settings, Unarmed};
use crate::show::Output;

/// Who runs setup().
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetupMode {
    /// The agent, before the runner is ready.
    Early,
    /// k6 itself, after the instant.
    K6,
}

impl SetupMode {
    /// As an agent is told it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::K6 => "k6",
        }
    }
}

/// How far ahead the instant is set, unless it is said: runners in a directory poll it ten times a
/// second, and people do not like to wait.
const DEFAULT_LEAD: Duration = Duration::from_secs(3);

/// How runners are gathered and started.
#[derive(Debug, Clone, Args)]
pub struct GatherArguments {
    /// Start with so many if the rest does not come within the grace period [default: all]
    #[arg(long, env = "TMINUS_MIN_RUNNERS", value_name = "M", value_parser = clap::value_parser!(u32).range(1..))]
    pub min_runners: Option<u32>,

    /// How long the rest is waited for once --min-runners are ready
    #[arg(long, env = "TMINUS_GRACE_PERIOD", value_name = "DURATION", default_value = "30s", value_parser = values::grace_period)]
    pub grace_period: Duration,

    /// Give up when the runners are not ready within this time; so long, too, the Job is waited for, and the runners of each further stage
    #[arg(long, env = "TMINUS_MAX_WAIT", value_name = "DURATION", default_value = "15m", value_parser = values::max_wait)]
    pub max_wait: Duration,

    /// How far ahead the instant is set once all are ready, at least 1s; it is rounded up to a whole second. On Kubernetes it is never less than all runners need to learn of it by polling alone: 20s for up to 1000 of them [default: 3s, on Kubernetes that least]
    #[arg(long, env = "TMINUS_LEAD", value_name = "DURATION", value_parser = values::lead)]
    pub lead: Option<Duration>,

    /// Start at this very time instead, RFC 3339 with its zone; judged by the runners' clocks
    #[arg(long, env = "TMINUS_AT", value_name = "TIME", value_parser = values::instant)]
    pub at: Option<DateTime<Utc>>,

    /// What a runner does that comes too late: `refuse` = fail; `join` = start all the same; `skip` = no load, end well [default: refuse]
    #[arg(long, env = "TMINUS_LATE", value_name = "POLICY")]
    pub late: Option<LatePolicy>,

    /// How late a start is still on time, at most 1h [default: 1s]
    #[arg(long, env = "TMINUS_LATE_TOLERANCE", value_name = "DURATION", value_parser = values::tolerance)]
    pub late_tolerance: Option<Duration>,

    /// The widest clock error with which a runner may start, at most 1h; the smaller of this and its agent's own rules [default: its agent's own]
    #[arg(long, env = "TMINUS_MAX_CLOCK_ERROR", value_name = "DURATION", value_parser = values::clock_error)]
    pub max_clock_error: Option<Duration>,

    /// What to do if not all are armed 2s before the instant: `start` = the others start; `abort` = nobody does
    #[arg(
        long,
        env = "TMINUS_UNARMED",
        value_name = "POLICY",
        default_value = "start"
    )]
    pub unarmed: Unarmed,

    /// What becomes of the others when something happens to a runner.
    #[command(flatten)]
    pub policies: PolicyArguments,

    /// How the result looks on standard output; each stage has its own
    #[arg(
        long,
        env = "TMINUS_OUTPUT",
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub output: Output,

    /// Ask this URL in the end when each runner's first request arrived, as JSON {"runners":{NAME:{"first":TIME,"count":N}}}
    #[arg(long, env = "TMINUS_FIRST_REQUESTS", value_name = "URL", value_parser = values::http_url)]
    pub first_requests: Option<String>,
}

impl GatherArguments {
    /// How the result is told.
    #[must_use]
    pub fn telling(&self) -> Telling {
        Telling {
            output: self.output,
            target: self.first_requests.clone(),
        }
    }

    /// How many runners a start needs, of so many.
    ///
    /// # Errors
    /// A sentence, if it could never come.
    pub fn need(&self, runners: u32) -> Result<Need, String> {
        match self.min_runners {
            Some(minimum) if minimum > runners => Err(format!(
                "--min-runners {minimum} is more than there are to be ({runners}): the quorum could never come"
            )),
            minimum => Ok(Need {
                wanted: runners,
                minimum: minimum.unwrap_or(runners),
                grace_period: self.grace_period,
            }),
        }
    }

    /// What the start of a run's stage is to be. `least_lead`: what it takes until all runners
    /// have heard of an instant.
    #[must_use]
    pub fn settings(
        &self,
        run: RunId,
        stage: StageName,
        need: Need,
        least_lead: LeastLead,
    ) -> Settings {
        Settings {
            run,
            stage,
            need,
            max_wait: self.max_wait,
            lead: self.lead.unwrap_or(DEFAULT_LEAD).max(least_lead.whole()),
            least_lead,
            at: self.at,
            terms: Terms {
                late: self.late,
                late_tolerance: self.late_tolerance,
                max_clock_error: self.max_clock_error,
            },
            unarmed: self.unarmed,
            policies: self.policies.policies(),
            wait: false,
            followed: false,
        }
    }
}

/// Arguments of `start`.
#[derive(Debug, Args)]
pub struct StartArguments {
    /// Which run, and where.
    #[command(flatten)]
    pub run: RunArguments,

    /// The stage of the run to start; several, one after another, if given several times or with commas
    #[arg(
        long,
        env = "TMINUS_STAGE",
        value_name = "NAME",
        default_value = "main",
        value_delimiter = ','
    )]
    pub stage: Vec<StageName>,

    /// How many runners there are to be [default: as many pods as --job runs at once, by its parallelism and completions]
    #[arg(long, env = "TMINUS_RUNNERS", value_name = "N", value_parser = values::runners())]
    pub runners: Option<u32>,

    /// Where the runners are pods but no Job's: their labels, to tell why some are missing
    #[arg(long, env = "TMINUS_SELECTOR", value_name = "LABELS")]
    pub selector: Option<String>,

    /// How runners are gathered and started.
    #[command(flatten)]
    pub gather: GatherArguments,

    /// Wait until all runners have ended, and exit with the worst of their codes
    #[arg(long, env = "TMINUS_WAIT", value_parser = BoolishValueParser::new())]
    pub wait: bool,
}

impl StartArguments {
    /// Checks what no single argument tells.
    ///
    /// # Errors
    /// A sentence that names them.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_directory = match self.run.place()? {
            Place::Job { .. } if self.selector.is_some() => {
                return Err(
                    "--selector is for runners that are no Job's: those of --job are known"
                        .to_owned(),
                );
            }
            Place::Job { .. } => false,
            Place::Pods { .. } => {
                self.runners.ok_or("--store needs --runners N")?;
                false
            }
            Place::Directory { .. } => {
                self.runners.ok_or("--store needs --runners N")?;
                true
            }
        };
        if is_directory && self.selector.is_some() {
            return Err(
                "--selector is for Kubernetes, and a directory is on this machine".to_owned(),
            );
        }
        if let Some(runners) = self.runners {
            self.gather.need(runners)?;
        }
        self.gather.policies.check(self.wait)?;
        let stages = &self.stage;
        if let Some(twice) = (1..stages.len()).find(|n| stages[..*n].contains(&stages[*n])) {
            return Err(format!(
                "--stage {} is given twice, and is started once",
                stages[twice]
            ));
        }
        if stages.len() > 1 && self.gather.at.is_some() {
            return Err(
                "--at is one instant, and each --stage has its own: start them by a call each"
                    .to_owned(),
            );
        }
        if stages.len() > 1 && self.gather.first_requests.is_some() {
            return Err(
                "--first-requests cannot tell the requests of several stages apart: start them by a call each".to_owned(),
            );
        }
        Ok(())
    }
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Which run, and where.
    #[command(flatten)]
    pub run: RunArguments,

    /// The stage of the run to show
    #[arg(
        long,
        env = "TMINUS_STAGE",
        value_name = "NAME",
        default_value = "main"
    )]
    pub stage: StageName,

    /// How it looks on standard output
    #[arg(
        long,
        env = "TMINUS_OUTPUT",
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub output: Output,
}

/// Arguments of `abort`.
#[derive(Debug, Args)]
pub struct AbortArguments {
    /// Which run, and where.
    #[command(flatten)]
    pub run: RunArguments,

    /// Why, for those who will wonder
    #[arg(
        long,
        env = "TMINUS_WHY",
        value_name = "TEXT",
        default_value = "aborted by hand"
    )]
    pub why: String,
}

/// Arguments of `local`.
#[derive(Debug, Args)]
pub struct LocalArguments {
    /// How many runners there are to be
    #[arg(long, env = "TMINUS_RUNNERS", value_name = "N", value_parser = values::runners())]
    pub runners: u32,

    /// How runners are gathered and started.
    #[command(flatten)]
    pub gather: GatherArguments,

    /// Where the runners' directories are made; they stay [default: tminus-local/RUN]
    #[arg(long, env = "TMINUS_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// The agent's program [default: tminus-agent beside this program, else from PATH]
    #[arg(long, env = "TMINUS_AGENT", value_name = "PATH")]
    pub agent: Option<PathBuf>,

    /// Wait until all runners have ended, and exit with the worst of their codes: always so here
    #[arg(long, env = "TMINUS_WAIT", value_parser = BoolishValueParser::new())]
    pub wait: bool,

    /// How long k6 may take to read the script and build its VUs [default: as --max-wait]
    #[arg(long, env = "TMINUS_READY_TIMEOUT", value_name = "DURATION", value_parser = values::positive)]
    pub ready_timeout: Option<Duration>,

    /// Who runs the script's setup(): `early` = the agent, before its runner is ready; `k6` = k6 itself, after the instant
    #[arg(
        long,
        env = "TMINUS_SETUP",
        value_name = "WHO",
        default_value = "early"
    )]
    pub setup: SetupMode,

    /// Run an early setup() again if it is older than this when the instant is known
    #[arg(long, env = "TMINUS_SETUP_MAX_AGE", value_name = "DURATION", value_parser = values::positive)]
    pub setup_max_age: Option<Duration>,

    /// How long k6 may take to end when it is stopped, teardown() included; then it is killed
    #[arg(long, env = "TMINUS_GRACE", value_name = "DURATION", default_value = "30s", value_parser = values::positive)]
    pub grace: Duration,

    /// The command that starts k6, after `--`
    #[arg(last = true, required = true, value_name = "k6 run … SCRIPT")]
    pub command: Vec<OsString>,
}
