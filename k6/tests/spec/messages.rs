//! The messages, word by word.

use k6::{CommandLine, ConfigFile};
use rstest::rstest;

use crate::{check, check_in, config_file, environment, only_complaint, words};

#[rstest]
#[case(
    "k6 run --address :1 s.js",
    "`--address :1` gives k6's API an address, but tminus opens it on a loopback port of its own: leave it out"
)]
#[case(
    "k6 run -p=false s.js",
    "`-p=false` would start the load at once, but tminus holds k6 paused until the instant: leave it out"
)]
#[case(
    "k6 run --no-setup=0 s.js",
    "`--no-setup=0` tells k6 to run setup() itself, but who runs it is said to tminus (`--setup early` or `--setup k6`): leave it out"
)]
#[case(
    "k6 run -l s.js",
    "`-l` keeps k6 alive after the test, but a runner is finished when its k6 ends: leave it out"
)]
#[case(
    "k6 run -p=maybe s.js",
    "k6 cannot read the truth value of `-p=maybe`, and would exit: write `true` or `false`, or leave it out"
)]
#[case(
    "k6 run --help s.js",
    "`--help` makes k6 print its help and run nothing: leave it out, or ask k6 itself without tminus"
)]
#[case(
    "k6 run",
    "`k6 run` was given no script: name a file, or `-` for the standard input"
)]
#[case(
    "k6 run a.js b.js",
    "`k6 run` takes one script, but was given `a.js`, `b.js`: leave all but one out"
)]
#[case(
    "k6 run s.js -- --vus",
    "`--vus` stands after `--`, where k6 takes it for a script: write it before `--`"
)]
#[case(
    "k6 run --rampage --linger s.js",
    "`--rampage` is not known from k6 v1.1 or v2.2, so it is unclear what `--linger` means to k6: correct it, or write it alone and with its value, as in `--flag=value`"
)]
fn a_contradiction_says_what_to_do(#[case] line: &str, #[case] message: &str) {
    let complaints = check(line).unwrap_err();
    let told: Vec<_> = complaints.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|one| one == message), "{told:#?}");
}

#[test]
fn where_it_was_said_is_named() {
    let by_variable = only_complaint(check_in("k6 run s.js", "K6_LINGER=true"));
    assert!(
        by_variable.starts_with("`K6_LINGER=true` in the environment keeps"),
        "{by_variable}"
    );
    assert!(by_variable.ends_with(": unset it"), "{by_variable}");
    let command = CommandLine::parse(&words("k6 run s.js")).unwrap();
    let file = config_file(r#"{"linger": true}"#);
    let by_file = only_complaint(command.check(&environment(""), Some(&file)));
    assert!(
        by_file.starts_with("\"linger\" in /etc/k6.json keeps"),
        "{by_file}"
    );
    assert!(
        by_file.ends_with(": remove it there, or name another file with `--config`"),
        "{by_file}"
    );
}

#[rstest]
#[case(&[], "no command was given: name k6's own after `--`, as in `-- k6 run script.js`")]
#[case(&["k6", "-q"], "`k6` was given no subcommand: tminus starts `k6 run`")]
#[case(&["k6", "cloud", "s.js"], "k6 takes `cloud` for its subcommand, but tminus starts only `k6 run`; the flags of `run` belong behind it")]
fn a_command_that_is_no_run_says_what_is_missing(#[case] line: &[&str], #[case] message: &str) {
    let line: Vec<_> = line.iter().map(Into::into).collect();
    assert_eq!(CommandLine::parse(&line).unwrap_err().to_string(), message);
}

#[test]
fn a_configuration_file_that_is_none_is_named() {
    let error = ConfigFile::parse("/etc/k6.json".into(), b"[")
        .unwrap_err()
        .to_string();
    let parts = [
        "k6's configuration file /etc/k6.json cannot be understood: ",
        "; correct it, or name another with `--config`",
    ];
    assert!(
        error.starts_with(parts[0]) && error.ends_with(parts[1]),
        "{error}"
    );
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_named() {
    // A directory, which not even root can read.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let command = CommandLine::parse(&words(&format!("k6 run -c {path} s.js"))).unwrap();
    let error = ConfigFile::find(&command, &environment(""))
        .unwrap_err()
        .to_string();
    let parts = [
        format!("k6's configuration file {path} cannot be read: "),
        "; correct that, or name another file with `--config`".to_owned(),
    ];
    assert!(
        error.starts_with(&parts[0]) && error.ends_with(&parts[1]),
        "{error}"
    );
}
