//! What each runner is to run: the user's k6 command line, fit for a directory of the runner's own, and
//! the agent's in front of it.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use k6::{CommandLine, ConfigFile, Environment, Script};
use rendezvous::{RunId, RunnerId};

use super::error::LocalError;
use crate::cli::LocalArguments;

/// A k6 command line that every runner can run in a directory of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K6Command {
    /// The words, the program first.
    pub words: Vec<OsString>,
    /// Variables to change for it.
    pub variables: Vec<(&'static str, OsString)>,
    /// Whether its script comes on standard input.
    pub reads_stdin: bool,
}

impl K6Command {
    /// Checks the user's command line, and names in full what it reads below `base`.
    ///
    /// # Errors
    /// What contradicts a start by tminus, or a start of more than one.
    pub fn prepare(
        words: &[OsString],
        environment: &Environment,
        runners: u32,
        base: &Path,
    ) -> Result<Self, LocalError> {
        let command_line = CommandLine::parse(words)?;
        let config = ConfigFile::find(&command_line, environment)?;
        let run = command_line
            .check(environment, config.as_ref())
            .map_err(LocalError::Contradictions)?;
        if let (Some(source), true) = (run.web_dashboard(), runners > 1) {
            return Err(LocalError::WebDashboard(source.to_string()));
        }
        Ok(Self {
            words: run.anchored(base),
            variables: environment.anchored(base),
            reads_stdin: run.script() == Script::Stdin,
        })
    }
}

/// The arguments of a runner's agent. `ntp` is where the time is to come from, if the user has a wish.
#[must_use]
pub fn agent_arguments(
    arguments: &LocalArguments,
    store: &Path,
    run: &RunId,
    runner: &RunnerId,
    cores: usize,
    ntp: Option<&OsStr>,
    k6: &K6Command,
) -> Vec<OsString> {
    let mut location = OsString::from("dir:");
    location.push(store);
    let mut words: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: &OsStr| {
        words.push(name.into());
        words.push(value.into());
    };
    flag("--store", &location);
    flag("--run", run.as_str().as_ref());
    flag("--stage", super::STAGE.as_ref());
    flag("--runner", runner.as_str().as_ref());
    flag("--name", runner.as_str().as_ref());
    // All share one clock: how far off it is, makes no difference between them.
    flag("--ntp", ntp.unwrap_or("none".as_ref()));
    flag("--setup", arguments.setup.as_str().as_ref());
    flag("--grace", duration(arguments.grace).as_ref());
    // No agent gives up while its scheduler still waits for it.
    let ready_timeout = arguments.ready_timeout.unwrap_or(arguments.gather.max_wait);
    flag("--ready-timeout", duration(ready_timeout).as_ref());
    if let Some(age) = arguments.setup_max_age {
        flag("--setup-max-age", duration(age).as_ref());
    }
    if let Some(late) = arguments.gather.late {
        flag("--late", late.as_str().as_ref());
    }
    if let Some(tolerance) = arguments.gather.late_tolerance {
        flag("--late-tolerance", duration(tolerance).as_ref());
    }
    if !may_spin(arguments.runners, cores) {
        flag("--spin", "0s".as_ref());
    }
    words.push("--".into());
    words.extend(k6.words.iter().cloned());
    words
}

/// Whether runners may spin through the last stretch: with more of them than cores
/// each would keep another one from firing.
fn may_spin(runners: u32, cores: usize) -> bool {
    runners as usize <= cores
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::{Command, parse};
    use crate::testing::{run_id, runner};
    use rstest::rstest;

    fn prepared(line: &str, runners: u32) -> Result<K6Command, LocalError> {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        let base = Path::new("/home/me");
        K6Command::prepare(&words, &Environment::default(), runners, base)
    }

    #[test]
    fn what_k6_reads_is_named_in_full_and_what_it_writes_is_not() {
        let command = prepared("./k6 run --out csv=out.csv -c k6.json test/script.js", 4).unwrap();
        let expected = [
            "/home/me/k6",
            "run",
            "--out",
            "csv=out.csv",
            "-c",
            "/home/me/k6.json",
            "/home/me/test/script.js",
        ];
        assert_eq!(command.words, expected);
        assert!(!command.reads_stdin);
    }

    #[test]
    fn a_script_on_standard_input_stays_there() {
        let command = prepared("k6 run -", 4).unwrap();
        assert_eq!(command.words, ["k6", "run", "-"]);
        assert!(command.reads_stdin);
    }

    #[rstest]
    #[case::resume_by_itself("k6 run --paused=false script.js")]
    #[case::an_address("k6 run --address :6565 script.js")]
    #[case::no_run("k6 cloud script.js")]
    #[case::no_script("k6 run")]
    fn what_contradicts_a_common_start_is_refused(#[case] line: &str) {
        assert!(prepared(line, 1).is_err());
    }

    #[test]
    fn one_web_dashboard_is_all_that_a_machine_can_have() {
        let line = "k6 run --out web-dashboard script.js";
        assert!(prepared(line, 1).is_ok());
        let error = prepared(line, 2).unwrap_err().to_string();
        assert!(error.contains("web-dashboard"), "{error}");
    }

    #[rstest]
    #[case(1, 2, true)]
    #[case(2, 2, true)]
    #[case(3, 2, false)]
    fn runners_spin_only_where_each_has_a_core(
        #[case] runners: u32,
        #[case] cores: usize,
        #[case] may: bool,
    ) {
        assert_eq!(may_spin(runners, cores), may);
    }

    fn arguments_of(flags: &str, cores: usize) -> String {
        arguments_with(flags, cores, None)
    }

    fn arguments_with(flags: &str, cores: usize, ntp: Option<&str>) -> String {
        let line = format!("tminus-scheduler local --runners 3 {flags} -- k6 run script.js");
        let cli = parse(line.split_whitespace().map(OsString::from)).unwrap();
        let Command::Local(arguments) = cli.command else {
            panic!()
        };
        let k6 = prepared("k6 run script.js", 3).unwrap();
        let store = Path::new("/d/store");
        let words = agent_arguments(
            &arguments,
            store,
            &run_id(),
            &runner("runner-2"),
            cores,
            ntp.map(OsStr::new),
            &k6,
        );
        words.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn an_agent_is_told_what_it_needs() {
        assert_eq!(
            arguments_of("", 4),
            "--store dir:/d/store --run run-1 --stage main --runner runner-2 --name runner-2 --ntp none \
             --setup early --grace 30s --ready-timeout 15m -- k6 run /home/me/script.js"
        );
    }

    #[test]
    fn who_wants_another_time_than_this_machines_says_so() {
        let told = arguments_with("", 4, Some("10.0.0.2"));
        assert!(told.contains(" --ntp 10.0.0.2 "), "{told}");
    }

    #[test]
    fn how_long_k6_may_take_is_as_long_as_it_is_waited_for_unless_it_is_said() {
        let told = arguments_of("--max-wait 1h --ready-timeout 1m30s", 4);
        assert!(told.contains("--ready-timeout 1m 30s"), "{told}");
    }

    #[test]
    fn what_the_user_says_of_runners_is_passed_on() {
        let flags = "--late join --late-tolerance 2s --setup k6 --setup-max-age 10m --grace 1m --max-wait 20m";
        assert_eq!(
            arguments_of(flags, 2),
            "--store dir:/d/store --run run-1 --stage main --runner runner-2 --name runner-2 --ntp none \
             --setup k6 --grace 1m --ready-timeout 20m --setup-max-age 10m --late join --late-tolerance 2s --spin 0s \
             -- k6 run /home/me/script.js"
        );
    }
}
