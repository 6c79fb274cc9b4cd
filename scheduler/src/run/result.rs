//! The end of a start: the target is asked, and the result told.

use tracing::warn;

use crate::decide::outcome::Outcome;
use crate::exit::Code;
use crate::first_requests;
use crate::show::console::print;
use crate::show::{Output, json, table};

/// How a result is told.
#[derive(Debug, Clone)]
pub struct Telling {
    /// How it looks.
    pub output: Output,
    /// The URL at which the target tells what it saw.
    pub target: Option<String>,
}

impl Telling {
    /// Tells a result on standard output. Returns what to exit with.
    pub async fn tell(&self, mut outcome: Outcome) -> Code {
        // Whoever aborts a run does not want to wait for more.
        let worth_asking = outcome.started > 0 && outcome.code != Code::Aborted;
        if let Some(url) = self.target.as_deref().filter(|_| worth_asking) {
            match first_requests::ask(url).await {
                Ok(seen) => outcome.add_first_requests(&seen),
                Err(error) => warn!("{error}"),
            }
        }
        print(&match self.output {
            Output::Table => table::result(&outcome),
            Output::Json => json::result(&outcome),
        });
        outcome.code
    }
}
