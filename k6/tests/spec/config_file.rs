//! k6's configuration file: where it is found, and how it is read.

use k6::{CommandLine, ConfigError, ConfigFile, Contradiction, Environment, Source};
use rstest::rstest;

use crate::{config_file, environment, words};

fn lingers(json: &str) -> bool {
    let checked = CommandLine::parse(&words("k6 run s.js"))
        .unwrap()
        .check(&environment(""), Some(&config_file(json)));
    matches!(checked, Err(complaints) if matches!(complaints[..], [Contradiction::Linger(_)]))
}

#[rstest]
#[case(r#"{"linger": true}"#)]
#[case(r#"{"LINGER": true}"#)]
#[case(r#"{"linger": {"Bool": true}}"#)]
#[case(r#"{"linger": false, "Linger": true}"#)]
#[case(r#"{"huge": 1e999, "deep": {"er": [[]]}, "linger": true}"#)]
fn linger_is_seen_as_k6_sees_it(#[case] json: &str) {
    assert!(lingers(json));
}

#[rstest]
#[case("null")]
#[case("{}")]
#[case(r#"{"linger": null, "noSetup": null, "out": null, "collectors": {}}"#)]
#[case(r#"{"linger": false}"#)]
#[case(r#"{"linger": true, "linger": null}"#)]
#[case(r#"{"nested": {"linger": true}}"#)]
fn no_linger_is_seen_as_k6_sees_it(#[case] json: &str) {
    assert!(!lingers(json));
}

#[test]
fn a_key_is_compared_as_go_compares_it() {
    let run = CommandLine::parse(&words("k6 run s.js"))
        .unwrap()
        .check(
            &environment(""),
            Some(&config_file("{\"no\u{17f}etup\": true}")),
        )
        .unwrap();
    assert!(run.no_setup().is_some());
}

#[test]
fn bytes_that_are_not_utf_8_do_no_harm() {
    let text = b"{\"other\": \"\xff\", \"linger\": true}";
    let config = ConfigFile::parse("k6.json".into(), text).unwrap();
    let run = CommandLine::parse(&words("k6 run s.js")).unwrap();
    assert!(run.check(&environment(""), Some(&config)).is_err());
}

#[test]
fn deep_nesting_does_no_harm() {
    let deep = format!(
        "{{\"deep\": {}1{}, \"linger\": true}}",
        "[".repeat(9000),
        "]".repeat(9000)
    );
    assert!(lingers(&deep));
}

#[rstest]
#[case("")]
#[case("[]")]
#[case(r#"{"linger": true"#)]
#[case(r#"{"linger": true} more"#)]
#[case("\u{feff}{}")]
#[case(r#"{"out": "csv"}"#)]
fn what_k6_cannot_read_is_an_error_that_names_the_file(#[case] json: &str) {
    let error = ConfigFile::parse("/etc/k6.json".into(), json.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("/etc/k6.json"), "{error}");
}

/// A directory with configuration files that say which they are: by the outputs they ask for.
fn directory(files: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        let path = directory.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, r#"{"linger": true}"#).unwrap();
    }
    directory
}

/// The file that is found, by where `linger` is said to be; relative to the directory.
fn found(files: &[&str], line: &str, pairs: &str) -> Option<String> {
    let directory = directory(files);
    let root = directory.path().to_str().unwrap();
    let command_line = CommandLine::parse(&words(&line.replace("ROOT", root))).unwrap();
    let environment: Environment = environment(&pairs.replace("ROOT", root));
    let config = ConfigFile::find(&command_line, &environment).unwrap()?;
    let complaints = command_line
        .check(&Environment::default(), Some(&config))
        .unwrap_err();
    let [Contradiction::Linger(Source::ConfigKey { path, .. })] = &complaints[..] else {
        panic!("{complaints:?}")
    };
    Some(
        path.strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned(),
    )
}

const NEW: &str = "k6/config.json";
const OLD: &str = "loadimpact/k6/config.json";

#[rstest]
#[case::by_flag("k6 run --config ROOT/a s.js", "K6_CONFIG=ROOT/b", "a")]
#[case::by_shorthand("k6 run s.js -qcROOT/a", "K6_CONFIG=ROOT/b", "a")]
#[case::by_the_last_flag("k6 -c ROOT/b run --config=ROOT/a s.js", "", "a")]
#[case::by_variable("k6 run s.js", "K6_CONFIG=ROOT/b XDG_CONFIG_HOME=ROOT", "b")]
#[case::by_default("k6 run s.js", "XDG_CONFIG_HOME=ROOT HOME=/nowhere", "k6/config.json")]
#[case::by_default_at_home("k6 run s.js", "HOME=ROOT", ".config/k6/config.json")]
fn it_is_found(#[case] line: &str, #[case] pairs: &str, #[case] expected: &str) {
    let files = ["a", "b", NEW, OLD, ".config/k6/config.json"];
    assert_eq!(found(&files, line, pairs).as_deref(), Some(expected));
}

#[test]
fn its_old_place_is_looked_at_where_the_default_one_is_empty() {
    let pairs = "XDG_CONFIG_HOME=ROOT";
    assert_eq!(
        found(&[OLD], "k6 run s.js", pairs).as_deref(),
        Some("loadimpact/k6/config.json")
    );
    let named = "k6 run -c ROOT/k6/config.json s.js";
    assert_eq!(
        found(&[OLD], named, pairs).as_deref(),
        Some("loadimpact/k6/config.json")
    );
    assert_eq!(found(&[OLD], "k6 run -c ROOT/other s.js", pairs), None);
}

#[rstest]
#[case::missing("k6 run -c ROOT/missing s.js", "")]
#[case::empty("k6 run -c '' s.js", "XDG_CONFIG_HOME=ROOT")]
#[case::empty_variable("k6 run s.js", "K6_CONFIG= XDG_CONFIG_HOME=ROOT")]
fn a_named_one_that_is_missing_is_left_to_k6(#[case] line: &str, #[case] pairs: &str) {
    assert_eq!(found(&[NEW], line, pairs), None);
}

#[test]
fn one_that_cannot_be_read_is_an_error_that_names_it() {
    let directory = directory(&[]);
    let path = directory.path().to_str().unwrap();
    let command_line = CommandLine::parse(&words(&format!("k6 run -c {path} s.js"))).unwrap();
    let error = ConfigFile::find(&command_line, &environment("")).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().contains(path), "{error}");
}
