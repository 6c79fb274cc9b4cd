//! Changing the ConfigMap that others change as well.

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use tokio::time::{sleep, timeout};

use super::Owner;
use super::calls::{Calls, Refusal};
use super::edit::{self, Entry, Standing};
use crate::store::StoreError;

/// The most that a change may take, with all that it has to repeat: a read and a write that
/// each take their longest, and half as much again. Two schedulers and somebody who edits
/// labels are through in well under a second.
const LONGEST_CHANGE: Duration = Duration::from_secs(15);
/// Up to the second attempt, at random: a single change by others costs nothing to speak of.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// However often others were faster: so many writers at a time get out of each other's way,
/// and there are still enough attempts in [`LONGEST_CHANGE`].
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pauses of one who is not alone: random, and longer each time.
#[derive(Debug, Default)]
pub struct Pauses {
    so_far: u32,
}

impl Pauses {
    /// Waits a moment.
    pub async fn pause(&mut self) {
        let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.pow(self.so_far.min(8)));
        self.so_far += 1;
        sleep(longest.mul_f64(rand::random_range(0.1..=1.0))).await;
    }
}

/// A change within [`LONGEST_CHANGE`]; `late` says what is wrong if it takes longer.
pub async fn in_time<T>(
    change: impl Future<Output = Result<T, StoreError>>,
    late: impl FnOnce() -> StoreError,
) -> Result<T, StoreError> {
    match timeout(LONGEST_CHANGE, change).await {
        Ok(changed) => changed,
        Err(_) => Err(late()),
    }
}

/// What to do about an object under the run's name that belongs to another Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfAnotherJob {
    /// It is deleted, and one of our own made: its Job is gone or about to go and takes it along.
    Replace,
    /// It is left alone: it may be the next Job's, whose plan would be lost with it.
    Leave,
}

/// Puts a document into a run's ConfigMap, if `may` says so of what is there; whether it did.
/// Everything else that stands in it is kept, and whoever changes it at the same time loses nothing.
pub async fn put(
    calls: &Calls,
    owner: Option<&Owner>,
    entry: &Entry,
    of_another_job: OfAnotherJob,
    may: impl Fn(Option<&ConfigMap>) -> bool,
) -> Result<bool, StoreError> {
    let failed = |detail: &str| StoreError::Unavailable {
        action: calls.attempt("update").to_string(),
        detail: detail.to_owned(),
    };
    let change = async {
        let mut pauses = Pauses::default();
        loop {
            let found = calls.config_map().await?;
            if !may(found.as_ref()) {
                return Ok(false);
            }
            let new = || edit::with_only(entry.clone(), calls.place(), owner);
            let written = match found {
                None => calls.create_config_map(&new()).await.map(|()| true),
                Some(object) => match Standing::of(&object, owner) {
                    Standing::Ours => {
                        let object = edit::with(object, entry.clone(), owner);
                        calls.update_config_map(&object).await.map(|()| true)
                    }
                    Standing::AnotherJobs if of_another_job == OfAnotherJob::Leave => {
                        return Err(failed(
                            "it belongs to another Job of the name, which this is none of. Once that is gone, try again",
                        ));
                    }
                    // Deleted in the very state that was read, so nobody wrote in between.
                    Standing::AnotherJobs => match calls.delete_config_map(&object).await {
                        Ok(()) => calls.create_config_map(&new()).await.map(|()| true),
                        Err(refusal) => Err(refusal),
                    },
                    Standing::Going => Ok(false),
                    Standing::Foreign => {
                        return Err(failed(
                            "it is there already and is not tminus' own. Delete or rename it, or \
                             give the Job another name",
                        ));
                    }
                },
            };
            match written {
                Ok(true) => return Ok(true),
                Ok(false) | Err(Refusal::Changed) => pauses.pause().await,
                Err(Refusal::Failed(error)) => return Err(error),
            }
        }
    };
    let late = || {
        failed(
            "it is changed or held by others all the time: has it a finalizer, or does a program write to it in a loop?",
        )
    };
    in_time(change, late).await
}
