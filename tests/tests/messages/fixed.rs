//! The fixed words of a message: what is left when all that changes is taken out.

/// The pieces of a text in the source, between what is filled in, `{…}`, and what the page would call `<…>` too.
pub fn of_source(text: &str) -> Vec<String> {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let pieces = without(&text, '{', '}')
        .into_iter()
        .map(|piece| piece.replace('\u{1}', "{").replace('\u{2}', "}"));
    tidy(pieces.flat_map(|piece| without(&piece, '<', '>')).collect())
}

/// The pieces of a message on the page, between `<…>`.
pub fn of_page(text: &str) -> Vec<String> {
    tidy(without(text, '<', '>'))
}

/// What stands outside of the brackets. One that is not closed is no bracket.
fn without(text: &str, open: char, close: char) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(open)
        && let Some((_, after)) = inside.split_once(close)
    {
        pieces.push(before.to_owned());
        rest = after;
    }
    pieces.push(rest.to_owned());
    pieces
}

/// Blanks and line ends are one blank; pieces without a letter or digit are left out.
fn tidy(pieces: Vec<String>) -> Vec<String> {
    let pieces = pieces
        .iter()
        .map(|piece| piece.split_whitespace().collect::<Vec<_>>().join(" "));
    pieces
        .filter(|piece| piece.contains(char::is_alphanumeric))
        .collect()
}

/// How many words of two letters or more there are.
pub fn words(text: &str) -> usize {
    text.split(|c: char| !c.is_alphabetic())
        .filter(|word| word.chars().count() >= 2)
        .count()
}

/// Whether the pieces stand in the message's, in their order.
pub fn stand_in(pieces: &[String], message: &[String]) -> bool {
    let mut rest = message.join("\0");
    for piece in pieces {
        let Some(at) = rest.find(piece.as_str()) else {
            return false;
        };
        rest.drain(..at + piece.len());
    }
    true
}

#[test]
fn what_changes_is_taken_out() {
    assert_eq!(
        of_source("cannot {action}: {{a}}\n {detail:?}. Look"),
        ["cannot", ": {a}", ". Look"]
    );
    assert_eq!(of_source("a file <runner id>.json"), ["a file", ".json"]);
    assert_eq!(of_source("[{verbs}]}}: 0 < 78"), ["[", "]}: 0 < 78"][1..]);
    assert_eq!(of_page("cannot <do it>: {a}"), ["cannot", ": {a}"]);
    assert_eq!(words("it's 5 s over the limit"), 4);
}

#[test]
fn pieces_are_looked_for_in_their_order() {
    let message = of_page("may not <do it>: <why>. Bind <whom>");
    assert!(stand_in(
        &of_source("may not {action}: {detail}. {cure}"),
        &message
    ));
    assert!(!stand_in(&of_source("Bind {} may not"), &message));
}
