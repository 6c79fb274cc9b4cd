#![allow(clippy::unwrap_used)]
use super::*;
use clap::CommandFactory;
use rstest::rstest;
use std::time::Duration;

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    read(line.split_whitespace().map(OsString::from))
}

const START: &str = "tminus-scheduler start --store dir:/s --run r1 --runners 4";
const LOCAL: &str = "tminus-scheduler local --runners 4";

/// The command line of a start in which one flag has another value.
fn start_with(flag: &str) -> String {
    let (name, _) = flag.split_once([' ', '=']).unwrap_or((flag, ""));
    let mut kept = Vec::new();
    let mut words = START.split(' ').peekable();
    while let Some(word) = words.next() {
        if word == name {
            words.next();
        } else {
            kept.push(word);
        }
    }
    kept.push(flag);
    kept.join(" ")
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_start_has_sensible_defaults() {
    let Command::Start(start) = parsed(START).unwrap().command else {
        panic!()
    };
    let settings = start
        .gather
        .settings(start.run.run.clone(), start.stage.clone(), start.wait);
    assert_eq!(settings.stage.as_str(), "main");
    assert_eq!((settings.need.wanted, settings.need.minimum), (4, 4));
    assert_eq!(settings.max_wait, Duration::from_secs(900));
    assert_eq!(settings.lead, Duration::from_secs(3));
    assert!(!settings.wait);
}

#[rstest]
#[case::no_runners("--runners 0")]
#[case::too_many_runners("--runners 100001")]
#[case::more_needed_than_wanted("--min-runners 5")]
#[case::none_needed("--min-runners 0")]
#[case::a_lead_below_the_least("--lead 999ms")]
#[case::a_lead_without_a_unit("--lead 3")]
#[case::a_negative_wait("--max-wait=-5s")]
#[case::no_wait("--max-wait 0s")]
#[case::a_wait_beyond_a_day("--max-wait 25h")]
#[case::an_overflowing_wait("--max-wait 99999999999999999999s")]
#[case::a_tolerance_beyond_an_hour("--late-tolerance 61m")]
#[case::a_policy_of_no_kind("--late maybe")]
#[case::an_instant_without_a_zone("--at 2030-01-31T12:00:00")]
#[case::a_leap_second("--at 2030-06-30T23:59:60Z")]
#[case::an_instant_beyond_all_clocks("--at 9999-01-01T00:00:00Z")]
#[case::a_stage_that_cannot_be_named("--stage Main")]
#[case::a_store_of_no_kind("--store s3:bucket")]
#[case::an_output_of_no_kind("--output xml")]
#[case::no_http("--first-requests https://target/")]
#[case::a_flag_of_no_kind("--frobnicate")]
fn nonsense_is_a_usage_error_that_names_the_flag(#[case] flag: &str) {
    let error = parsed(&start_with(flag)).unwrap_err();
    assert!(error.use_stderr());
    let name = flag.split([' ', '=']).next().unwrap();
    assert!(error.to_string().contains(name), "{error}");
    assert!(!error.to_string().contains("multiple times"), "{error}");
}

#[rstest]
#[case::no_command("tminus-scheduler")]
#[case::no_run("tminus-scheduler start --store dir:/s --runners 4")]
#[case::nothing_to_start(LOCAL)]
fn what_is_missing_is_a_usage_error(#[case] line: &str) {
    assert!(parsed(line).unwrap_err().use_stderr());
}

#[rstest]
#[case("tminus-scheduler --version")]
#[case("tminus-scheduler local --help")]
fn asking_for_help_or_the_version_is_none(#[case] line: &str) {
    assert!(!parsed(line).unwrap_err().use_stderr());
}

#[test]
fn local_may_be_told_to_wait_as_it_does_anyway() {
    assert!(parsed(&format!("{LOCAL} --wait -- k6 run script.js")).is_ok());
}

#[test]
fn a_tolerance_may_be_as_fine_as_a_plan_holds_it() {
    let Command::Start(start) = parsed(&start_with("--late-tolerance 1500us"))
        .unwrap()
        .command
    else {
        panic!()
    };
    assert_eq!(
        start.gather.late_tolerance,
        Some(Duration::from_micros(1_500))
    );
}

#[rstest]
#[case("start")]
#[case("local")]
fn the_help_of_a_start_has_an_example_and_the_codes(#[case] command: &str) {
    let error = parsed(&format!("tminus-scheduler {command} --help")).unwrap_err();
    let help = error.to_string();
    assert!(
        help.contains(&format!("  tminus-scheduler {command} --")),
        "{help}"
    );
    assert!(help.contains("78 started but not well"), "{help}");
}

#[test]
fn an_instant_may_be_in_any_zone() {
    let line = format!("{START} --at 2030-01-31T12:00:00.250+02:00");
    let Command::Start(start) = parsed(&line).unwrap().command else {
        panic!()
    };
    let at = start.gather.at.unwrap().to_rfc3339();
    assert_eq!(at, "2030-01-31T10:00:00.250+00:00");
}

#[test]
fn all_after_the_dashes_is_k6s() {
    let line = format!("{LOCAL} --lead 1s -- k6 run --vus 2 script.js");
    let Command::Local(local) = parsed(&line).unwrap().command else {
        panic!()
    };
    assert_eq!(local.command, ["k6", "run", "--vus", "2", "script.js"]);
}

/// Each flag can be given by the environment, so that a pipeline's template can set it.
#[test]
fn every_flag_has_an_environment_twin_and_an_explanation() {
    for command in Cli::command().get_subcommands() {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            if matches!(id, "help" | "version" | "command") {
                continue;
            }
            let twin = argument.get_env().unwrap_or_default().to_string_lossy();
            assert_eq!(twin, format!("TMINUS_{}", id.to_uppercase()));
            assert!(argument.get_help().is_some(), "{id}");
        }
    }
}
