//! How an agent ends, whatever k6 is doing and whatever happens, with the real k6.
#![allow(clippy::unwrap_used)]

mod cell;
mod table;

use std::{env, fs, panic::catch_unwind, sync::Mutex, thread};

use rstest::rstest;
use support::programs::{self, K6};
use table::{WHATS, WHENS};

/// How many run at once: they mostly wait.
const AT_ONCE: usize = 6;

/// Where the table stands in the documentation, between these two lines.
const DOCUMENT: &str = "docs/endings.md";
const BEGIN: &str =
    "<!-- The table is made by `make endings`, from tests/tests/agent_matrix/table.rs. -->\n";
const END: &str = "\n<!-- The end of the table. -->\n";

/// If it is set, the document is made anew.
const WRITE: &str = "TMINUS_WRITE_DOCS";

#[rstest]
fn each_end_is_as_the_table_has_it(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    // The slowest first.
    let cells = WHENS.into_iter().rev();
    let cells = cells.flat_map(|when| WHATS.map(|what| (when, what)));
    let (cells, wrong) = (Mutex::new(cells), Mutex::new(Vec::new()));
    let next = || cells.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((when, what)) = next() {
                    // It says itself what is wrong.
                    match catch_unwind(|| cell::check(when, what, &k6)) {
                        Ok(Some(took)) => println!("k6 {when}, {what}: gone after {took:?}"),
                        Ok(None) => {}
                        Err(_) => wrong.lock().unwrap().push(format!("k6 {when}, {what}")),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_documented_table_is_this_one() {
    let path = programs::repository().join(DOCUMENT);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (documented, after) = rest.split_once(END).unwrap();
    let table = table::markdown();
    if env::var_os(WRITE).is_some() {
        fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(documented, table, "run `make endings`");
}
