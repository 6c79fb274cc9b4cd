//! The abort: run-wide, before or after any instant.

use serde::{Deserialize, Serialize};

use crate::document::Problem;
use crate::names::RunId;
use crate::wire;

/// The run is over, by whose word and why. Every stage of the run obeys it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abort {
    /// The run that is aborted.
    pub run: RunId,
    /// Who aborted it, for people.
    pub by: String,
    /// Why, for people.
    pub why: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AbortForm {
    version: u32,
    run: RunId,
    by: String,
    why: String,
}

/// The longest text of either field that is kept; a reason is a sentence or two.
const LONGEST_TEXT: usize = 500;

impl Abort {
    /// The most bytes that are read of an abort: two texts of 500 characters, each
    /// of which takes at most four bytes of JSON, and as much again to spare.
    pub const MOST_BYTES: u64 = 8192;

    /// An abort with its texts fit to be printed: control characters become
    /// spaces, and what is over 500 characters is cut.
    #[must_use]
    pub fn new(run: RunId, by: &str, why: &str) -> Self {
        Self {
            run,
            by: wire::clean_text(by, LONGEST_TEXT),
            why: wire::clean_text(why, LONGEST_TEXT),
        }
    }

    /// The abort as the JSON that stands in a store, its texts fit to be printed
    /// as by [`Abort::new`].
    #[must_use]
    pub fn to_json(&self) -> String {
        wire::write(&AbortForm {
            version: wire::VERSION,
            run: self.run.clone(),
            by: wire::clean_text(&self.by, LONGEST_TEXT),
            why: wire::clean_text(&self.why, LONGEST_TEXT),
        })
    }

    /// Reads an abort.
    ///
    /// # Errors
    /// A [`Problem`] that names what is wrong: the length, the syntax, the version or the form.
    pub fn from_json(text: &str) -> Result<Self, Problem> {
        let form: AbortForm = wire::read_form(text, Self::MOST_BYTES)?;
        Ok(Self::new(form.run, &form.by, &form.why))
    }
}
