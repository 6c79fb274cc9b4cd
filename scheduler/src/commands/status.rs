//! `status`: what stands in the store.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use rendezvous::ReportEvent;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Existing, Stop};
use crate::cli::StatusArguments;
use crate::exit::Code;
use crate::show::Output;
use crate::show::console::print;
use crate::show::status::{self, Status};

/// After so long without another report all have been told that were there: once they have been listed they come one
/// after another without a pause.
const LAST_TOLD: Duration = Duration::from_millis(500);

/// The longest that reports are listened to, where runners write all the time, or there are none; a cluster far away
/// takes a while to list them.
const LISTEN: Duration = Duration::from_secs(5);

/// Shows what stands in the store for a stage of a run.
pub async fn status(arguments: StatusArguments) -> Result<Code, Stop> {
    let StatusArguments { run, stage, output } = arguments;
    let Existing { store, run, .. } = super::existing(&run).await?;
    let board = store.read(&stage).await?;
    let mut reports = BTreeMap::new();
    let mut unreadable = Vec::new();
    let mut events = store.watch_reports(&run, &stage);
    let until = Instant::now() + LISTEN;
    let mut pause = LISTEN;
    while let Ok(Ok(Some(event))) = timeout_at(until, timeout(pause, events.next())).await {
        pause = LAST_TOLD;
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
