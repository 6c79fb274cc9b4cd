//! What holds for every command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use k6::flags::{FLAGS, Takes};
use k6::{CommandLine, Environment, Run};
use proptest::prelude::*;

/// Any bytes, without NUL as in any word that a program can be given.
fn any_word() -> impl Strategy<Value = OsString> {
    prop::collection::vec(1_u8..=255, 0..8).prop_map(OsString::from_vec)
}

/// Words that mean something to k6, or nearly so.
fn likely_word() -> impl Strategy<Value = OsString> {
    let flag = prop::sample::select(FLAGS);
    let value = prop_oneof![
        Just(""),
        Just("="),
        Just("=true"),
        Just("=false"),
        Just("=x"),
        Just("x"),
        Just("test.v")
    ];
    prop_oneof![
        3 => (flag, value.clone()).prop_map(|(flag, value)| format!("--{}{value}", flag.name)),
        3 => ("[a-zX=]{1,4}", value).prop_map(|(letters, value)| format!("-{letters}{value}")),
        3 => prop::sample::select(&["run", "s.js", "-", "--", "", "--later", "-X", "true"][..])
            .prop_map(str::to_owned),
    ]
    .prop_map(OsString::from)
}

fn command_line() -> impl Strategy<Value = Vec<OsString>> {
    let word = prop_oneof![1 => any_word(), 9 => likely_word()];
    (
        prop::collection::vec(word.clone(), 0..3),
        prop::collection::vec(word, 0..6),
        any::<bool>(),
    )
        .prop_map(|(before, after, script)| {
            let mut words = vec!["k6".into()];
            words.extend(before);
            words.push("run".into());
            words.extend(after);
            words.extend(script.then(|| "s.js".into()));
            words
        })
}

/// A command line that is accepted: known flags in any spelling that takes their value along.
fn accepted_command_line() -> impl Strategy<Value = Vec<OsString>> {
    let flag = prop::sample::select(FLAGS).prop_filter("not refused", |flag| {
        !["address", "help", "linger"].contains(&flag.name)
    });
    let argument = (flag, 0..4_u8, "[a-z.=-]{1,3}").prop_map(|(flag, spelling, value)| {
        let name = flag.name;
        let letter = flag.shorthand.map(char::from);
        let line: Vec<String> = match (flag.takes, letter, spelling) {
            (Takes::Text, Some(letter), 0) => vec![format!("-q{letter}"), value],
            (Takes::Text, Some(letter), 1) => vec![format!("-{letter}v{value}")],
            (Takes::Text, _, 2) => vec![format!("--{name}={value}")],
            (Takes::Text, ..) => vec![format!("--{name}"), value],
            (_, Some(letter), 0) => vec![format!("-{letter}q{letter}")],
            (_, Some(letter), 1) => vec![format!("-v{letter}=true")],
            (_, _, 2) => vec![format!("--{name}=true")],
            _ => vec![format!("--{name}")],
        };
        line.into_iter().map(OsString::from).collect::<Vec<_>>()
    });
    let arguments = || prop::collection::vec(argument.clone(), 0..4);
    (arguments(), arguments()).prop_map(|(before, after)| {
        let mut words: Vec<OsString> = vec!["k6".into(), "run".into()];
        words.extend(before.concat());
        words.push("s.js".into());
        words.extend(after.concat());
        words
    })
}

fn checked(words: &[OsString]) -> Option<Run> {
    CommandLine::parse(words)
        .ok()?
        .check(&Environment::default(), None)
        .ok()
}

fn paused(run: &Run, no_setup: bool) -> Vec<OsString> {
    run.paused_at("127.0.0.1:4711".parse().unwrap(), no_setup)
}

/// What is left of a command line when the first of each of ours is taken out.
fn without_ours(mut words: Vec<OsString>, no_setup: bool) -> Vec<OsString> {
    let ours = ["--paused", "--address", "127.0.0.1:4711"];
    for word in ours.into_iter().chain(no_setup.then_some("--no-setup")) {
        let at = words
            .iter()
            .position(|other| other == word)
            .expect("it is there");
        words.remove(at);
    }
    words
}

/// Whether `part` comes about by taking words out of `whole`, or letters out of its bundles.
fn is_thinned_out(part: &[OsString], whole: &[OsString]) -> bool {
    let mut whole = whole.iter();
    part.iter()
        .all(|word| whole.any(|other| word == other || is_shorter_bundle(word, other)))
}

fn is_shorter_bundle(word: &OsString, other: &OsString) -> bool {
    let (word, other) = (word.as_encoded_bytes(), other.as_encoded_bytes());
    let is_bundle = word.starts_with(b"-") && !word.starts_with(b"--") && other.len() > word.len();
    let mut letters = other.iter();
    is_bundle
        && word
            .iter()
            .all(|letter| letters.any(|other| other == letter))
}

proptest! {
    #[test]
    fn nothing_panics(words in command_line(), pair in (any_word(), any_word())) {
        let environment = Environment::from_iter([pair]);
        if let Ok(command_line) = CommandLine::parse(&words)
            && let Ok(run) = command_line.check(&environment, None)
        {
            paused(&run, true);
            run.anchored(Path::new("/"));
        }
    }

    #[test]
    fn each_of_ours_is_there_once(words in command_line(), no_setup: bool) {
        if let Some(run) = checked(&words) {
            let once = paused(&run, no_setup);
            let wanted = no_setup || run.no_setup().is_some();
            let rest = without_ours(once, wanted);
            // No address is left, and none of ours can be taken out any more.
            let again = checked(&rest).expect("still accepted");
            prop_assert!(again.no_setup().is_none());
            prop_assert_eq!(again.script(), run.script());
            prop_assert_eq!(without_ours(paused(&again, false), false), rest);
        }
    }

    #[test]
    fn the_rest_keeps_its_order(words in accepted_command_line(), no_setup: bool) {
        let run = checked(&words).expect("accepted");
        let wanted = no_setup || run.no_setup().is_some();
        let rest = without_ours(paused(&run, no_setup), wanted);
        prop_assert!(is_thinned_out(&rest, &words), "{rest:?} of {words:?}");
    }

    #[test]
    fn what_is_anchored_is_accepted_and_stays(words in accepted_command_line()) {
        let base = Path::new("/home/me");
        let anchored = checked(&words).expect("accepted").anchored(base);
        let again = checked(&anchored).expect("accepted").anchored(base);
        prop_assert_eq!(again, anchored);
    }
}
