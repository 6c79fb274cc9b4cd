//! The mark in the file of the place that a runner holds in a directory: written through the file that the process has
//! open, so that it stands there even while the directory is away or nothing new can be made in it.

use std::io;
use std::sync::Arc;

use rendezvous::{Hold, RunId};
use serde::{Deserialize, Serialize};

use crate::decide::mark::Mark;

/// The place of a runner. Its file stays from run to run.
#[derive(Debug)]
pub struct HeldMark {
    place: Arc<Hold>,
    run: RunId,
}

/// What stands there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    run: RunId,
    mark: Mark,
}

impl HeldMark {
    /// The mark of this run's runner in its place.
    pub fn new(place: Arc<Hold>, run: RunId) -> Self {
        Self { place, run }
    }

    /// What an earlier process of the runner left; nothing, where it was of another run.
    pub fn read(&self) -> io::Result<Option<Mark>> {
        let text = self.place.read()?;
        if text.is_empty() {
            return Ok(None);
        }
        let note: Note = serde_json::from_str(&text)?;
        Ok((note.run == self.run).then_some(note.mark))
    }

    /// Leaves a mark in place of what stands there.
    pub fn leave(&self, mark: &Mark) -> io::Result<()> {
        let note = Note {
            run: self.run.clone(),
            mark: mark.clone(),
        };
        self.place.write(&serde_json::to_string(&note)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rendezvous::{DirectoryStore, LatePolicy, PlanId, Store};

    #[tokio::test]
    async fn what_is_left_is_found_by_the_next_process_of_the_run_and_by_no_other_run() {
        let folder = std::env::temp_dir().join(format!("tminus-held-{}", std::process::id()));
        let store = DirectoryStore::open(&folder).unwrap();
        let (stage, runner) = ("main".parse().unwrap(), "a".parse().unwrap());
        let hold = async || {
            let place = store.hold(&stage, &runner).await.unwrap();
            Arc::new(place.expect("nobody else has it"))
        };
        let run = |name: &str| RunId::new(name).unwrap();
        let mark = Mark {
            plan: PlanId::new("plan-1").unwrap(),
            start_at: "2026-06-01T12:00:00Z".parse().unwrap(),
            late: LatePolicy::Refuse,
            fired: true,
        };
        let first = HeldMark::new(hold().await, run("r1"));
        assert_eq!(first.read().unwrap(), None);
        first.leave(&mark).unwrap();
        drop(first);
        let place = hold().await;
        let next = HeldMark::new(Arc::clone(&place), run("r1"));
        assert_eq!(next.read().unwrap(), Some(mark));
        let other = HeldMark::new(Arc::clone(&place), run("r2"));
        assert_eq!(other.read().unwrap(), None);
        place.write("{").unwrap();
        next.read().unwrap_err();
        std::fs::remove_dir_all(folder).unwrap();
    }
}
