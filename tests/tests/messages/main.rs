//! docs/messages.md lists every message of both programs, nothing else, and each is produced by a test.
#![allow(clippy::unwrap_used)]

mod fixed;
mod not_messages;
mod page;
mod source;
mod tokens;

use fixed::{of_page, of_source, stand_in, words};
use not_messages::NOT_MESSAGES;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The parts whose texts reach a user.
const PRODUCT: [&str; 5] = ["agent", "clock", "k6", "rendezvous", "scheduler"];
const TESTS: &str = "tests";
const PAGE: &str = "docs/messages.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn listed() -> Vec<page::Listed> {
    page::messages(&std::fs::read_to_string(root().join(PAGE)).unwrap())
}

/// All texts of the product, and those of its tests.
static TEXTS: LazyLock<(Vec<source::Text>, Vec<source::Text>)> = LazyLock::new(|| {
    let (mut product, mut tests) = (Vec::new(), Vec::new());
    for part in PRODUCT.iter().chain([&TESTS]) {
        let found = source::texts(&root(), part);
        product.extend(found.0);
        tests.extend(found.1);
    }
    (product, tests)
});

/// Whether it may reach a user. A text of a single word is part of another one, or no message.
fn is_message(text: &source::Text) -> bool {
    let is_named = NOT_MESSAGES
        .iter()
        .any(|other| text.words.starts_with(other));
    text.words.contains(' ') && words(&of_source(&text.words).join(" ")) >= 2 && !is_named
}

/// The fixed words of each text of all tests but these.
fn of_tests() -> Vec<Vec<String>> {
    let all = TEXTS
        .1
        .iter()
        .filter(|text| !text.file.starts_with("tests/tests/messages"));
    all.map(|text| of_source(&text.words)).collect()
}

#[test]
fn every_message_is_listed() {
    let listed: Vec<_> = listed().iter().map(|one| of_page(&one.message)).collect();
    let missing: Vec<_> = TEXTS
        .0
        .iter()
        .filter(|text| is_message(text))
        .filter(|text| {
            !listed
                .iter()
                .any(|message| stand_in(&of_source(&text.words), message))
        })
        .map(|text| format!("{}: {:?}", text.file.display(), text.words))
        .collect();
    assert!(
        missing.is_empty(),
        "list these in {PAGE}, each with its cause and its cure:\n{}",
        missing.join("\n")
    );
}

#[test]
fn nothing_else_is_listed() {
    let texts: Vec<String> = TEXTS
        .0
        .iter()
        .map(|text| of_source(&text.words).join("\0"))
        .collect();
    let others: Vec<_> = listed()
        .into_iter()
        .filter(|one| {
            of_page(&one.message)
                .iter()
                .any(|piece| !texts.iter().any(|text| text.contains(piece.as_str())))
        })
        .map(|one| one.message)
        .collect();
    assert!(
        others.is_empty(),
        "no program says these any more; take them off {PAGE}, or correct them there:\n{}",
        others.join("\n")
    );
}

#[test]
fn every_message_has_its_cause_and_its_cure() {
    let listed = listed();
    assert!(!listed.is_empty());
    for one in &listed {
        assert!(
            !one.explained.is_empty() && one.explained.iter().all(|cell| words(cell) > 0),
            "{PAGE}: {one:?}"
        );
    }
}

#[test]
fn what_is_no_message_is_still_said() {
    let gone: Vec<_> = NOT_MESSAGES
        .iter()
        .filter(|other| !TEXTS.0.iter().any(|text| text.words.starts_with(**other)))
        .collect();
    assert!(gone.is_empty(), "take these off the list: {gone:#?}");
}

/// A test produces a message if it expects all of its fixed words, the most of them in one piece, or words that no other
/// message has.
#[test]
fn every_message_is_produced_by_a_test() {
    let listed = listed();
    let fixed: Vec<_> = listed.iter().map(|one| of_page(&one.message)).collect();
    let expected = of_tests();
    let is_distinct = |words: &str| {
        fixed
            .iter()
            .filter(|message| message.join("\0").contains(words))
            .count()
            == 1
    };
    let is_produced = |message: &[String]| {
        let longest = message
            .iter()
            .max_by_key(|piece| piece.len())
            .map_or("", String::as_str);
        expected.iter().any(|text| {
            stand_in(message, text)
                || words(longest) >= 3 && text.iter().any(|piece| piece.contains(longest))
                || text.iter().any(|piece| {
                    words(piece) >= 2
                        && message
                            .iter()
                            .any(|of_message| of_message.contains(piece.as_str()))
                        && is_distinct(piece)
                })
        })
    };
    let without: Vec<_> = listed
        .iter()
        .zip(&fixed)
        .filter(|(_, message)| !is_produced(message))
        .map(|(one, _)| one.message.as_str())
        .collect();
    assert!(
        without.is_empty(),
        "no test produces these; write one:\n{}",
        without.join("\n")
    );
}
