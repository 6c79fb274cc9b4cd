//! Work on files, kept from holding up the runtime and bounded in time.

use std::panic::resume_unwind;
use std::path::Path;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use super::draft::Draft;
use super::layout::{Layout, draft_of, shown};
use crate::store::StoreError;

/// How long the file system may take for a few small files. A healthy one takes
/// microseconds; a disk that spins up, some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long another process may hold a document. It does for some 100 µs, unless
/// it was stopped in between: then this is time to continue it, and little enough
/// for a caller that has a deadline.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait between two tries of a lock: many times what a holder needs.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// How long a process that was killed may take to give its locks up: the kernel frees
/// its memory first, which takes some 100 ms for one of a gigabyte.
const DYING: Duration = Duration::from_secs(2);

/// How often a watch looks. A change is seen after 50 ms in the mean, far below any
/// lead time, and a watch with a handful of files takes some 0.2 % of one processor
/// (measured). Notifications of the kernel would be sooner, but they end with the
/// directory that they were asked for, so that one would have to look as well.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Does a piece of work.
pub async fn run<T: Send + 'static>(
    store: &Layout,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    Worker::new(store).run(work).await
}

/// Does a piece of work on the document at `target` that no other writer of it
/// may come between. It is begun again with each try of the lock, and done once.
pub async fn alone<T: Send + 'static>(
    store: &Layout,
    target: &Path,
    work: impl FnOnce(Draft) -> Result<T, StoreError> + Clone + Send + 'static,
) -> Result<T, StoreError> {
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        let (work, its_target) = (work.clone(), target.to_owned());
        let done = run(store, move || {
            Draft::claim(&its_target)?.map(work).transpose()
        });
        if let Some(answer) = done.await?? {
            return Ok(answer);
        }
        if Instant::now() >= give_up {
            return Err(StoreError::Unavailable {
                action: format!("write {}", shown(target)),
                detail: format!(
                    "another process has held {} for {} s; continue or end it if it is stopped",
                    shown(&draft_of(target)),
                    LOCK_PATIENCE.as_secs()
                ),
            });
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// Tries to get something that another process may just be giving up; `None` if that
/// process goes on having it.
pub async fn locked<T: Send + 'static>(
    store: &Layout,
    attempt: impl FnOnce() -> Result<Option<T>, StoreError> + Clone + Send + 'static,
) -> Result<Option<T>, StoreError> {
    let give_up = Instant::now() + DYING;
    loop {
        let got = run(store, attempt.clone()).await??;
        if got.is_some() || Instant::now() >= give_up {
            return Ok(got);
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// Does one piece of work at a time: where the file system hangs, one thread
/// hangs with it and no more.
#[derive(Debug)]
pub struct Worker<T> {
    store: String,
    busy: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> Worker<T> {
    /// For work on a store, which its errors name.
    pub fn new(store: &Layout) -> Self {
        Self {
            store: shown(store.root()),
            busy: None,
        }
    }

    /// Does a piece of work, once an earlier one that took too long has ended: its
    /// answer is out of date.
    pub async fn run(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(earlier) = self.busy.take() {
            self.finish(earlier).await?;
        }
        self.finish(spawn_blocking(work)).await
    }

    async fn finish(&mut self, mut work: JoinHandle<T>) -> Result<T, StoreError> {
        let detail = match timeout(PATIENCE, &mut work).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(unfinished)) => match unfinished.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => "this program is ending".to_owned(),
            },
            Err(_) => {
                self.busy = Some(work);
                let seconds = PATIENCE.as_secs();
                format!("its file system has not answered for {seconds} s")
            }
        };
        Err(StoreError::Unavailable {
            action: format!("use the store in {}", self.store),
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use futures_util::FutureExt;
    use tokio::runtime::Runtime;

    use super::*;

    #[test]
    fn work_that_comes_when_the_program_ends_is_not_begun() {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let _within = handle.enter();
        let layout = Layout::new("/the/store".into());
        let work = run(&layout, || unreachable!("there is no thread any more"));
        let refused: Result<(), _> = work.now_or_never().expect("nothing is waited for");
        assert_eq!(
            refused.unwrap_err().to_string(),
            "cannot use the store in /the/store: this program is ending"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_system_that_hangs_is_told_in_time_and_holds_one_thread() {
        let layout = Layout::new("/the/store".into());
        let mut worker = Worker::new(&layout);
        let (go_on, hang) = mpsc::channel::<()>();
        let begun = Instant::now();
        // Time stands still while work is under way, unless it is moved on.
        let clock = tokio::spawn(async {
            loop {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        });
        let hung = worker.run(move || {
            let _ = hang.recv();
            "too late"
        });
        let error = hung.await.unwrap_err().to_string();
        let words = "cannot use the store in /the/store: its file system has not answered for 10 s";
        assert_eq!(error, words);
        assert!(begun.elapsed() < 2 * PATIENCE);

        let error = worker.run(|| unreachable!("the thread is taken")).await;
        assert!(matches!(error, Err(StoreError::Unavailable { .. })));

        clock.abort();
        go_on.send(()).unwrap();
        assert_eq!(worker.run(|| "anew").await, Ok("anew"));
    }
}
