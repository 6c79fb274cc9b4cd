//! `status`: what stands in the store.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use rendezvous::ReportEvent;
use tokio::time::{Instant, timeout, timeout_at};

use crate::cli::StatusArguments;
use crate::exit::Code;
use crate::show::Output;
use crate::show::console::print;
use crate::show::status::{self, Status};
use crate::trouble::Trouble;

/// After so long without another report all have been told that were there: they come
/// one after another without a pause.
const LAST_TOLD: Duration = Duration::from_millis(500);

/// The longest that reports are listened to, where runners write all the time.
const LISTEN: Duration = Duration::from_secs(5);

/// Shows what stands in the store for a stage of a run.
pub async fn status(arguments: StatusArguments) -> Result<Code, Trouble> {
    let StatusArguments { run, stage, output } = arguments;
    let (store, run) = (super::open_existing(&run.store)?, run.run);
    let board = store.read(&stage).await?;
    let mut reports = BTreeMap::new();
    let mut unreadable = Vec::new();
    let mut events = store.watch_reports(&run, &stage);
    let until = Instant::now() + LISTEN;
    while let Ok(Ok(Some(event))) = timeout_at(until, timeout(LAST_TOLD, events.next())).await {
        match event? {
            ReportEvent::Seen { report, .. } => {
                reports.insert(report.runner.clone(), *report);
            }
            ReportEvent::Gone(runner) => {
                reports.remove(&runner);
            }
            ReportEvent::Unreadable(error) => unreadable.push(error.to_string()),
        }
    }
    let mut shown = Status {
        location: store.location(),
        run,
        stage,
        board,
        reports: reports.into_values().collect(),
        unreadable,
    };
    shown.sort();
    print(&match output {
        Output::Table => status::text(&shown),
        Output::Json => status::json(&shown),
    });
    Ok(Code::Well)
}
