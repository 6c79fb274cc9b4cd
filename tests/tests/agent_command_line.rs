//! The agent's command line and environment, and what it makes of k6's.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path, time::Duration};

use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, Event, FakeK6},
    process::Program,
    programs::{self, K6},
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

/// `K6 WORDS…`, with a stand-in for k6.
fn words(k6: &FakeK6, words: &str) -> Vec<OsString> {
    let mut command = vec![k6.program().into_os_string()];
    command.extend(words.split(' ').map(OsString::from));
    command
}

/// Checks that an agent ended for a usage error that it named, before it started or reported anything.
fn assert_refused(runner: &Runner, k6: &FakeK6, named: &str) {
    assert_eq!(runner.process().wait(SOON).code, Some(64));
    let stderr = runner.process().stderr();
    assert!(stderr.contains(named), "no {named:?} in {stderr}");
    assert!(k6.record().is_empty(), "k6 was started");
    assert_eq!(runner.report(), None);
    runner.process().assert_nothing_left();
}

#[rstest]
#[case("run --address 127.0.0.1:6565 x.js", "`--address 127.0.0.1:6565`")]
#[case("run --address=:6565 x.js", "`--address=:6565`")]
#[case("run x.js -a:6565", "`-a:6565`")]
#[case("run -qa :6565 x.js", "`-qa :6565`")]
#[case("--address=:6565 run x.js", "`--address=:6565`")]
#[case("run --paused=false x.js", "`--paused=false`")]
#[case("run -p=false x.js", "`-p=false`")]
#[case("run x.js -qp=false", "`-qp=false`")]
#[case("run --paused x.js --paused=0", "`--paused=0`")]
#[case("run -e K6_PAUSED=false x.js", "`-e K6_PAUSED=false`")]
#[case("run --no-setup=false x.js", "`--no-setup=false`")]
#[case("run --linger x.js", "`--linger`")]
#[case("run x.js -l", "`-l`")]
#[case("run -ql x.js", "`-ql`")]
#[case("run --config lingers.json x.js", "\"linger\" in lingers.json")]
#[case("run --help x.js", "`--help`")]
#[case("run", "no script")]
#[case("run x.js y.js", "`x.js`, `y.js`")]
#[case("cloud run x.js", "`cloud`")]
fn a_command_line_that_contradicts_us_is_refused_before_k6_starts(
    #[case] line: &str,
    #[case] named: &str,
) {
    let stage = Stage::new();
    stage
        .scratch()
        .write("lingers.json", r#"{ "linger": true }"#);
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .start(words(&k6, line));
    assert_refused(&runner, &k6, named);
}

#[rstest]
#[case("K6_ADDRESS", ":6565")]
#[case("K6_PAUSED", "false")]
#[case("K6_PAUSED", "1")]
#[case("K6_NO_SETUP", "false")]
#[case("K6_LINGER", "true")]
fn an_environment_that_contradicts_us_is_refused_before_k6_starts(
    #[case] variable: &str,
    #[case] value: &str,
) {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .env(variable, value)
        .start(words(&k6, "run x.js"));
    assert_refused(&runner, &k6, &format!("`{variable}={value}`"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .env("K6_ADDRESS", ":6565")
        .start(words(&k6, "run -l --paused=false x.js"));
    for named in ["`-l`", "`--paused=false`", "`K6_ADDRESS=:6565`"] {
        assert_refused(&runner, &k6, named);
    }
}

#[rstest]
#[case::by_us_alone("run -q x.js", "")]
#[case::by_flag("run --paused -q x.js", "")]
#[case::by_shorthand("run x.js -qp", "")]
#[case::by_variable("run -q x.js", "true")]
fn k6_is_given_each_of_our_flags_once_right_after_run(#[case] line: &str, #[case] paused: &str) {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .env("K6_PAUSED", paused)
        .start(words(&k6, line));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);

    let record = k6.record();
    let Event::Started(arguments) = &record[0].event else {
        panic!("{record:#?}")
    };
    let Event::Listening(address) = &record[1].event else {
        panic!("{record:#?}")
    };
    let ours = [
        "run",
        "--paused",
        "--address",
        &address.to_string(),
        "--no-setup",
    ];
    assert_eq!(arguments[..ours.len()], ours);
    let rest: BTreeSet<&str> = arguments[ours.len()..].iter().map(String::as_str).collect();
    assert_eq!(rest, BTreeSet::from(["-q", "x.js"]));
    assert!(address.ip().is_loopback());
}

#[rstest]
#[case::by_flag("--paused", "")]
#[case::by_shorthand("-vp", "")]
#[case::by_variable("-v", "true")]
fn a_pause_of_the_users_own_is_as_good_as_ours(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] argument: &str,
    #[case] variable: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env("K6_PAUSED", variable)
        .start(k6_run(&k6, &[argument], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

#[rstest]
#[case::nowhere("no-such-k6", 127)]
#[case::a_directory("./store", 126)]
#[case::no_program("./plain.txt", 126)]
fn a_k6_that_cannot_be_run_has_the_code_of_a_shell(#[case] k6: &str, #[case] code: i32) {
    let stage = Stage::new();
    stage.scratch().write("plain.txt", "no program");
    let runner = Launch::new(&stage, RUNNER).start([k6, "run", "x.js"]);
    runner
        .ended(SOON)
        .assert(Phase::Failed, code)
        .assert_reason(k6);
}

#[rstest]
fn a_script_can_come_in_on_the_standard_input(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let script = format!(
        "import http from 'k6/http';
        export default () => http.get('{}/load?runner={RUNNER}');",
        target.url()
    );
    let runner = Launch::new(&stage, RUNNER).input(script).start([
        k6.as_os_str(),
        "run".as_ref(),
        "-".as_ref(),
    ]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
}

/// An agent that is given these words and variables, and nothing else.
fn agent(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let program = Program::new(programs::agent()).args(arguments);
    let running = variables
        .iter()
        .fold(program, |program, (variable, value)| {
            program.env(variable, value)
        })
        .start();
    let exit = running.wait(SOON);
    running.assert_nothing_left();
    (exit.code, running.stdout(), running.stderr())
}

#[test]
fn help_explains_each_flag_and_names_its_variable() {
    let (code, stdout, stderr) = agent(&["--help"], &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let options = stdout.split_once("Options:").unwrap().1;
    // Each begins on a line of its own, indented by six columns at most.
    let mut explained: Vec<String> = Vec::new();
    for line in options.lines() {
        match line.trim_start().starts_with('-') && line.len() - line.trim_start().len() <= 6 {
            true => explained.push(line.to_owned()),
            false => explained.last_mut().into_iter().for_each(|it| {
                it.push(' ');
                it.push_str(line.trim());
            }),
        }
    }
    assert!(explained.len() > 10, "{options}");
    for option in explained {
        let name = option
            .split_whitespace()
            .find(|word| word.starts_with("--"));
        let name = name.unwrap();
        if ["--help", "--version"].contains(&name) {
            continue;
        }
        let variable = name[2..].replace('-', "_").to_uppercase();
        assert!(
            option.contains(&format!("[env: TMINUS_{variable}=")),
            "{option}"
        );
    }
}

#[test]
fn the_version_is_told() {
    let (code, stdout, stderr) = agent(&["--version"], &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(stdout, format!("tminus-agent {version}\n"));
}

const RUN: [&str; 4] = ["--run=r", "--runner=a", "--", "k6"];

#[rstest]
#[case::no_store(&["--run=r", "--runner=a", "--", "k6", "run", "x.js"], "--store")]
#[case::bad_store(&["--store=nfs:/x", "--run=r", "--runner=a", "--", "k6", "run", "x.js"], "dir:PATH")]
#[case::no_command(&["--store=dir:/nowhere", "--run=r", "--runner=a"], "k6 run")]
#[case::unknown_flag(&["--store=dir:/nowhere", "--sooner"], "--sooner")]
#[case::bad_run(&["--store=dir:/nowhere", "--run=a/b", "--runner=a", "--", "k6"], "a/b")]
#[case::bad_duration(&["--store=dir:/nowhere", "--deadline=soon"], "soon")]
#[case::no_duration_at_all(&["--store=dir:/nowhere", "--deadline=0s"], "0s")]
#[case::too_long_a_tolerance(&["--store=dir:/nowhere", "--late-tolerance=2h"], "between")]
#[case::bad_policy(&["--store=dir:/nowhere", "--late=perhaps"], "refuse, join or skip")]
fn a_usage_error_is_64_and_told(#[case] arguments: &[&str], #[case] named: &str) {
    let (code, stdout, stderr) = agent(arguments, &[]);
    assert_eq!((code, stdout.as_str()), (Some(64), ""), "{stderr}");
    assert!(stderr.contains(named), "no {named:?} in {stderr}");
    assert!(!Path::new("/nowhere").exists());
}

#[test]
fn a_bad_variable_is_a_usage_error_that_names_its_flag() {
    let (code, _, stderr) = agent(
        &RUN,
        &[("TMINUS_DEADLINE", "soon"), ("TMINUS_STORE", "dir:x")],
    );
    assert_eq!(code, Some(64));
    assert!(stderr.contains("--deadline"), "{stderr}");
}

#[test]
fn variables_do_all_that_flags_do() {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let store = format!("dir:{}", stage.directory().display());
    stage.set_ago(Duration::from_secs(5));
    let program = k6.environment(Program::new(programs::agent()));
    let agent = program
        .env("TMINUS_STORE", store)
        .env("TMINUS_RUN", stage.run().as_str())
        .env("TMINUS_STAGE", stage.name().as_str())
        .env("TMINUS_RUNNER", RUNNER)
        .env("TMINUS_NAME", "the first")
        .env("TMINUS_SETUP", "k6")
        .env("TMINUS_LATE", "skip")
        .env("TMINUS_LATE_TOLERANCE", "4s")
        .env("TMINUS_LOG_FORMAT", "json")
        .args(["--"])
        .args(words(&k6, "run x.js"))
        .start();
    assert_eq!(agent.wait(SOON).code, Some(0));
    let report = stage.report(&RUNNER.parse().unwrap()).unwrap();
    assert_eq!(
        (report.phase, report.name.as_str()),
        (Phase::Skipped, "the first")
    );
    assert!(k6.record().is_empty());
    for line in agent.stderr().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn a_flag_beats_its_variable() {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    stage.set_ago(Duration::from_secs(5));
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .env("TMINUS_LATE", "refuse")
        .options(["--late", "skip"])
        .start(words(&k6, "run x.js"));
    runner.ended(SOON).assert(Phase::Skipped, 0);
}

#[test]
fn a_store_that_cannot_be_had_is_told_before_k6_starts() {
    let stage = Stage::new();
    let file = stage.scratch().write("file", "no directory");
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let store = format!("--store=dir:{}", file.display());
    let program = k6.environment(Program::new(programs::agent()));
    let agent = program
        .args([store.as_str(), "--run=r", "--runner=a", "--"])
        .args(words(&k6, "run x.js"))
        .start();
    assert_eq!(agent.wait(SOON).code, Some(69));
    assert!(agent.stderr().contains(&file.display().to_string()));
    assert!(k6.record().is_empty());
    assert_eq!(fs::read_to_string(file).unwrap(), "no directory");
}
