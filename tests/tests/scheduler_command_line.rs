//! The scheduler's command line, and what it makes of a store that is not in order.
#![allow(clippy::unwrap_used)]

use std::fs;

use rendezvous::{LatePolicy, Phase, Plan};
use rstest::rstest;
use serde_json::Value;
use support::{
    moment::Moment,
    process::Program,
    programs,
    runner::SOON,
    scheduler::{Ended, Run, SOONEST, ended},
    scratch::Scratch,
    stage::Stage,
};

/// Runs the scheduler with these words, in an empty directory, in which it must make nothing.
fn run_in_vain(words: &[&str]) -> Ended {
    let scratch = Scratch::new();
    let scheduler = Program::new(programs::scheduler())
        .args(words)
        .current_dir(scratch.path())
        .start();
    let ended = ended(&scheduler);
    assert_eq!(
        fs::read_dir(scratch.path()).unwrap().count(),
        0,
        "something was made"
    );
    ended
}

#[rstest]
fn a_bad_value_is_a_usage_error_that_names_its_option(
    #[values("start", "local")] command: &str,
    #[values(
        "--runners=0",
        "--runners=-1",
        "--runners=100001",
        "--runners=99999999999999999999",
        "--runners=many",
        "--runners=",
        "--min-runners=0",
        "--min-runners=3",
        "--grace-period=-1s",
        "--grace-period=2days",
        "--max-wait=0s",
        "--max-wait=-5s",
        "--max-wait=15",
        "--max-wait=2days",
        "--max-wait=99999999999999999999s",
        "--max-wait=soon",
        "--lead=0s",
        "--lead=999ms",
        "--lead=2h",
        "--at=tomorrow",
        "--at=2030-01-01T00:00:00",
        "--at=2030-01-01",
        "--at=2030-06-30T23:59:60Z",
        "--at=2030-02-30T00:00:00Z",
        "--at=1970-01-01T00:00:00Z",
        "--at=9999-01-01T00:00:00Z",
        "--late=never",
        "--late-tolerance=2h",
        "--late-tolerance=-1s",
        "--output=xml",
        "--first-requests=https://127.0.0.1/",
        "--first-requests=nowhere"
    )]
    bad: &str,
) {
    let mut words = vec![command];
    if command == "start" {
        words.extend(["--store", "dir:store", "--run", "r"]);
    }
    if !bad.starts_with("--runners") {
        words.extend(["--runners", "2"]);
    }
    words.push(bad);
    if command == "local" {
        words.extend(["--", "k6", "run", "x.js"]);
    }
    let (option, _) = bad.split_once('=').unwrap();
    let ended = run_in_vain(&words);
    ended.assert(64).assert_told(option);
    assert!(ended.stdout.is_empty());
}

#[rstest]
#[case::no_command("", "Usage")]
#[case::unknown_command("stop", "stop")]
#[case::no_store("start --run r --runners 1", "--store")]
#[case::no_run("start --store dir:store --runners 1", "--run")]
#[case::no_number("start --store dir:store --run r", "--runners")]
#[case::store_without_kind("start --store store --run r --runners 1", "--store")]
#[case::store_of_unknown_kind("status --store etcd:x --run r", "--store")]
#[case::store_nowhere("abort --store dir: --run r", "--store")]
#[case::run_with_a_slash("start --store dir:store --run a/b --runners 1", "--run")]
#[case::run_with_a_dot_in_front("status --store dir:store --run .. ", "--run")]
#[case::stage_in_capitals("start --store dir:store --run r --runners 1 --stage Main", "--stage")]
#[case::stage_out_of_the_store("status --store dir:store --run r --stage ../main", "--stage")]
#[case::unknown_option("abort --store dir:store --run r --force", "--force")]
#[case::no_k6("local --runners 1", "k6 run")]
#[case::grace_of_nothing("local --runners 1 --grace 0s -- k6 run x.js", "--grace")]
#[case::setup_by_whom("local --runners 1 --setup late -- k6 run x.js", "--setup")]
#[case::setup_always_too_old(
    "local --runners 1 --setup-max-age 0s -- k6 run x.js",
    "--setup-max-age"
)]
fn a_command_line_that_makes_no_sense_is_a_usage_error(#[case] line: &str, #[case] named: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    run_in_vain(&words).assert(64).assert_told(named);
}

