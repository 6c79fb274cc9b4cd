//! `local` gives each runner a directory of its own, hands the script to each, and refuses what cannot go well
//! before anything is made.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    programs::{self, K6},
    runner::k6_run,
    scheduler::{Local, SOONEST, ended},
    target::Target,
};

/// One of the tests' scripts, to be put where the test wants it.
fn script(name: &str) -> String {
    let scripts = programs::repository().join("tests/scripts");
    let text = fs::read_to_string(scripts.join(name)).unwrap();
    let beside = format!("from '{}/target.js'", scripts.display());
    text.replace("from './target.js'", &beside)
}

/// The k6 command with these words after its name.
fn k6(program: &Path, words: &[&str]) -> Vec<String> {
    let program = program.to_str().unwrap();
    let words = [&[program], words].concat();
    words.into_iter().map(str::to_owned).collect()
}

#[rstest]
fn what_each_k6_writes_stays_apart_and_what_it_reads_is_found(
    #[values(K6::V1, K6::V2)] version: K6,
) {
    let Some(program) = version.program() else {
        return;
    };
    let (local, target) = (Local::new(), Target::start());
    local
        .home()
        .write("load.js", &script("constant-arrival-rate.js"));
    local
        .home()
        .write("settings.json", r#"{"tags": {"from": "settings"}}"#);
    let words = [
        "run",
        "-c",
        "settings.json",
        "--out",
        "csv=samples.csv",
        "--summary-export=summary.json",
        "./load.js",
    ];
    let scheduler = local
        .program(4, &SOONEST, k6(&program, &words))
        .env("TARGET", target.url())
        .start();
    ended(&scheduler).assert(0);
    for number in 1..=4 {
        let samples = fs::read_to_string(local.of_runner(number, "samples.csv")).unwrap();
        let requests = samples
            .lines()
            .filter(|line| line.starts_with("http_reqs,"));
        let load = target.load_count(&format!("runner-{number}"));
        assert_eq!(
            requests.clone().count() as u64,
            load,
            "samples of runner {number}"
        );
        assert!(
            requests.clone().all(|line| line.contains("from=settings")),
            "{samples}"
        );
        let summary = fs::read_to_string(local.of_runner(number, "summary.json")).unwrap();
        assert!(summary.contains("http_reqs"), "{summary}");
        assert!(local.log(number).contains("http_req_duration"));
    }
    local.assert_tidy(&["load.js", "settings.json"]);
}

#[rstest]
fn a_script_on_standard_input_is_handed_to_each(#[values(K6::V1, K6::V2)] version: K6) {
    let Some(program) = version.program() else {
        return;
    };
    let (local, target) = (Local::new(), Target::start());
    // More than a pipe holds.
    let script = format!(
        "{}\n// {}\n",
        script("one-iteration.js"),
        "x".repeat(1 << 20)
    );
    let scheduler = local
        .program(4, &SOONEST, k6(&program, &["run", "-q", "-"]))
        .env("TARGET", target.url())
        .input(script)
        .start();
    ended(&scheduler).assert(0);
    for number in 1..=4 {
        assert_eq!(target.load_count(&format!("runner-{number}")), 1);
    }
    local.assert_tidy(&[]);
}

#[test]
fn a_script_that_is_not_there_gives_k6s_own_code() {
    let Some(program) = K6::V1.program() else {
        return;
    };
    for words in [["run", "nowhere.js"], ["run", "-"]] {
        let local = Local::new();
        let scheduler = local.program(2, &[], k6(&program, &words)).start();
        let ended = ended(&scheduler);
        assert!([107, 255].contains(&ended.code), "{ended:#?}");
        ended.result().assert_ending("quorum_impossible", " ended");
    }
}

#[test]
fn one_runner_may_have_the_web_dashboard() {
    let Some(program) = K6::V1.program() else {
        return;
    };
    let (local, target) = (Local::new(), Target::start());
    let scheduler = local
        .program(1, &SOONEST, k6_run(&program, &[], "one-iteration"))
        .env("TARGET", target.url())
        .env("K6_WEB_DASHBOARD", "true")
        // Not on a port, which another test may have.
        .env("K6_WEB_DASHBOARD_PORT", "-1")
        .start();
    ended(&scheduler).assert(0);
    assert_eq!(target.load_count("runner-1"), 1);
}

#[rstest]
#[case::dashboard_by_variable(&["run", "x.js"], ("K6_WEB_DASHBOARD", "true"), "K6_WEB_DASHBOARD")]
#[case::dashboard_by_flag(&["run", "--out", "web-dashboard=port=0", "x.js"], ("A", "B"), "--out")]
#[case::linger(&["run", "-l", "x.js"], ("A", "B"), "`-l`")]
#[case::not_paused(&["run", "x.js", "--paused=false"], ("A", "B"), "--paused")]
#[case::address(&["run", "-a:6565", "x.js"], ("A", "B"), "-a")]
#[case::address_by_variable(&["run", "x.js"], ("K6_ADDRESS", "localhost:6565"), "K6_ADDRESS")]
#[case::setup_after_all(&["run", "--no-setup=false", "x.js"], ("A", "B"), "--no-setup")]
#[case::no_run(&["archive", "x.js"], ("A", "B"), "archive")]
#[case::no_script(&["run"], ("A", "B"), "script")]
#[case::no_subcommand(&[], ("A", "B"), "subcommand")]
fn what_contradicts_a_start_is_refused_before_anything_is_made(
    #[case] words: &[&str],
    #[case] (variable, value): (&str, &str),
    #[case] named: &str,
) {
    let local = Local::new();
    let scheduler = local
        .program(2, &[], k6(Path::new("k6"), words))
        .env(variable, value)
        .start();
    ended(&scheduler).assert(64).assert_told(named);
    assert!(!local.home().path().join("out").exists());
}

#[test]
fn a_linger_in_the_configuration_file_is_refused() {
    let local = Local::new();
    local.home().write("settings.json", r#"{"linger": true}"#);
    let words = ["run", "--config", "settings.json", "x.js"];
    let scheduler = local.program(2, &[], k6(Path::new("k6"), &words)).start();
    ended(&scheduler).assert(64).assert_told("settings.json");
    assert!(!local.home().path().join("out").exists());
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let local = Local::new();
    let options = ["--agent", "no/such/agent"];
    let scheduler = local.program(2, &options, ["k6", "run", "x.js"]).start();
    ended(&scheduler)
        .assert(64)
        .assert_told("no/such/agent, is not there")
        .assert_told("--agent");
    assert!(!local.home().path().join("out").exists());
}

/// A run of stand-ins, for what has nothing to do with k6.
fn stand_in(local: &Local, options: &[&str]) -> support::process::Running {
    let k6 = FakeK6::new(local.home(), "k6", &Behaviour::default());
    let options = [&SOONEST, options].concat();
    let program = local.program(
        2,
        &options,
        [k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()],
    );
    k6.environment(program).start()
}

#[test]
fn the_files_of_an_earlier_run_are_not_overwritten() {
    let local = Local::new();
    ended(&stand_in(&local, &[])).assert(0);
    let log = local.log(1);
    let again = ended(&stand_in(&local, &[]));
    again
        .assert(64)
        .assert_told("out/runner-1 is there already");
    assert_eq!(local.log(1), log);
    local.assert_tidy(&["k6.jsonl"]);
}

#[test]
fn without_a_directory_given_each_run_has_a_new_one() {
    let local = Local::new();
    let k6 = FakeK6::new(local.home(), "k6", &Behaviour::default());
    for _ in 0..2 {
        let command = [k6.program().into_os_string(), "run".into(), "x.js".into()];
        let program = support::process::Program::new(programs::scheduler())
            .args(["local", "--runners", "1", "--lead", "1s", "--"])
            .args(command)
            .current_dir(local.home().path());
        ended(&k6.environment(program).start()).assert(0);
    }
    let runs = fs::read_dir(local.home().path().join("tminus-local")).unwrap();
    assert_eq!(runs.count(), 2);
}

#[rstest]
#[case::below_a_file("file/below")]
#[case::where_nothing_can_be_made("/proc/out")]
fn a_directory_that_cannot_be_made_is_named(#[case] directory: &str) {
    let local = Local::new();
    local.home().write("file", "");
    let ended = ended(&stand_in(&local, &["--dir", directory]));
    ended.assert(69).assert_told(directory);
}

#[test]
fn an_agent_that_cannot_be_run_is_told_and_the_store_goes() {
    let local = Local::new();
    local.home().write("agent", "not executable");
    let ended = ended(&stand_in(&local, &["--agent", "agent"]));
    ended
        .assert(69)
        .assert_told("cannot start the agent of runner-1");
    local.assert_tidy(&["agent"]);
}
