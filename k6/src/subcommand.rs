//! Which word of a command line k6 takes for its subcommand, and what it then goes on with.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::flags::{Flag, Takes};

/// The place of the subcommand among the words after the program; `None` where there is none.
///
/// k6 (its library cobra 1.4) looks for it before it parses flags, knowing only the global ones:
/// after any other flag that is a word of its own it takes the next word for a value. So
/// `--out json run` and `--paused=false run` are `run`, and `--paused run s.js` is `s.js`.
pub(crate) fn find(words: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let word = word.as_bytes();
        at += 1;
        if word == b"--" {
            return None;
        }
        if swallows_the_next(word) {
            // A single word that is left is never looked at, not even for the subcommand.
            if words.len() - at <= 1 {
                return None;
            }
            at += 1;
        } else if !word.is_empty() && word[0] != b'-' {
            return Some(at - 1);
        }
    }
    None
}

/// The words that k6 parses for flags once it has found `run` among them: without the first word
/// that is `run`, even if that is not the one that was found, but the value of a flag before it.
pub(crate) fn without_run(words: &[OsString]) -> Vec<OsString> {
    let mut words = words.to_vec();
    if let Some(first) = words.iter().position(|word| word == "run") {
        words.remove(first);
    }
    words
}

fn swallows_the_next(word: &[u8]) -> bool {
    let known = match word {
        word if word.contains(&b'=') => return false,
        [b'-', b'-', name @ ..] => Flag::named(name),
        [b'-', shorthand] => Flag::lettered(*shorthand),
        _ => return false,
    };
    known.is_none_or(|flag| !flag.global || flag.takes == Takes::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn subcommand(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        find(&words).map(|at| words[at].to_string_lossy().into_owned())
    }

    #[rstest]
    #[case::first("run s.js")]
    #[case::after_a_global_switch("-q -v --quiet run s.js")]
    #[case::after_a_global_flag_with_a_value("--address :1 -c k6.json run s.js")]
    #[case::after_a_flag_of_run_with_a_value("--out json run s.js")]
    #[case::after_a_switch_of_run_with_a_value("--paused=false -p=false run s.js")]
    #[case::after_a_bundle_whatever_it_needs("-qo run s.js")]
    #[case::after_a_lone_dash("- run")]
    #[case::after_an_empty_word(" run s.js")]
    fn run_is_found(#[case] line: &str) {
        assert_eq!(subcommand(line).as_deref(), Some("run"));
    }

    #[test]
    fn a_switch_of_run_before_it_hides_it() {
        assert_eq!(subcommand("--paused run s.js").as_deref(), Some("s.js"));
        assert_eq!(subcommand("-p run s.js").as_deref(), Some("s.js"));
        assert_eq!(subcommand("--help run s.js").as_deref(), Some("s.js"));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::only_flags("-q --verbose")]
    #[case::after_the_end_of_flags("-- run s.js")]
    #[case::the_last_word_after_a_flag_with_a_value("--out run")]
    fn there_may_be_none(#[case] line: &str) {
        assert_eq!(subcommand(line), None);
    }
}