#[rstest]
fn help_explains_each_option_and_names_its_variable(
    #[values("start", "local", "status", "abort")] command: &str,
) {
    let ended = run_in_vain(&[command, "--help"]);
    let help = &ended.assert(0).stdout;
    let (_, options) = help.split_once("\nOptions:\n").unwrap();
    // Each begins with its name, and ends with its variable and default value.
    let mut options: Vec<_> = options.split("\n      --").collect();
    let (last, without) = options.pop().unwrap().split_once("\n  -h, ").unwrap();
    assert!(without.starts_with("--help"), "{help}");
    options.push(last);
    for option in options {
        let words: Vec<_> = option.split_whitespace().collect();
        let name = words[0].trim_start_matches("--");
        let explained = words
            .iter()
            .skip(1)
            .take_while(|word| !word.starts_with('['));
        assert!(explained.count() >= 4, "{option:?}");
        let variable = format!("TMINUS_{}=]", name.to_uppercase().replace('-', "_"));
        assert!(
            words.contains(&variable.as_str()),
            "no {variable} in {option:?}"
        );
    }
    assert!(
        run_in_vain(&[command, "-h"])
            .assert(0)
            .stdout
            .contains("Usage")
    );
}

#[test]
fn the_version_is_the_projects() {
    let ended = run_in_vain(&["--version"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        ended.assert(0).stdout,
        format!("tminus-scheduler {version}\n")
    );
    let help = run_in_vain(&["--help"]);
    assert!(
        help.assert(0)
            .stdout
            .contains("75 quorum not reached in time")
    );
}

/// Runs a command of the scheduler's that is told everything by variables.
fn by_variables(command: &str, variables: &[(&str, &str)]) -> Ended {
    let program = Program::new(programs::scheduler()).args([command]);
    let program = variables
        .iter()
        .fold(program, |program, (variable, value)| {
            program.env(variable, value)
        });
    ended(&program.start())
}

#[test]
fn every_option_of_a_start_can_be_given_by_a_variable() {
    let run = Run::new();
    let _runner = run
        .launch("a")
        .options(["--name", "pod-7"])
        .start(run.k6("threshold-fails"));
    let store = format!("dir:{}", run.stage.directory().display());
    let first_requests = run.target.url() + "/first-requests";
    let ended = by_variables(
        "start",
        &[
            ("TMINUS_STORE", &store),
            ("TMINUS_RUN", run.stage.run().as_str()),
            ("TMINUS_STAGE", "main"),
            ("TMINUS_RUNNERS", "2"),
            ("TMINUS_MIN_RUNNERS", "1"),
            ("TMINUS_GRACE_PERIOD", "0s"),
            ("TMINUS_MAX_WAIT", "20s"),
            ("TMINUS_LEAD", "1s"),
            ("TMINUS_LATE", "skip"),
            ("TMINUS_LATE_TOLERANCE", "1500ms"),
            ("TMINUS_OUTPUT", "json"),
            ("TMINUS_FIRST_REQUESTS", &first_requests),
            ("TMINUS_WAIT", "true"),
        ],
    );
    // As it waits, it is the runner's code, which is worse than a missing one.
    let result = ended.assert(99).assert_told("0/2 ready, 20s left").result();
    let runner = result.runner("a").unwrap();
    assert_eq!(
        (&runner["name"], &runner["requests"]),
        (&"pod-7".into(), &1.into())
    );
    let plan = Plan::from_json(&fs::read_to_string(run.stage.plan_file()).unwrap()).unwrap();
    assert_eq!(plan.terms.late, Some(LatePolicy::Skip));
    assert_eq!(plan.terms.late_tolerance.unwrap().as_millis(), 1500);
    assert_eq!(plan.runners_wanted, 2);
}

#[test]
fn every_option_of_abort_and_status_can_be_given_by_a_variable() {
    let run = Run::new();
    run.stage.gather(SOON);
    let store = format!("dir:{}", run.stage.directory().display());
    let variables = [
        ("TMINUS_STORE", store.as_str()),
        ("TMINUS_RUN", run.stage.run().as_str()),
        ("TMINUS_WHY", "a reason of mine"),
        ("TMINUS_STAGE", "warm-up"),
        ("TMINUS_OUTPUT", "json"),
    ];
    by_variables("abort", &variables).assert(0);
    let shown = by_variables("status", &variables);
    let shown: Value = serde_json::from_str(&shown.assert(0).stdout).unwrap();
    assert_eq!(
        (&shown["stage"], &shown["abort"]["why"]),
        (&"warm-up".into(), &"a reason of mine".into())
    );
}

#[test]
fn a_variable_with_a_bad_value_is_a_usage_error() {
    let run = Run::new();
    let scheduler = run
        .command("start")
        .env("TMINUS_RUNNERS", "several")
        .start();
    ended(&scheduler).assert(64).assert_told("--runners");
    assert!(!run.has_plan());
}

#[test]
fn an_empty_store_is_shown_as_such() {
    let run = Run::new();
    let shown = ended(&run.command("status").env("TMINUS_OUTPUT", "table").start());
    let shown = &shown.assert(0).stdout;
    for line in ["no plan", "not aborted", "no runner has reported"] {
        assert!(shown.lines().any(|it| it == line), "{shown}");
    }
    let json = ended(&run.command("status").start());
    let json: Value = serde_json::from_str(&json.assert(0).stdout).unwrap();
    assert_eq!(
        (&json["plan"], &json["abort"], &json["runners"]),
        (&Value::Null, &Value::Null, &Value::Array(Vec::new()))
    );
}

#[rstest]
fn a_store_that_is_not_there_is_named_and_not_made(#[values("status", "abort")] command: &str) {
    run_in_vain(&[command, "--store", "dir:no/such/store", "--run", "r"])
        .assert(69)
        .assert_told("dir:no/such/store");
}

#[test]
fn a_run_that_nobody_knows_is_not_aborted() {
    let (run, other) = (Run::new(), Stage::new());
    run.stage.write(&other.plan_for(Moment::now().utc));
    let ended = ended(&run.command("abort").start());
    ended.assert(69).assert_told(run.stage.run().as_str());
    assert!(!run.stage.directory().join("abort.json").exists());
}

#[rstest]
fn a_store_that_cannot_be_is_named(#[values("start", "status", "abort")] command: &str) {
    let scratch = Scratch::new();
    let file = scratch.write("file", "");
    let store = format!("dir:{}", file.display());
    let mut words = vec![command, "--store", &store, "--run", "r"];
    if command == "start" {
        words.extend(["--runners", "1"]);
    }
    run_in_vain(&words)
        .assert(69)
        .assert_told(file.to_str().unwrap());
}

#[rstest]
#[case::half_a_plan("plan-main.json", r#"{"version":1,"run":"#)]
#[case::plan_of_a_later_release("plan-main.json", r#"{"version":99,"run":"r"}"#)]
#[case::half_an_abort("abort.json", r#"{"version":1,"#)]
fn what_cannot_be_read_is_named_and_left_alone(#[case] name: &str, #[case] text: &str) {
    let run = Run::new();
    let file = run.stage.directory().join(name);
    fs::write(&file, text).unwrap();
    let named = file.to_str().unwrap();
    let start = ended(&run.start(1, SOONEST));
    start.assert(69).result().assert_ending("broken", named);
    if name == "plan-main.json" {
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    let shown = ended(&run.command("status").env("TMINUS_OUTPUT", "table").start());
    if name == "plan-main.json" {
        assert!(shown.assert(0).stdout.contains(named), "{}", shown.stdout);
    }
}

#[test]
fn a_report_that_cannot_be_read_is_named_and_no_more() {
    let run = Run::new();
    let runner = run.runner("a", "1s");
    runner.wait_for_phase(Phase::Ready, SOON);
    let stranger = run
        .stage
        .report_file(&rendezvous::RunnerId::new("b").unwrap());
    fs::write(&stranger, "{").unwrap();
    let ended = ended(&run.start(1, SOONEST));
    let result = ended
        .assert(0)
        .assert_told(stranger.to_str().unwrap())
        .result();
    result.assert_exit_codes(&[("a", 0)]);
}
