//! Rust source as trees of what matters here: texts, words, marks, and what stands in brackets. Comments are left out.

use std::iter::Peekable;
use std::str::Chars;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A literal text, with its escapes undone.
    Text(String),
    /// A name, a keyword or a number.
    Word(String),
    /// Any other character.
    Mark(char),
    /// What stands in brackets, with the opening one.
    Group(char, Vec<Tree>),
}

pub fn trees(source: &str) -> Vec<Tree> {
    inside(&mut source.chars().peekable())
}

/// Up to the bracket that closes this group.
fn inside(rest: &mut Peekable<Chars>) -> Vec<Tree> {
    let mut trees = Vec::new();
    while let Some(character) = rest.next() {
        match character {
            '(' | '[' | '{' => trees.push(Tree::Group(character, inside(rest))),
            ')' | ']' | '}' => break,
            '/' if rest.peek() == Some(&'/') => drop(rest.by_ref().find(|it| *it == '\n')),
            '/' if rest.peek() == Some(&'*') => {
                panic!("a comment in /* */, which is not read here")
            }
            '"' => trees.push(Tree::Text(text(rest))),
            '\'' => skip_character(rest),
            it if is_of_word(it) => {
                let word = word(it, rest);
                let is_raw =
                    matches!(word.as_str(), "r" | "br") && matches!(rest.peek(), Some('#' | '"'));
                trees.push(if is_raw {
                    Tree::Text(raw(rest))
                } else {
                    Tree::Word(word)
                });
            }
            it if it.is_whitespace() => {}
            it => trees.push(Tree::Mark(it)),
        }
    }
    trees
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word(first: char, rest: &mut Peekable<Chars>) -> String {
    let mut word = String::from(first);
    while let Some(next) = rest.next_if(|it| is_of_word(*it)) {
        word.push(next);
    }
    word
}

/// A text, behind its opening quotation mark.
fn text(rest: &mut Peekable<Chars>) -> String {
    let mut text = String::new();
    while let Some(character) = rest.next() {
        match character {
            '"' => break,
            '\\' => match rest.next() {
                // The line goes on at the next one's first word.
                Some('\n') => while rest.next_if(|it| it.is_whitespace()).is_some() {},
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text
}

/// A raw text, behind its `r`.
fn raw(rest: &mut Peekable<Chars>) -> String {
    let mut end = String::from("\"");
    while rest.next_if_eq(&'#').is_some() {
        end.push('#');
    }
    rest.next();
    let mut text = String::new();
    while !text.ends_with(&end) {
        let Some(character) = rest.next() else { break };
        text.push(character);
    }
    text.truncate(text.len().saturating_sub(end.len()));
    text
}

/// What stands behind a single quotation mark: a character and the mark that closes it, or a lifetime.
fn skip_character(rest: &mut Peekable<Chars>) {
    let Some(first) = rest.next() else { return };
    if first == '\\' {
        rest.next();
        rest.find(|it| *it == '\'');
    } else {
        rest.next_if_eq(&'\'');
    }
}

#[test]
fn what_matters_is_read() {
    let source = r###"f::<'a>('"', '\'', '\u{1b}') // "no"
        { "a \"b\" \
            c"; r#"d "e""#; br"f" }"###;
    let group = |open, inside: &[Tree]| Tree::Group(open, inside.to_vec());
    let (word, said) = (
        |it: &str| Tree::Word(it.to_owned()),
        |it: &str| Tree::Text(it.to_owned()),
    );
    let (comma, end) = (Tree::Mark(','), Tree::Mark(';'));
    let body = [
        said("a \"b\" c"),
        end.clone(),
        said("d \"e\""),
        end,
        said("f"),
    ];
    let marks = [':', ':', '<'].map(Tree::Mark);
    let expected = [
        vec![word("f")],
        marks.to_vec(),
        // A lifetime's first letter goes with its mark.
        vec![Tree::Mark('>'), group('(', &[comma.clone(), comma])],
        vec![group('{', &body)],
    ];
    assert_eq!(trees(source), expected.concat());
}
