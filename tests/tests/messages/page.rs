//! The page that lists the messages, docs/messages.md: tables whose first column is headed "message". A cell of it holds
//! one message or more, each as code; `<…>` in it stands for what changes.

/// A listed message.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// As it stands on the page.
    pub message: String,
    /// What stands in the other columns: its cause and its cure, or what it means.
    pub explained: Vec<String>,
}

/// The messages of a page.
pub fn messages(page: &str) -> Vec<Listed> {
    let mut listed = Vec::new();
    let mut is_listing = false;
    for line in page.lines() {
        let Some(cells) = cells(line) else {
            is_listing = false;
            continue;
        };
        if cells[0] == "message" {
            is_listing = true;
        } else if is_listing && !cells[0].starts_with("---") {
            let messages = code(&cells[0]);
            assert!(!messages.is_empty(), "a row without a message: {line}");
            listed.extend(messages.into_iter().map(|message| Listed {
                message,
                explained: cells[1..].to_vec(),
            }));
        }
    }
    listed
}

/// The cells of a line, if it is a row of a table. A `\|` is no end of a cell.
fn cells(line: &str) -> Option<Vec<String>> {
    let row = line
        .strip_prefix('|')?
        .strip_suffix('|')?
        .replace("\\|", "\0");
    Some(
        row.split('|')
            .map(|cell| cell.trim().replace('\0', "|"))
            .collect(),
    )
}

/// What stands in a cell as code, in single or double backticks.
fn code(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some(at) = rest.find('`') {
        let ticks = if rest[at..].starts_with("``") {
            "``"
        } else {
            "`"
        };
        let inside = &rest[at + ticks.len()..];
        let end = inside
            .find(ticks)
            .unwrap_or_else(|| panic!("code without an end: {cell}"));
        found.push(inside[..end].trim().to_owned());
        rest = &inside[end + ticks.len()..];
    }
    found
}

#[test]
fn a_page_is_read() {
    let page = "| message | cause | cure |\n|---|---|---|\n| `a <x>`, ``b `c` \\| d`` | why | what |\n\n| code |\n|---|\n| `no` |\n";
    let explained = vec!["why".to_owned(), "what".to_owned()];
    let expected = ["a <x>", "b `c` | d"].map(|message| Listed {
        message: message.to_owned(),
        explained: explained.clone(),
    });
    assert_eq!(messages(page), expected);
}
