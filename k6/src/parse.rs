//! Words into arguments, as k6's library pflag 1.0.5 reads them, and back.
//!
//! Nothing is lost: the words of the arguments, in order, are the words that were parsed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::flags::{Flag, Takes};

/// One argument with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A known flag, or a bundle of them.
    Flags(FlagWord),
    /// A word that is not a flag.
    Positional { word: OsString, place: Place },
    /// `--`, after which no word is a flag.
    Dashes,
    /// A flag that k6 ignores, refuses, or has learned since v2.2; with no value of its own that
    /// could be told from the word that follows.
    Unknown(OsString),
}

/// Where a positional word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it can only be a script.
    Open,
    /// Behind an unknown flag, whose value it may be.
    AfterUnknown,
    /// Behind `--`.
    AfterDashes,
}

/// One flag after `--`, or one or more letters after `-`, and the value of the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlagWord {
    pub(crate) long: bool,
    pub(crate) flags: Vec<&'static Flag>,
    pub(crate) value: Value,
}

/// The value that a flag was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// None: the flag needs none.
    Absent,
    /// `--flag=value` or `-f=value`.
    Attached(OsString),
    /// `-fvalue`.
    Glued(OsString),
    /// `--flag value` or `-f value`.
    Next(OsString),
    /// None, although the flag needs one: the command line ends here. k6 refuses it.
    Missing,
}

/// A place where an unknown flag leaves open what k6 would read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// The unknown flag.
    pub(crate) flag: String,
    /// The word that it casts doubt on.
    pub(crate) word: String,
}

impl Value {
    pub(crate) fn text(&self) -> Option<&OsStr> {
        match self {
            Self::Attached(text) | Self::Glued(text) | Self::Next(text) => Some(text),
            Self::Absent | Self::Missing => None,
        }
    }

    pub(crate) fn text_mut(&mut self) -> Option<&mut OsString> {
        match self {
            Self::Attached(text) | Self::Glued(text) | Self::Next(text) => Some(text),
            Self::Absent | Self::Missing => None,
        }
    }
}

impl FlagWord {
    /// The flags, each with the value that it was given.
    pub(crate) fn with_values(&self) -> impl Iterator<Item = (&'static Flag, Option<&OsStr>)> {
        let last = self.flags.len().saturating_sub(1);
        self.flags.iter().enumerate().map(move |(at, flag)| {
            let value = if at == last { self.value.text() } else { None };
            (*flag, value)
        })
    }

    /// The word without the flags of these names and their values; `None` where none is left.
    pub(crate) fn without(mut self, names: &[&str]) -> Option<Self> {
        let owned = |flag: &&'static Flag| names.contains(&flag.name);
        if self.flags.last().is_some_and(owned) {
            self.value = Value::Absent;
        }
        self.flags.retain(|flag| !owned(flag));
        (!self.flags.is_empty()).then_some(self)
    }

    pub(crate) fn words(&self) -> Vec<OsString> {
        let mut word = OsString::from(if self.long { "--" } else { "-" }).into_vec();
        for flag in &self.flags {
            match flag.shorthand {
                Some(letter) if !self.long => word.push(letter),
                _ => word.extend(flag.name.as_bytes()),
            }
        }
        if let Value::Attached(_) = self.value {
            word.push(b'=');
        }
        if let Value::Attached(text) | Value::Glued(text) = &self.value {
            word.extend(text.as_bytes());
        }
        let mut words = vec![OsString::from_vec(word)];
        if let Value::Next(text) = &self.value {
            words.push(text.clone());
        }
        words
    }

    /// As the user wrote it, for a message.
    pub(crate) fn spelling(&self) -> String {
        let words = self.words();
        words.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }
}

impl Argument {
    pub(crate) fn words(&self) -> Vec<OsString> {
        match self {
            Self::Flags(flags) => flags.words(),
            Self::Positional { word, .. } | Self::Unknown(word) => vec![word.clone()],
            Self::Dashes => vec!["--".into()],
        }
    }
}

/// Parses the words after the program, the subcommand taken out.
///
/// An unknown flag is k6's to complain about. It may also be new in a later k6, and then only that
/// k6 knows whether it takes a value; so wherever the answer would change which words are flags,
/// there is a [`Doubt`].
pub(crate) fn parse(words: &[OsString]) -> (Vec<Argument>, Vec<Doubt>) {
    let mut parser = Parser {
        words,
        at: 0,
        arguments: Vec::new(),
        doubts: Vec::new(),
        unknown: None,
    };
    while let Some(word) = words.get(parser.at) {
        parser.at += 1;
        parser.argument(word);
    }
    (parser.arguments, parser.doubts)
}

