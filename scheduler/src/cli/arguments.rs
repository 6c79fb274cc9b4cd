//! The arguments of each command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};
use rendezvous::{LatePolicy, Plan, RunId, StageName, StoreLocation, Terms};

use super::{Cli, values};
use crate::decide::quorum::Need;
use crate::run::settings::Settings;
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

/// How runners are gathered and started.
#[derive(Debug, Clone, Args)]
pub struct GatherArguments {
    /// How many runners there are to be
    #[arg(long, env = "TMINUS_RUNNERS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(Plan::MOST_RUNNERS)))]
    pub runners: u32,

    /// Start with so many if the rest does not come within the grace period [default: all]
    #[arg(long, env = "TMINUS_MIN_RUNNERS", value_name = "M", value_parser = clap::value_parser!(u32).range(1..))]
    pub min_runners: Option<u32>,

    /// How long the rest is waited for once --min-runners are ready
    #[arg(long, env = "TMINUS_GRACE_PERIOD", value_name = "DURATION", default_value = "30s", value_parser = values::grace_period)]
    pub grace_period: Duration,

    /// Give up when the runners are not ready within this time
    #[arg(long, env = "TMINUS_MAX_WAIT", value_name = "DURATION", default_value = "15m", value_parser = values::max_wait)]
    pub max_wait: Duration,

    /// How far ahead the instant is set once all are ready, at least 1s; it is rounded up to a whole second
    #[arg(long, env = "TMINUS_LEAD", value_name = "DURATION", default_value = "3s", value_parser = values::lead)]
    pub lead: Duration,

    /// Start at this very time instead, RFC 3339 with its zone; judged by the runners' clocks
    #[arg(long, env = "TMINUS_AT", value_name = "TIME", value_parser = values::instant)]
    pub at: Option<DateTime<Utc>>,

    /// What a runner does that comes too late: `refuse` = fail; `join` = start all the same; `skip` = no load, end well [default: refuse]
    #[arg(long, env = "TMINUS_LATE", value_name = "POLICY")]
    pub late: Option<LatePolicy>,

    /// How late a start is still on time, at most 1h [default: 1s]
    #[arg(long, env = "TMINUS_LATE_TOLERANCE", value_name = "DURATION", value_parser = values::tolerance)]
    pub late_tolerance: Option<Duration>,

    /// How the result looks on standard output
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
    /// Checks what no single argument tells.
    pub(super) fn check(&self) -> Result<(), clap::Error> {
        match self.min_runners {
            Some(minimum) if minimum > self.runners => Err(Cli::command().error(
                ErrorKind::ValueValidation,
                format!(
                    "--min-runners {minimum} is more than --runners {}: the quorum could never come",
                    self.runners
                ),
            )),
            _ => Ok(()),
        }
    }

    /// What the start is to be.
    #[must_use]
    pub fn settings(&self, run: RunId, stage: StageName, wait: bool) -> Settings {
        Settings {
            run,
            stage,
            need: Need {
                wanted: self.runners,
                minimum: self.min_runners.unwrap_or(self.runners),
                grace_period: self.grace_period,
            },
            max_wait: self.max_wait,
            lead: self.lead,
            at: self.at,
            terms: Terms {
                late: self.late,
                late_tolerance: self.late_tolerance,
                max_clock_error: None,
            },
            wait,
        }
    }
}

/// Which run, and where.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// Where plan and reports stand: dir:PATH, a directory on this machine, of one run at a time
    #[arg(long, env = "TMINUS_STORE", value_name = "STORE")]
    pub store: StoreLocation,

    /// The run; the same for all its runners
    #[arg(long, env = "TMINUS_RUN", value_name = "ID")]
    pub run: RunId,
}

/// Arguments of `start`.
#[derive(Debug, Args)]
pub struct StartArguments {
    /// Which run, and where.
    #[command(flatten)]
    pub run: RunArguments,

    /// The stage of the run to start
    #[arg(
        long,
        env = "TMINUS_STAGE",
        value_name = "NAME",
        default_value = "main"
    )]
    pub stage: StageName,

    /// How runners are gathered and started.
    #[command(flatten)]
    pub gather: GatherArguments,

    /// Wait until all runners have ended, and exit with the worst of their codes
    #[arg(long, env = "TMINUS_WAIT", value_parser = BoolishValueParser::new())]
    pub wait: bool,
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
