//! The command line and its environment twins.

mod faults;
mod time;
mod values;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::clock_check::ClockCheck;
use crate::run::termination::TerminationLog;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use rendezvous::{LastWords, LatePolicy, Phase, RunId, RunnerId, StageName, StoreLocation, code};
pub use time::TimeArguments;
use tracing_appender::non_blocking::WorkerGuard;
pub(crate) use values::positive_duration;
use values::{max_run, spin, tolerance};

/// Starts k6 paused, reports when it is ready, and resumes it at the agreed instant.
///
/// Put it before the command that starts k6 in every runner. It adds --paused, --address and
/// --no-setup by itself, and exits with k6's own code. Codes of its own: 64 usage, 69 no access to the store,
/// 71 clock not good enough, 73 k6 not ready, 74 too late, 75 no plan came, 76 aborted, 77 stage used up before or runner taken, 124 k6 ran for
/// too long, 126 k6 cannot be run, 127 k6 not found.
#[derive(Debug, Parser)]
#[command(name = "tminus-agent", version, max_term_width = 100, after_help = EXAMPLE)]
pub struct Cli {
    /// Where plan and reports stand: dir:PATH, a directory on this machine; in a pod kubernetes:[NAMESPACE/]NAME, NAME being the Job's
    #[arg(long, env = "TMINUS_STORE", value_name = "STORE", value_parser = values::store)]
    pub store: StoreLocation,

    /// The run to take part in; the same for all its runners and its scheduler: on Kubernetes the Job's UID
    #[arg(long, env = "TMINUS_RUN", value_name = "ID", value_parser = values::run)]
    pub run: RunId,

    /// The stage of the run to take part in
    #[arg(
        long,
        env = "TMINUS_STAGE",
        value_name = "NAME",
        default_value = "main",
        value_parser = values::stage
    )]
    pub stage: StageName,

    /// Which runner this is: unique within the run, and the same after a restart; on Kubernetes the pod's UID
    #[arg(long, env = "TMINUS_RUNNER", value_name = "ID", value_parser = values::runner)]
    pub runner: RunnerId,

    /// What people call this runner, if that is not its id; on Kubernetes the pod's name
    #[arg(long, env = "TMINUS_NAME", value_name = "NAME", value_parser = values::name)]
    pub name: Option<String>,

    /// The container of the pod that this is
    #[arg(long, env = "TMINUS_CONTAINER", value_name = "NAME", value_parser = values::container)]
    pub container: Option<String>,

    /// The machine that this runs on
    #[arg(long, env = "TMINUS_NODE", value_name = "NAME", value_parser = values::node)]
    pub node: Option<String>,

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

    /// How long k6 may take to end when it is stopped, half of it for the teardown() of an early setup(); then it is killed
    #[arg(long, env = "TMINUS_GRACE", value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    pub grace: Duration,

    /// How long k6 may take from the start of its load to its own end, at most 1year; then it is stopped (124)
    #[arg(long, env = "TMINUS_MAX_RUN", value_name = "DURATION", default_value = "24h", value_parser = max_run)]
    pub max_run: Duration,

    /// Where the time comes from.
    #[command(flatten)]
    pub time: TimeArguments,

    /// Spin through this last stretch before the instant, at most 2ms; 0s where runners share cores
    #[arg(long, env = "TMINUS_SPIN", value_name = "DURATION", default_value = "1ms", value_parser = spin)]
    pub spin: Duration,

    /// Where the last word goes, for `kubectl describe pod` [default: /dev/termination-log, with a Kubernetes store and where it is there]
    #[arg(long, env = "TMINUS_TERMINATION_LOG", value_name = "FILE")]
    pub termination_log: Option<PathBuf>,

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
  tminus-agent --store dir:/tmp/rendezvous --run r1 --runner a --ntp none -- k6 run script.js

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

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
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
    let called = if words.get(1).is_some_and(|word| word == "clock") {
        let check = ClockCheck::try_parse_from(&words[1..]).map_err(|error| tell(&[error]))?;
        Called::Clock(check)
    } else {
        let cli = read(&words).map_err(|faults| {
            let code = tell(&faults);
            if code != 0 {
                let (store, given) = faults::last_words_of::<Cli>(&words);
                let in_pod = store
                    .is_none_or(|store| store.to_string_lossy().starts_with(values::KUBERNETES));
                last_words(
                    &TerminationLog::new(given, in_pod),
                    &faults::sentences(&faults),
                );
            }
            code
        })?;
        Called::Run(Box::new(cli))
    };
    let format = match &called {
        Called::Run(cli) => cli.log_format,
        Called::Clock(_) => LogFormat::Text,
    };
    let log = crate::log::set_up(format).map_err(|error| {
        // The log is what could not be set up.
        let _ = writeln!(std::io::stderr(), "error: {error}");
        if let Called::Run(cli) = &called {
            last_words(&TerminationLog::of(cli), &[error]);
        }
        code::USAGE
    })?;
    Ok((called, log))
}

fn read(words: &[OsString]) -> Result<Cli, Vec<clap::Error>> {
    let cli: Cli = faults::read(words)?;
    if cli.is_in_pod() && cli.name.is_none() {
        let error = Cli::command().error(
            ErrorKind::MissingRequiredArgument,
            "a Kubernetes store needs --name, the pod's name (TMINUS_NAME, fieldRef metadata.name)",
        );
        return Err(vec![error]);
    }
    if cli.time.contradict_each_other() {
        let error = Cli::command().error(
            ErrorKind::ArgumentConflict,
            "--require-ntp wants a time server's word, and --ntp none asks nobody: name a server, or leave one of them out",
        );
        return Err(vec![error]);
    }
    Ok(cli)
}

impl Cli {
    /// Whether this runs in a pod, as one with a Kubernetes store does.
    #[must_use]
    pub fn is_in_pod(&self) -> bool {
        matches!(self.store, StoreLocation::Kubernetes { .. })
    }

    /// What people call this runner.
    #[must_use]
    pub fn shown_name(&self) -> String {
        let name = self.name.clone();
        name.unwrap_or_else(|| self.runner.to_string())
    }
}

/// Says what is wrong with the command line, or the help that was asked for.
fn tell(faults: &[clap::Error]) -> u8 {
    if let [error] = faults {
        // In colour, on a terminal. Nothing can be done if even this cannot be written.
        let _ = error.print();
        return if error.use_stderr() { code::USAGE } else { 0 };
    }
    let _ = std::io::stderr().write_all(faults::text(faults).as_bytes());
    code::USAGE
}

/// A usage error as the container's last words.
fn last_words(log: &TerminationLog, faults: &[String]) {
    let reason = faults.join("; ");
    let mut words = LastWords::new(Phase::Failed, code::USAGE);
    words.reason = Some(&reason);
    log.write(&words);
}
