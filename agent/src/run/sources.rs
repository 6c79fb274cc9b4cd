//! Where events come from: each a task that sends what it sees.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use procfs::process::Process;
use rendezvous::{Backoff, Store, StoreError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::Identity;
use crate::control::api::{Api, ApiError};
use crate::decide::machine::{Event, OtherSignal, Progress, StopSignal, StoreSide};
use crate::process::signals;

/// The signals that are for k6 as well, those that were held back before all. A hang-up that is ignored stays so.
pub fn signals(events: &UnboundedSender<Event>) -> io::Result<()> {
    let stop = Event::Signal;
    let other = Event::OtherSignal;
    let kinds = [
        (SignalKind::terminate(), stop(StopSignal::Terminate)),
        (SignalKind::interrupt(), stop(StopSignal::Interrupt)),
        (SignalKind::hangup(), stop(StopSignal::HangUp)),
        (SignalKind::quit(), stop(StopSignal::Quit)),
        (SignalKind::user_defined1(), other(OtherSignal::User1)),
        (SignalKind::user_defined2(), other(OtherSignal::User2)),
        (
            SignalKind::window_change(),
            other(OtherSignal::WindowChange),
        ),
    ];
    for (kind, event) in kinds {
        // What `nohup` asks for; k6 inherits it, and ignores it, too.
        if kind == SignalKind::hangup() && is_ignored(kind) {
            continue;
        }
        let mut received = signal(kind)?;
        let events = events.clone();
        tokio::spawn(async move {
            while received.recv().await.is_some() {
                if events.send(event.clone()).is_err() {
                    return;
                }
            }
        });
    }
    signals::let_through();
    Ok(())
}

/// Whether this process was started with a signal ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = Process::myself().and_then(|this| this.status());
    // Where /proc cannot be read, nothing is known to be ignored.
    status.is_ok_and(|status| status.sigign >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// What an earlier process of this runner left, once it can be read; and what stands in the store for our stage.
/// The board comes second: an abort on it ends us, and where the store works, we may report that only
/// after the earlier report was read.
pub fn store(store: &Arc<dyn Store>, identity: &Identity, events: &UnboundedSender<Event>) {
    let (store, identity, events) = (Arc::clone(store), identity.clone(), events.clone());
    tokio::spawn(async move {
        let mut done = earlier_report(&store, &identity, &events).await;
        board(&store, &identity, &events);
        let mut backoff = Backoff::default();
        while !done {
            tokio::time::sleep(backoff.after_failure()).await;
            done = earlier_report(&store, &identity, &events).await;
        }
    });
}

/// What stands there for our stage, now and at each change.
fn board(store: &Arc<dyn Store>, identity: &Identity, events: &UnboundedSender<Event>) {
    let mut boards = store.watch(&identity.stage);
    let events = events.clone();
    tokio::spawn(async move {
        while let Some(board) = boards.next().await {
            let event = match board {
                Ok(board) => Event::Board {
                    plan: board.plan,
                    abort: board.abort,
                },
                Err(error) => trouble(StoreSide::Reading, &error),
            };
            if events.send(event).is_err() {
                return;
            }
        }
    });
}

/// What an earlier process of this runner left. Whether there is nothing more to be done about it.
async fn earlier_report(
    store: &Arc<dyn Store>,
    identity: &Identity,
    events: &UnboundedSender<Event>,
) -> bool {
    let event = match store.read_report(&identity.stage, &identity.runner).await {
        Ok(Ok(report)) => {
            let _ = events.send(Event::Earlier(report.map(Box::new)));
            return true;
        }
        // It may tell of a load that was made; without it nothing may start.
        Ok(Err(error)) => Event::StoreTrouble {
            side: StoreSide::Earlier,
            text: error.to_string(),
            denied: true,
        },
        Err(error) => trouble(StoreSide::Earlier, &error),
    };
    events.send(event).is_err()
}

/// A store's error as an event.
pub fn trouble(side: StoreSide, error: &StoreError) -> Event {
    Event::StoreTrouble {
        side,
        text: error.to_string(),
        denied: matches!(error, StoreError::Denied { .. }),
    }
}

/// Asks k6 for its status again and again, the first time after one interval: right after the resume
/// k6 has its load to begin, and a question would only be in its way.
pub fn polling(api: Api, interval: Duration, events: UnboundedSender<Event>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            let event = match api.status().await {
                Ok(status) => Some(Event::Status {
                    status: status.status,
                    vus: status.vus,
                }),
                // Before the script was read once, and after the end, nobody listens.
                Err(ApiError::NotUp) => None,
                Err(error) => Some(Event::ApiTrouble(error.to_string())),
            };
            if event.is_some_and(|event| events.send(event).is_err()) {
                return;
            }
        }
    })
}

/// Runs teardown(), within a limit.
pub fn teardown(api: Option<&Api>, within: Duration, events: &UnboundedSender<Event>) {
    let (api, events) = (api.cloned(), events.clone());
    tracing::info!("running teardown()");
    tokio::spawn(async move {
        let result = match api {
            Some(api) => api.teardown(within).await,
            None => Ok(()),
        };
        let _ = events.send(Event::TeardownEnded(result));
    });
}

/// Asks k6 once how far it is.
pub fn ask(api: Option<&Api>, events: &UnboundedSender<Event>) {
    let (api, events) = (api.cloned(), events.clone());
    tokio::spawn(async move {
        let progress = match api {
            Some(api) => match api.status().await {
                Ok(status) => Progress::Status(status.status),
                Err(ApiError::NotUp) => Progress::NoApi,
                Err(_) => Progress::Unknown,
            },
            None => Progress::Unknown,
        };
        let _ = events.send(Event::Asked(progress));
    });
}

/// Stops k6 by its API.
pub fn stop(api: Option<&Api>, events: &UnboundedSender<Event>) {
    let (api, events) = (api.cloned(), events.clone());
    tokio::spawn(async move {
        let result = match api {
            Some(api) => api.stop().await,
            None => Err(ApiError::NotUp),
        };
        if let Err(error) = result {
            let _ = events.send(Event::StopFailed {
                no_api: matches!(error, ApiError::NotUp),
                detail: error.to_string(),
            });
        }
    });
}
