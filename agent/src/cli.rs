//! The command line and its environment twins.

use std::ffi::OsString;
use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use crate::clock_check::ClockCheck;
use clap::{Parser, ValueEnum};
use rendezvous::{
    LatePolicy, Plan, RunId, RunnerId, StageName, StoreLocation, Terms, duration_within,
};
use tracing_appender::non_blocking::WorkerGuard;

/// Starts k6 paused, reports when it is ready, and resumes it at the agreed instant.
///
/// Put it before the command that starts k6 in every runner. It adds --paused, --address and
/// --no-setup by itself, and exits with k6's own code. Codes of its own: 64 usage, 69 no access to the store,
/// 73 k6 not ready, 74 too late, 75 no plan came, 76 aborted, 77 stage used up before or runner taken, 126 k6 cannot
/// be run, 127 k6 not found.
#[derive(Debug, Parser)]
#[command(name = "tminus-agent", version, max_term_width = 100, after_help = EXAMPLE)]
pub struct Cli {
    /// Where plan and reports stand: dir:PATH, a directory on this machine
    #[arg(long, env = "TMINUS_STORE", value_name = "STORE")]
    pub store: StoreLocation,

    /// The run to take part in; the same for all its runners and its scheduler
    #[arg(long, env = "TMINUS_RUN", value_name = "ID")]
    pub run: RunId,

    /// The stage of the run to take part in
    #[arg(
        long,
        env = "TMINUS_STAGE",
        value_name = "NAME",
        default_value = "main"
    )]
    pub stage: StageName,

    /// Which runner this is: unique within the run, and the same after a restart
    #[arg(long, env = "TMINUS_RUNNER", value_name = "ID")]
    pub runner: RunnerId,

    /// What people call this runner, if that is not its id
    #[arg(long, env = "TMINUS_NAME", value_name = "NAME")]
    pub name: Option<String>,

    /// Who runs the script's setup(): `early` = the agent, before the runner is ready; `k6` = k6 itself, after the instant
    #[arg(
        long,
        env = "TMINUS_SETUP",
        value_name = "WHO",
        default_value = "early"
    )]
    pub setup: SetupMode,

    /// Run an early setup() again if it is older than this when the instant is known (its tokens may expire)
    #[arg(long, env = "TMINUS_SETUP_MAX_AGE", value_name = "DURATION", value_parser = positive_duration)]
    pub setup_max_age: Option<Duration>,

    /// When too late: `refuse` = fail (74); `join` = start all the same; `skip` = no load, exit 0 [default: as the plan says, else refuse]
    #[arg(long, env = "TMINUS_LATE", value_name = "POLICY", value_parser = LatePolicy::from_str)]
    pub late: Option<LatePolicy>,

    /// How late a start is still on time, at most 1h [default: as the plan says, else 1s]
    #[arg(long, env = "TMINUS_LATE_TOLERANCE", value_name = "DURATION", value_parser = tolerance)]
    pub late_tolerance: Option<Duration>,

    /// Give up when no plan has come after this time; a scheduler that is gathering is waited for longer
    #[arg(long, env = "TMINUS_DEADLINE", value_name = "DURATION", default_value = "30m", value_parser = positive_duration)]
    pub deadline: Duration,

    /// How long k6 may take to read the script and build its VUs
    #[arg(long, env = "TMINUS_READY_TIMEOUT", value_name = "DURATION", default_value = "10m", value_parser = positive_duration)]
    pub ready_timeout: Duration,

    /// How long k6 may take to end when it is stopped, teardown() included; then it is killed
    #[arg(long, env = "TMINUS_GRACE", value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    pub grace: Duration,

    /// Where the time comes from: `none` = this machine's clock as it is, its error unmeasured
    #[arg(
        long,
        env = "TMINUS_NTP",
        value_name = "SOURCE",
        default_value = "none"
    )]
    pub ntp: NtpSource,

    /// Spin through this last stretch before the instant, at most 2ms; 0s where runners share cores
    #[arg(long, env = "TMINUS_SPIN", value_name = "DURATION", default_value = "1ms", value_parser = spin)]
    pub spin: Duration,

    /// How the agent's own log lines look on standard error
    #[arg(
        long,
        env = "TMINUS_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,

    /// The command that starts k6, after `--`
    #[arg(last = true, required = true, value_name = "k6 run … SCRIPT")]
    pub command: Vec<OsString>,
}

const EXAMPLE: &str = "\
Example:
  tminus-agent --store dir:/tmp/rendezvous --run r1 --runner a -- k6 run script.js

`tminus-agent clock` measures this machine's clock; see `tminus-agent clock --help`.
TMINUS_LOG sets what is logged, such as `debug` (default: info).";

/// Who runs setup().
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetupMode {
    /// The agent, before the runner is ready.
    Early,
    /// k6 itself, after the resume.
    K6,
}

/// Where the time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NtpSource {
    /// The machine's clock as it is.
    None,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A duration above zero and up to a day.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(1)..=Plan::LONGEST_WAIT)
}

fn tolerance(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=Terms::LONGEST_TOLERANCE)
}

fn spin(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=clock::wait::MAX_SPIN)
}

/// What the program was called for.
#[derive(Debug)]
pub enum Called {
    /// To run k6.
    Run(Box<Cli>),
    /// To measure the clock: `tminus-agent clock`.
    Clock(ClockCheck),
}

/// Reads the command line and the environment, and sets logging up. The guard is to be kept until the end.
///
/// # Errors
/// The code to exit with at once: 0 after `--help` or `--version`, 64 after a usage
/// error. What there is to say has been said.
pub fn parse() -> Result<(Called, WorkerGuard), u8> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let (called, format) = if words.get(1).is_some_and(|word| word == "clock") {
        let check = ClockCheck::try_parse_from(&words[1..]).map_err(|error| tell(&error))?;
        (Called::Clock(check), LogFormat::Text)
    } else {
        let cli = Cli::try_parse_from(&words).map_err(|error| tell(&error))?;
        let format = cli.log_format;
        (Called::Run(Box::new(cli)), format)
    };
    let log = crate::log::set_up(format).map_err(|error| {
        // The log is what could not be set up.
        let _ = writeln!(std::io::stderr(), "error: {error}");
        rendezvous::code::USAGE
    })?;
    Ok((called, log))
}

/// Says what is wrong with the command line, or the help that was asked for.
fn tell(error: &clap::Error) -> u8 {
    // Nothing can be done if even this cannot be written.
    let _ = error.print();
    if error.use_stderr() {
        rendezvous::code::USAGE
    } else {
        0
    }
}
