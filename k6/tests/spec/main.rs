//! How command lines are read, refused and rewritten.
#![allow(clippy::unwrap_used)]

mod anchored;
mod config_file;
mod contradictions;
mod messages;
mod paused_at;
mod properties;
mod script;
mod web_dashboard;

use std::ffi::OsString;

use k6::{CommandLine, ConfigFile, Contradiction, Environment, Run};

/// Cuts a command line at its spaces; `''` is an empty word.
fn words(line: &str) -> Vec<OsString> {
    line.split(' ')
        .map(|word| if word == "''" { "" } else { word }.into())
        .collect()
}

/// The words as one line again.
fn line(words: &[OsString]) -> String {
    words.join(" ".as_ref()).into_string().unwrap()
}

/// Pairs `NAME=value`, with a space between them.
fn environment(pairs: &str) -> Environment {
    pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .collect()
}

fn config_file(json: &str) -> ConfigFile {
    ConfigFile::parse("/etc/k6.json".into(), json.as_bytes()).unwrap()
}

/// Checks a command line in an environment that says nothing.
fn check(line: &str) -> Result<Run, Vec<Contradiction>> {
    check_in(line, "")
}

fn check_in(line: &str, pairs: &str) -> Result<Run, Vec<Contradiction>> {
    CommandLine::parse(&words(line))
        .unwrap()
        .check(&environment(pairs), None)
}

/// The one contradiction of a command line, as the user reads it.
fn only_complaint(result: Result<Run, Vec<Contradiction>>) -> String {
    let complaints = result.unwrap_err();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    complaints[0].to_string()
}
