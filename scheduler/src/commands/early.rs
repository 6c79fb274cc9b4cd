//! An end that comes before this process has begun to gather: an earlier scheduler of the run may have.

use std::sync::Arc;

use rendezvous::{Abort, RunId, Store, StoreError};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tracing::warn;

use super::Stop;
use crate::exit::Code;
use crate::run::scene::ABORT_WITHIN;
use crate::run::signals::Signals;

/// A run that may be under way already.
pub struct Candidate {
    /// Its store.
    pub store: Arc<dyn Store>,
    /// The run.
    pub run: RunId,
}

/// Does it, unless this process is told to end. Then the run is aborted if it is known which it is and
/// anything of it stands there, as a scheduler that was killed leaves it. A second signal cuts that short.
pub async fn unless_told_to_end<T>(
    signals: &mut Signals,
    candidate: &OnceCell<Candidate>,
    doing: impl Future<Output = Result<T, Stop>>,
) -> Result<T, Stop> {
    let signal = tokio::select! {
        biased;
        signal = signals.next() => signal,
        done = doing => return done,
    };
    let what = match candidate.get() {
        None => "before it was known which run it is for: nothing was written".to_owned(),
        Some(candidate) => end(signals, candidate, signal).await,
    };
    let why = format!("cancelled by {signal}, {what}");
    let code = Code::Aborted;
    Err(Stop { code, why })
}

/// Returns what came of it, as the end of a sentence.
async fn end(signals: &mut Signals, candidate: &Candidate, signal: &str) -> String {
    let run = &candidate.run;
    let ending = timeout(ABORT_WITHIN, abort_if_known(candidate, signal));
    let unclear = tokio::select! {
        biased;
        again = signals.next() => format!("got {again}"),
        ended = ending => match ended {
            Ok(Ok(true)) => return format!("and run {run}, which had begun, is aborted"),
            Ok(Ok(false)) => return "before anything was begun".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        },
    };
    warn!(
        "if run {run} had begun, its runners may not have been told that it is aborted: {unclear}"
    );
    "before it was known whether anything had begun".to_owned()
}

/// Returns whether there was anything to abort.
async fn abort_if_known(
    Candidate { store, run }: &Candidate,
    signal: &str,
) -> Result<bool, StoreError> {
    let is_known = store.knows(run).await?;
    if is_known {
        let by = format!("tminus-scheduler (process {})", std::process::id());
        let why = format!("the scheduler was told to end by {signal}");
        store
            .write_abort(&Abort::new(run.clone(), &by, &why))
            .await?;
    }
    Ok(is_known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::future::pending;
    use std::sync::atomic::Ordering;

    use rendezvous::{DirectoryStore, Phase};
    use tempfile::TempDir;
    use tokio::time::Instant;

    use super::*;
    use crate::testing::faulty_store::{Faults, FaultyStore};
    use crate::testing::logged::Logged;
    use crate::testing::{a_report, run_id, seconds, stage};

    struct Bench {
        store: Arc<dyn Store>,
        faults: Arc<Faults>,
        _directory: TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let inner = DirectoryStore::open(directory.path()).unwrap();
            let (store, faults) = FaultyStore::around(Arc::new(inner));
            Self {
                store,
                faults,
                _directory: directory,
            }
        }

        async fn has_begun(self) -> Self {
            let report = a_report("r1", Phase::Armed);
            self.store.publish(&report).await.unwrap();
            self
        }

        /// What is told when a signal comes, while it is known which run it is or not yet.
        async fn told_to_end(&self, is_found: bool) -> String {
            let candidate = OnceCell::new();
            if is_found {
                let (store, run) = (Arc::clone(&self.store), run_id());
                let found = candidate.set(Candidate { store, run });
                assert!(found.is_ok());
            }
            let (sender, mut signals) = Signals::by_hand();
            sender.send("SIGTERM").unwrap();
            let doing = pending::<Result<(), Stop>>();
            let stop = unless_told_to_end(&mut signals, &candidate, doing).await;
            let Stop { code, why } = stop.unwrap_err();
            assert_eq!(code, Code::Aborted);
            why
        }

        /// What the run's runners are told, if it is aborted.
        async fn aborted_for(&self) -> Option<String> {
            self.faults.away.store(false, Ordering::SeqCst);
            let board = self.store.read(&stage()).await.unwrap();
            board.abort.unwrap().map(|abort| abort.why)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_an_earlier_scheduler_began_is_aborted() {
        let bench = Bench::new().has_begun().await;
        let told = bench.told_to_end(true).await;
        assert_eq!(
            told,
            "cancelled by SIGTERM, and run run-1, which had begun, is aborted"
        );
        let why = bench.aborted_for().await;
        assert_eq!(
            why.as_deref(),
            Some("the scheduler was told to end by SIGTERM")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_has_not_begun_is_left_alone() {
        let bench = Bench::new();
        let told = bench.told_to_end(true).await;
        assert_eq!(told, "cancelled by SIGTERM, before anything was begun");
        assert_eq!(bench.aborted_for().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn before_it_is_known_which_run_it_is_nothing_is_written_and_nothing_claimed() {
        let bench = Bench::new().has_begun().await;
        let told = bench.told_to_end(false).await;
        assert!(told.ends_with("nothing was written"), "{told}");
        assert_eq!(bench.aborted_for().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_or_does_not_answer_leaves_it_open() {
        for is_silent in [false, true] {
            let bench = Bench::new().has_begun().await;
            bench.faults.away.store(!is_silent, Ordering::SeqCst);
            bench.faults.silent.store(is_silent, Ordering::SeqCst);
            let (began, logged) = (Instant::now(), Logged::here());
            let told = bench.told_to_end(true).await;
            assert!(told.ends_with("whether anything had begun"), "{told}");
            logged.assert_has(
                "if run run-1 had begun, its runners may not have been told that it is aborted: ",
            );
            logged.assert_has(if is_silent {
                "the store does not answer"
            } else {
                "no route to host"
            });
            assert!(began.elapsed() < seconds(4));
        }
    }
}
