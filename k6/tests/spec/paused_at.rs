//! The command line that tminus starts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use k6::{CommandLine, Environment};
use rstest::rstest;

use crate::{check, check_in, config_file, environment, line, words};

const OURS: &str = "--paused --address 127.0.0.1:4711";

fn paused(command: &str, no_setup: bool) -> String {
    line(
        &check(command)
            .unwrap()
            .paused_at("127.0.0.1:4711".parse().unwrap(), no_setup),
    )
}

#[rstest]
#[case("k6 run s.js", "k6 run OURS s.js")]
#[case("/usr/bin/k6 run s.js -q", "/usr/bin/k6 run OURS s.js -q")]
#[case(
    "k6 -qv --log-output none run s.js",
    "k6 run OURS -qv --log-output none s.js"
)]
#[case(
    "k6 -c k6.json run -u3 - -d 10s",
    "k6 run OURS -c k6.json -u3 - -d 10s"
)]
#[case("k6 run -- -x.js", "k6 run OURS -- -x.js")]
#[case("k6 run s.js --linger=false", "k6 run OURS s.js --linger=false")]
#[case("k6 run --later=1 s.js -X", "k6 run OURS --later=1 s.js -X")]
#[case("k6 run -test.v s.js", "k6 run OURS -test.v s.js")]
#[case("k6 run --out= -o=x -o= s.js", "k6 run OURS --out= -o=x -o= s.js")]
fn ours_follow_run_and_the_rest_stays(#[case] before: &str, #[case] after: &str) {
    assert_eq!(paused(before, false), after.replace("OURS", OURS));
}

#[rstest]
#[case("k6 run --paused s.js", "k6 run OURS s.js")]
#[case("k6 run -p s.js", "k6 run OURS s.js")]
#[case("k6 run s.js -p=true --paused=1", "k6 run OURS s.js")]
#[case("k6 run --paused=false s.js -p", "k6 run OURS s.js")]
#[case("k6 run -qp s.js", "k6 run OURS -q s.js")]
#[case("k6 run -qp=true s.js", "k6 run OURS -q s.js")]
#[case("k6 run -pq=true s.js", "k6 run OURS -q=true s.js")]
#[case("k6 run -qpv s.js", "k6 run OURS -qv s.js")]
#[case("k6 run s.js -po json", "k6 run OURS s.js -o json")]
#[case("k6 run s.js -ppojson", "k6 run OURS s.js -ojson")]
#[case("k6 run -ptest.v s.js", "k6 run OURS -test.v s.js")]
#[case("k6 -p=true run s.js", "k6 run OURS s.js")]
#[case("k6 -wp=1 run s.js", "k6 run OURS -w s.js")]
#[case("k6 --paused --throw run s.js", "k6 run OURS --throw s.js")]
#[case("k6 -qo run json s.js", "k6 run OURS -qo json s.js")]
#[case("k6 run -o -p s.js", "k6 run OURS -o -p s.js")]
fn the_users_own_paused_is_taken_out(#[case] before: &str, #[case] after: &str) {
    assert_eq!(paused(before, false), after.replace("OURS", OURS));
}

#[rstest]
#[case("k6 run s.js", true)]
#[case("k6 run --no-setup s.js", true)]
#[case("k6 run --no-setup s.js", false)]
#[case("k6 run s.js --no-setup=T --no-setup", false)]
fn no_setup_is_there_once(#[case] before: &str, #[case] no_setup: bool) {
    assert_eq!(
        paused(before, no_setup),
        format!("k6 run {OURS} --no-setup s.js")
    );
}

#[test]
fn no_setup_stays_out_where_the_users_last_word_was_not_on_the_command_line() {
    let address = "127.0.0.1:4711".parse().unwrap();
    let run = check_in("k6 run s.js", "K6_NO_SETUP=true").unwrap();
    assert_eq!(
        line(&run.paused_at(address, false)),
        format!("k6 run {OURS} s.js")
    );
}

#[rstest]
#[case::flag("k6 run --no-setup s.js", "", "{}", Some("`--no-setup`"))]
#[case::variable(
    "k6 run s.js",
    "K6_NO_SETUP=true",
    "{}",
    Some("`K6_NO_SETUP=true` in the environment")
)]
#[case::passed(
    "k6 run -e K6_NO_SETUP=true s.js",
    "",
    "{}",
    Some("`-e K6_NO_SETUP=true`")
)]
#[case::file(
    "k6 run s.js",
    "",
    r#"{"noSetup": true}"#,
    Some("\"noSetup\" in /etc/k6.json")
)]
#[case::nowhere("k6 run s.js", "", "{}", None)]
fn the_users_own_no_setup_is_told(
    #[case] line: &str,
    #[case] pairs: &str,
    #[case] json: &str,
    #[case] expected: Option<&str>,
) {
    let run = CommandLine::parse(&words(line))
        .unwrap()
        .check(&environment(pairs), Some(&config_file(json)))
        .unwrap();
    assert_eq!(run.no_setup().map(ToString::to_string).as_deref(), expected);
}

#[rstest]
#[case("k6 run s.js --no-teardown", "", "{}", Some("`--no-teardown`"))]
#[case(
    "k6 run s.js",
    "K6_NO_TEARDOWN=true",
    "{}",
    Some("`K6_NO_TEARDOWN=true` in the environment")
)]
#[case(
    "k6 run s.js",
    "",
    r#"{"noTeardown": true}"#,
    Some("\"noTeardown\" in /etc/k6.json")
)]
#[case("k6 run s.js --no-teardown=false", "K6_NO_TEARDOWN=true", "{}", None)]
#[case("k6 run s.js", "", "{}", None)]
fn the_users_own_no_teardown_is_told(
    #[case] line: &str,
    #[case] pairs: &str,
    #[case] json: &str,
    #[case] expected: Option<&str>,
) {
    let run = CommandLine::parse(&words(line))
        .unwrap()
        .check(&environment(pairs), Some(&config_file(json)))
        .unwrap();
    let told = run.no_teardown().map(ToString::to_string);
    assert_eq!(told.as_deref(), expected);
}

#[test]
fn words_that_are_not_utf_8_survive() {
    let odd = |prefix: &str| OsString::from_vec([prefix.as_bytes(), b"\xff\xfe.js"].concat());
    let argv = [
        "k6".into(),
        odd("/"),
        "run".into(),
        odd("--tag="),
        "-pqo".into(),
        odd("-"),
        odd("x"),
    ];
    let run = CommandLine::parse(&[&argv[..1], &argv[2..]].concat())
        .unwrap()
        .check(&Environment::default(), None)
        .unwrap();
    let expected = [
        argv[0].clone(),
        "run".into(),
        "--paused".into(),
        "--address".into(),
        "[::1]:1".into(),
        argv[3].clone(),
        "-qo".into(),
        argv[5].clone(),
        argv[6].clone(),
    ];
    assert_eq!(run.paused_at("[::1]:1".parse().unwrap(), false), expected);
}
