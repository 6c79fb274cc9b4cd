//! The table of flags against what the real k6 says of itself.

use std::collections::BTreeSet;

use k6::flags::{FLAGS, Flag, Takes};
use rstest::rstest;

use crate::K6;

/// A flag as `k6 run --help` tells it.
#[derive(Debug)]
struct Told {
    name: String,
    shorthand: Option<u8>,
    takes: Takes,
    global: bool,
}

/// The flags in a help text: lines such as `  -o, --out uri    explanation`.
///
/// Between a flag and its explanation are three blanks or more; a switch has nothing in between,
/// and a flag whose value may be left out tells the one it then has in `[="…"]`.
fn told(help: &str) -> Vec<Told> {
    let mut global = false;
    let mut flags = Vec::new();
    for line in help.lines() {
        global |= line == "Global Flags:";
        let Some((before, text)) = line.split_once("--") else {
            continue;
        };
        let shorthand = match before.trim().as_bytes() {
            [] => None,
            [b'-', letter, b','] => Some(*letter),
            // The second line of an explanation.
            _ => continue,
        };
        let usage = text.split("   ").next().unwrap();
        let (name, takes) = match usage.split_once(' ') {
            None => (usage, Takes::Switch),
            Some((name, value)) if value.contains("[=") => (name, Takes::OptionalText),
            Some((name, _)) => (name, Takes::Text),
        };
        flags.push(Told {
            name: name.to_owned(),
            shorthand,
            takes,
            global,
        });
    }
    flags
}

fn help(k6: K6) -> Vec<Told> {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["run", "--help"].map(Into::into);
    let output = k6
        .command(arguments, [], directory.path())
        .output()
        .unwrap();
    let flags = told(&String::from_utf8(output.stdout).unwrap());
    // Fewer would mean that the help was not understood: both have more than fifty.
    assert!(flags.len() > 50, "{flags:?}");
    flags
}

#[rstest]
fn each_flag_of_k6_is_in_the_table(#[values(K6::V1, K6::V2)] k6: K6) {
    for told in help(k6) {
        let flag = Flag::named(told.name.as_bytes()).unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!(flag.shorthand, told.shorthand, "{told:?}");
        assert_eq!(flag.takes, told.takes, "{told:?}");
        assert_eq!(flag.global, told.global, "{told:?}");
    }
}

#[test]
fn each_flag_of_the_table_is_one_of_k6() {
    let told: BTreeSet<String> = [K6::V1, K6::V2]
        .into_iter()
        .flat_map(help)
        .map(|told| told.name)
        .collect();
    let table: BTreeSet<String> = FLAGS.iter().map(|flag| flag.name.to_owned()).collect();
    assert_eq!(table, told);
}
