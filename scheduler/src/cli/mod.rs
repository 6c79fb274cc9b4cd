//! The command line and its environment twins.

mod arguments;
mod place;
mod policies;
mod values;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

pub use arguments::{
    AbortArguments, GatherArguments, LocalArguments, SetupMode, StartArguments, StatusArguments,
};

pub use place::{Place, RunArguments};

use crate::exit::Code;

/// Makes every k6 runner of a load test start at the same instant.
///
/// Waits until enough runners are ready, sets an instant for all of them, and tells who started when.
/// Progress goes to standard error, the result to standard output.
#[derive(Debug, Parser)]
#[command(name = "tminus-scheduler", version, max_term_width = 100, after_help = CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What both commands that start something exit with. A macro, as only literals can be joined.
macro_rules! codes {
    () => {
        "\
Exit codes: 0 started well, 64 usage, 69 no access to the store, 71 no majority agrees on the time,
75 quorum not reached in time, 76 aborted, 78 started but not well (missing, lost or late runners, a clock that jumped);
with --wait the worst of the runners' codes, in the order 0 < 78 < 99 < other k6 codes < 76 < 128+n."
    };
}

const CODES: &str = concat!(
    codes!(),
    "\n\nTMINUS_LOG sets what is logged on standard error, such as `debug` or `scheduler=warn`."
);

const START: &str = concat!(
    "\
Examples, for a Job on Kubernetes whose pods warm up first, and for four agents on this machine:
  tminus-scheduler start --job load-test --stage warmup --stage main --wait
  tminus-agent --store dir:/tmp/rendezvous --run r1 --runner a --ntp none -- k6 run script.js   # and b, c, d
  tminus-scheduler start --store dir:/tmp/rendezvous --run r1 --runners 4 --wait

A Job that is suspended, over or being deleted is not there yet: the next one of its name is waited for. When it is
over, no more runners come, and the wait ends.

A run id is used once: the start of a run that is over is shown again, with code 78.

Several stages: the next one gathers when all runners of the one before have ended, and has its own quorum. A stage that
does not start, or is aborted, is the last, and the run is aborted. One that started is followed by the next, however it
went: a runner that its warm-up cost is missed in the next quorum, if that needs it. With --on-failure abort a stage in
which a runner fails is the last as well, and with --on-lost abort one in which a runner is lost. The exit code is the
worst of the stages'; the runners' own codes count with --wait only.

On Kubernetes the kubeconfig is that of KUBECONFIG or ~/.kube/config, or else the account of the pod that this runs in. A
proxy is used if HTTPS_PROXY or the kubeconfig names one.

",
    codes!()
);

const LOCAL: &str = concat!(
    "\
Examples:
  tminus-scheduler local --runners 4 -- k6 run script.js
  tminus-scheduler local --runners 4 --dir out --output json -- k6 run --vus 50 --duration 5m script.js

",
    codes!(),
    "\n`local` always waits."
);

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Gather the runners of a run, set the instant, follow the start
    #[command(after_help = START)]
    Start(StartArguments),
    /// Show what stands in the store for a run: the plan, an abort, each runner
    Status(StatusArguments),
    /// Abort a run: every runner ends its k6, before or after the start
    ///
    /// A run of which neither a plan nor a report stands in the store is not aborted: exit code 69. That of a --job
    /// is, from the moment that the Job is there.
    Abort(AbortArguments),
    /// Start several runners on this machine, all at one instant, and wait for their ends
    ///
    /// Each runner has a directory of its own below DIR, in which its k6 runs and to which it writes, with
    /// the output of k6 in `k6.log`. The script and other files that k6 reads are found from here; a script on
    /// standard input (`k6 run -`) is read once and handed to each, and what it opens or imports
    /// by a relative path is looked for in the runner's own directory.
    #[command(after_help = LOCAL)]
    Local(LocalArguments),
}

/// Reads a command line, the program's name first, and the environment.
///
/// # Errors
/// The code to exit with at once: 0 after `--help` or `--version`, 64 after a usage
/// error. What there is to say has been said.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Code> {
    read(arguments).map_err(|error| {
        // Nothing can be done if even this cannot be written.
        let _ = error.print();
        if error.use_stderr() {
            Code::Usage
        } else {
            Code::Well
        }
    })
}

fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(arguments)?;
    let checked = match &cli.command {
        Command::Start(start) => start.check(),
        Command::Local(local) => local.gather.need(local.runners).map(|_| ()),
        Command::Status(StatusArguments { run, .. })
        | Command::Abort(AbortArguments { run, .. }) => run.place().map(|_| ()),
    };
    checked.map_err(|error| Cli::command().error(ErrorKind::ArgumentConflict, error))?;
    Ok(cli)
}

#[cfg(test)]
mod tests;
