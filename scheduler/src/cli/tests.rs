#![allow(clippy::unwrap_used)]
use super::*;
use clap::CommandFactory;
use rstest::rstest;
use std::time::Duration;

use rendezvous::{RunId, StageName};

use crate::decide::lead::LeastLead;
use crate::decide::policy::{Policies, Policy};
use crate::decide::quorum::Need;
use crate::run::settings::Unarmed;
use crate::testing::{run_id, stage};

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
    assert_eq!(start.stage, [stage()]);
    assert_eq!(start.runners, Some(4));
    assert!(!start.wait);
    let need = start.gather.need(4).unwrap();
    assert_eq!((need.wanted, need.minimum), (4, 4));
    let settings = start
        .gather
        .settings(run_id(), stage(), need, LeastLead::IN_A_DIRECTORY);
    assert_eq!(settings.max_wait, Duration::from_secs(900));
    assert_eq!(settings.lead, Duration::from_secs(3));
    assert_eq!(settings.unarmed, Unarmed::Start);
}

#[rstest]
#[case::as_it_is("", 20, 20)]
#[case::raised("--lead 5s", 20, 20)]
#[case::longer("--lead 30s", 20, 30)]
#[case::in_a_directory("--lead 1s", 1, 1)]
fn the_lead_is_never_below_the_least(
    #[case] flag: &str,
    #[case] least: u64,
    #[case] expected: u64,
) {
    let Command::Start(start) = parsed(&format!("{START} {flag}")).unwrap().command else {
        panic!()
    };
    let need = start.gather.need(4).unwrap();
    let least = LeastLead {
        writing: Duration::ZERO,
        hearing: Duration::from_secs(least),
    };
    let settings = start.gather.settings(run_id(), stage(), need, least);
    assert_eq!(settings.lead, Duration::from_secs(expected));
    assert_eq!(settings.least_lead, least);
}

const JOB: &str = "tminus-scheduler start --job load-test";

fn place(line: &str) -> Place {
    let Command::Start(start) = parsed(line).unwrap().command else {
        panic!()
    };
    start.run.place().unwrap()
}

#[test]
fn the_run_of_a_job_needs_no_more_than_its_name() {
    let (name, context) = ("load-test".to_owned(), None);
    let namespace = Some("perf".to_owned());
    let expected = Place::Job {
        context,
        namespace,
        name,
    };
    assert_eq!(place(&format!("{JOB} --namespace perf")), expected);
}

#[test]
fn runners_that_are_no_jobs_are_named_by_store_and_run() {
    let line = "tminus-scheduler start --store kubernetes:perf/soak --run r1 --runners 4 --selector app=k6 --context lab";
    let expected = Place::Pods {
        context: Some("lab".to_owned()),
        namespace: Some("perf".to_owned()),
        name: "soak".to_owned(),
        run: RunId::new("r1").unwrap(),
    };
    assert_eq!(place(line), expected);
}

#[rstest]
#[case("--stage warmup --stage main")]
#[case("--stage warmup,main")]
fn several_stages_are_given_in_their_order(#[case] flags: &str) {
    let Command::Start(start) = parsed(&format!("{JOB} {flags}")).unwrap().command else {
        panic!()
    };
    let stages: Vec<_> = start.stage.iter().map(StageName::as_str).collect();
    assert_eq!(stages, ["warmup", "main"]);
}

#[rstest]
#[case::both("--store dir:/s", "--store")]
#[case::a_run_of_its_own("--run r1", "--run")]
#[case::no_name_of_a_job("--job=Load_Test", "--job")]
#[case::no_name_of_a_namespace("--namespace=a/b", "--namespace")]
#[case::labels_of_a_job("--selector app=k6", "--selector")]
#[case::a_stage_twice("--stage warmup --stage main --stage warmup", "--stage warmup")]
#[case::one_instant_for_two("--stage a --stage b --at 2030-01-31T12:00:00Z", "--at")]
#[case::requests_of_two("--stage a --stage b --first-requests http://t/", "--first-requests")]
#[case::a_policy_of_no_kind("--unarmed perhaps", "--unarmed")]
fn what_contradicts_a_job_is_refused(#[case] flags: &str, #[case] named: &str) {
    let line = match flags.strip_prefix("--job=") {
        Some(_) => format!("tminus-scheduler start {flags}"),
        None => format!("{JOB} {flags}"),
    };
    let error = parsed(&line).unwrap_err();
    assert!(error.use_stderr());
    assert!(error.to_string().contains(named), "{error}");
}