struct Parser<'a> {
    words: &'a [OsString],
    /// The place of the next word.
    at: usize,
    arguments: Vec<Argument>,
    doubts: Vec<Doubt>,
    /// The word just read, if it is an unknown flag that may take the next word.
    unknown: Option<&'a OsString>,
}

impl<'a> Parser<'a> {
    fn argument(&mut self, word: &'a OsString) {
        let unknown = self.unknown.take();
        let bytes = word.as_bytes();
        if bytes.len() < 2 || bytes[0] != b'-' {
            let place = if unknown.is_some() {
                Place::AfterUnknown
            } else {
                Place::Open
            };
            self.arguments.push(Argument::Positional {
                word: word.clone(),
                place,
            });
            return;
        }
        if let Some(flag) = unknown {
            self.doubt(flag, word);
        }
        if bytes == b"--" {
            self.arguments.push(Argument::Dashes);
            let rest = self.words[self.at..].iter().cloned();
            self.arguments.extend(rest.map(|word| Argument::Positional {
                word,
                place: Place::AfterDashes,
            }));
            self.at = self.words.len();
        } else if let Some(text) = bytes.strip_prefix(b"--") {
            self.long(word, text);
        } else {
            self.short(word, &bytes[1..]);
        }
    }

    fn long(&mut self, word: &'a OsString, text: &[u8]) {
        let (name, attached) = match text.iter().position(|byte| *byte == b'=') {
            Some(at) => (&text[..at], Some(os(&text[at + 1..]))),
            None => (text, None),
        };
        let Some(flag) = Flag::named(name) else {
            // Every k6 refuses a name that begins with `-` or is empty.
            if attached.is_none() && !name.starts_with(b"-") {
                self.unknown = Some(word);
            }
            self.arguments.push(Argument::Unknown(word.clone()));
            return;
        };
        let value = match attached {
            Some(text) => Value::Attached(text),
            None if flag.takes == Takes::Text => self.next_value(),
            None => Value::Absent,
        };
        self.arguments.push(Argument::Flags(FlagWord {
            long: true,
            flags: vec![flag],
            value,
        }));
    }

    /// pflag skips the rest of a bundle that begins with `test.`. Here it is the value of `-t`, which
    /// comes to the same: it takes no other word, and what `-t` says does not matter.
    fn short(&mut self, word: &'a OsString, letters: &[u8]) {
        let mut bundle = FlagWord {
            long: false,
            flags: Vec::new(),
            value: Value::Absent,
        };
        let mut rest = letters;
        while let [letter, tail @ ..] = rest {
            let attached = match tail {
                [b'=', value @ ..] if !value.is_empty() => Some(os(value)),
                _ => None,
            };
            let Some(flag) = Flag::lettered(*letter) else {
                self.unknown_letter(word, letters, attached.is_some());
                return;
            };
            bundle.flags.push(flag);
            if let Some(text) = attached {
                bundle.value = Value::Attached(text);
            } else if flag.takes != Takes::Text {
                rest = tail;
                continue;
            } else if !tail.is_empty() {
                bundle.value = Value::Glued(os(tail));
            } else {
                bundle.value = self.next_value();
            }
            break;
        }
        self.arguments.push(Argument::Flags(bundle));
    }

    /// `-X` and `-X=value` can be passed on; in any longer word an unknown letter may begin a value
    /// or be one more switch.
    fn unknown_letter(&mut self, word: &'a OsString, letters: &[u8], attached: bool) {
        match letters {
            [_] => self.unknown = Some(word),
            [_, b'=', ..] if attached => {}
            _ => self.doubt(word, word),
        }
        self.arguments.push(Argument::Unknown(word.clone()));
    }

    fn next_value(&mut self) -> Value {
        let value = self.words.get(self.at).cloned();
        self.at += 1;
        value.map_or(Value::Missing, Value::Next)
    }

    fn doubt(&mut self, flag: &OsString, word: &OsString) {
        self.doubts.push(Doubt {
            flag: lossy(flag),
            word: lossy(word),
        });
    }
}

fn os(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}

fn lossy(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}
