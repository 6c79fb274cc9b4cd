//! All that is wrong with a command line, told at once: a pod that lacks three variables is to be mended once.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

/// Reads the words, and their twins in the environment.
///
/// # Errors
/// Each fault that can be told apart; or the help that was asked for, alone. Never empty.
pub fn read<C: CommandFactory + FromArgMatches>(words: &[OsString]) -> Result<C, Vec<clap::Error>> {
    let mut command = C::command();
    let mut faults = Vec::new();
    loop {
        let error = match command.clone().try_get_matches_from(words) {
            Ok(matches) if faults.is_empty() => match C::from_arg_matches(&matches) {
                Ok(read) => return Ok(read),
                Err(error) => error.format(&mut command),
            },
            Ok(_) => return Err(faults),
            Err(error) => error,
        };
        if !error.use_stderr() {
            return Err(vec![error]);
        }
        let bad = with_a_bad_value(&command, &error);
        faults.push(error);
        match bad {
            // Taken as it is, it lets the next fault show.
            Some(id) => command = command.mut_arg(id, as_it_is),
            None => return Err(faults),
        }
    }
}

fn as_it_is(arg: Arg) -> Arg {
    arg.value_parser(ValueParser::os_string())
}

/// The option whose value is the error.
fn with_a_bad_value(command: &Command, error: &clap::Error) -> Option<clap::Id> {
    if !matches!(
        error.kind(),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue
    ) {
        return None;
    }
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    // An option can be shown once its command is built.
    let mut command = command.clone();
    command.build();
    command
        .get_arguments()
        .find(|arg| takes_a_value(arg) && arg.to_string() == *shown)
        .map(|arg| arg.get_id().clone())
}

fn takes_a_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set)
}

/// What clap tells of several errors, one after another.
pub fn text(faults: &[clap::Error]) -> String {
    let mut told: Vec<String> = faults
        .iter()
        .map(|fault| fault.render().to_string())
        .collect();
    let last = told.pop().unwrap_or_default();
    // Each ends with where to find help; once is enough.
    let mut text: String = told
        .iter()
        .map(|fault| {
            fault
                .split("\n\n")
                .next()
                .unwrap_or(fault)
                .trim_end()
                .to_owned()
                + "\n\n"
        })
        .collect();
    text.push_str(&last);
    text
}

/// The same in one sentence each, without the frame round it.
pub fn sentences(faults: &[clap::Error]) -> Vec<String> {
    let sentence = |fault: &clap::Error| {
        let text = fault.render().to_string();
        let text = text.split("\n\n").next().unwrap_or_default();
        let text = text.strip_prefix("error: ").unwrap_or(text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    faults.iter().map(sentence).collect()
}

/// What can be made out of words that are wrong: where the last words go. The store as it was given, and the
/// termination log.
pub fn last_words_of<C: CommandFactory>(words: &[OsString]) -> (Option<OsString>, Option<PathBuf>) {
    // An error that is ignored ends the reading, so there must be none in the values before.
    let lenient = C::command().ignore_errors(true).mut_args(|arg| {
        if takes_a_value(&arg) {
            as_it_is(arg)
        } else {
            arg
        }
    });
    let Ok(matches) = lenient.try_get_matches_from(words) else {
        return (None, None);
    };
    let given = |id| matches.try_get_one::<OsString>(id).ok().flatten().cloned();
    (given(STORE), given(TERMINATION_LOG).map(PathBuf::from))
}

/// What clap calls the options.
const STORE: &str = "store";
const TERMINATION_LOG: &str = "termination_log";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::Cli;

    fn words(line: &str) -> Vec<OsString> {
        let words = line.split(' ').map(|word| word.replace("''", "").into());
        std::iter::once("tminus-agent".into())
            .chain(words)
            .collect()
    }

    fn faults_in(line: &str) -> Vec<clap::Error> {
        read::<Cli>(&words(line)).unwrap_err()
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let faults = faults_in("--store nfs:/x --run '' --deadline soon --late perhaps");
        let sentences = sentences(&faults);
        let expected = [
            "--store",
            "controller-uid",
            "--deadline",
            "refuse, join or skip",
            "--runner <ID>",
        ];
        for part in expected {
            let told = sentences.iter().filter(|it| it.contains(part)).count();
            assert_eq!(told, 1, "{part}: {sentences:#?}");
        }
        assert_eq!(sentences.len(), expected.len());
        assert!(
            sentences
                .iter()
                .all(|it| !it.contains('\n') && !it.starts_with("error")),
            "{sentences:#?}"
        );
        let text = text(&faults);
        assert_eq!(text.matches("error: ").count(), expected.len(), "{text}");
        assert_eq!(text.matches("try '--help'").count(), 1, "{text}");
    }

    #[test]
    fn help_is_no_fault_and_comes_alone() {
        let help = faults_in("--run '' --help");
        assert_eq!(help.len(), 1);
        assert!(!help[0].use_stderr());
    }

    #[test]
    fn an_option_that_is_not_known_ends_the_list() {
        let sentences = sentences(&faults_in("--sooner --run ''"));
        assert!(sentences[0].contains("--sooner"), "{sentences:?}");
    }

    #[test]
    fn where_the_last_words_go_is_known_whatever_else_is_wrong() {
        let line = "--store kubernetes: --run '' --termination-log /x/y -- k6";
        let (store, log) = last_words_of::<Cli>(&words(line));
        assert_eq!(store, Some("kubernetes:".into()));
        assert_eq!(log, Some("/x/y".into()));
        assert_eq!(last_words_of::<Cli>(&words("--sooner")), (None, None));
    }
}
