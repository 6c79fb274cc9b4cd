//! Where k6's web dashboard is asked for.

use k6::CommandLine;
use rstest::rstest;

use crate::{config_file, environment, words};

fn asked_for(line: &str, pairs: &str, json: &str) -> Option<String> {
    let run = CommandLine::parse(&words(line))
        .unwrap()
        .check(&environment(pairs), Some(&config_file(json)))
        .unwrap();
    run.web_dashboard().map(ToString::to_string)
}

#[rstest]
#[case("k6 run --out web-dashboard s.js", "`--out web-dashboard`")]
#[case(
    "k6 run --out=web-dashboard=port=0 s.js",
    "`--out=web-dashboard=port=0`"
)]
#[case("k6 run -o web-dashboard s.js", "`-o web-dashboard`")]
#[case("k6 run -oweb-dashboard s.js", "`-oweb-dashboard`")]
#[case("k6 run -o=web-dashboard s.js", "`-o=web-dashboard`")]
#[case("k6 run s.js -qo web-dashboard", "`-qo web-dashboard`")]
#[case("k6 run s.js -o json=x -o web-dashboard", "`-o web-dashboard`")]
#[case("k6 run s.js -e K6_WEB_DASHBOARD=true", "`-e K6_WEB_DASHBOARD=true`")]
#[case(
    "k6 run s.js -e K6_OUT=csv,web-dashboard",
    "`-e K6_OUT=csv,web-dashboard`"
)]
fn it_is_seen_on_the_command_line(#[case] line: &str, #[case] source: &str) {
    assert_eq!(asked_for(line, "", "{}").as_deref(), Some(source));
}

#[rstest]
#[case("K6_WEB_DASHBOARD=true")]
#[case("K6_OUT=web-dashboard")]
#[case("K6_OUT=csv=x,web-dashboard=port=0")]
fn it_is_seen_in_the_environment(#[case] pair: &str) {
    let source = format!("`{pair}` in the environment");
    assert_eq!(asked_for("k6 run s.js", pair, "{}"), Some(source));
}

#[rstest]
#[case(r#"{"webDashboard": true}"#, "\"webDashboard\" in /etc/k6.json")]
#[case(r#"{"out": ["csv", "web-dashboard"]}"#, "\"out\" in /etc/k6.json")]
fn it_is_seen_in_the_configuration_file(#[case] json: &str, #[case] source: &str) {
    assert_eq!(asked_for("k6 run s.js", "", json).as_deref(), Some(source));
}

#[rstest]
#[case::not_at_all("k6 run s.js", "", "{}")]
#[case::another_output("k6 run -o csv=web-dashboard -o web-dashboards s.js", "", "{}")]
#[case::outputs_by_flag_replace_others("k6 run -o csv s.js", "K6_OUT=web-dashboard", "{}")]
#[case::outputs_by_variable_too("k6 run s.js", "K6_OUT=csv", r#"{"out": ["web-dashboard"]}"#)]
#[case::the_variable_beats_the_file(
    "k6 run s.js",
    "K6_WEB_DASHBOARD=false",
    r#"{"webDashboard": true}"#
)]
#[case::k6_refuses_it("k6 run s.js", "K6_WEB_DASHBOARD=1", "{}")]
fn it_is_not_seen_where_it_is_not_served(
    #[case] line: &str,
    #[case] pairs: &str,
    #[case] json: &str,
) {
    assert_eq!(asked_for(line, pairs, json), None);
}

#[test]
fn an_empty_output_replaces_nothing() {
    assert!(asked_for("k6 run -o '' s.js", "K6_OUT=web-dashboard", "{}").is_some());
    assert!(asked_for("k6 run s.js", "K6_OUT=", r#"{"out": ["web-dashboard"]}"#).is_some());
}