#[rstest]
#[case::how_many("tminus-scheduler start --store kubernetes:k6 --run r1", "--runners")]
#[case::which_run("tminus-scheduler start --store kubernetes:k6 --runners 4", "--run")]
#[case::where_at_all("tminus-scheduler status", "--job")]
#[case::the_store_says_it(
    "tminus-scheduler abort --store kubernetes:k6 --run r1 --namespace perf",
    "--namespace"
)]
#[case::no_cluster(
    "tminus-scheduler abort --store dir:/s --run r1 --context lab",
    "--context"
)]
#[case::no_pods(
    "tminus-scheduler start --store dir:/s --run r1 --runners 4 --selector app=k6",
    "--selector"
)]
fn what_a_place_lacks_or_has_too_much_is_named(#[case] line: &str, #[case] named: &str) {
    let error = parsed(line).unwrap_err();
    assert!(error.to_string().contains(named), "{error}");
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
#[case::a_clock_error_of_nothing("--max-clock-error 0s")]
#[case::a_clock_error_beyond_an_hour("--max-clock-error 61m")]
#[case::a_clock_error_without_a_unit("--max-clock-error 50")]
#[case::a_policy_of_no_kind("--late maybe")]
#[case::an_instant_without_a_zone("--at 2030-01-31T12:00:00")]
#[case::an_instant_in_local_time("--at 2030-01-31T12:00:00Europe/Berlin")]
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

#[test]
fn a_budget_for_the_clocks_goes_into_the_plan() {
    let budget = |line: &str| {
        let Command::Start(start) = parsed(line).unwrap().command else {
            panic!()
        };
        let need = Need {
            wanted: 4,
            minimum: 4,
            grace_period: Duration::ZERO,
        };
        let settings = start
            .gather
            .settings(run_id(), stage(), need, LeastLead::IN_A_DIRECTORY);
        settings.terms.max_clock_error
    };
    let twenty = start_with("--max-clock-error 20ms");
    assert_eq!(budget(&twenty), Some(Duration::from_millis(20)));
    assert_eq!(budget(START), None, "each agent's own");
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

#[rstest]
#[case::lost(
    "--on-lost abort",
    "--on-lost abort needs --wait: a scheduler that does not wait for the runners' ends is not there to end the others"
)]
#[case::failed("--on-failure abort", "--on-failure abort needs --wait: a scheduler")]
#[case::no_such_policy("--on-lost perhaps", "--on-lost")]
fn whoever_is_to_end_the_others_has_to_wait(#[case] flag: &str, #[case] told: &str) {
    let error = parsed(&start_with(flag)).unwrap_err().to_string();
    assert!(error.contains(told), "{error}");
}

#[test]
fn what_becomes_of_the_others_is_said_for_each_case_and_local_always_waits() {
    let policies = |line: &str| match parsed(line).unwrap().command {
        Command::Start(start) => start.gather.policies.policies(),
        Command::Local(local) => local.gather.policies.policies(),
        _ => panic!(),
    };
    assert_eq!(policies(START), Policies::default());
    let start = format!("{START} --wait --on-lost abort --on-failure continue");
    let (on_lost, on_failure) = (Policy::Abort, Policy::Continue);
    assert_eq!(
        policies(&start),
        Policies {
            on_lost,
            on_failure
        }
    );
    let local = format!("{LOCAL} --on-failure abort -- k6 run script.js");
    let (on_lost, on_failure) = (Policy::Continue, Policy::Abort);
    assert_eq!(
        policies(&local),
        Policies {
            on_lost,
            on_failure
        }
    );
}
