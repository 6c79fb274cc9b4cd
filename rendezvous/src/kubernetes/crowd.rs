//! How many runners share the API server, as far as the plan has said so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::plan::Plan;
use crate::store::Board;

/// The number of runners wanted, known to all parts of a store. One, until a plan was read.
#[derive(Debug, Clone)]
pub struct Crowd(Arc<AtomicU32>);

impl Default for Crowd {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(1)))
    }
}

impl Crowd {
    /// How many runners the last plan that was read wants, 1 to [`Plan::MOST_RUNNERS`].
    pub fn runners_wanted(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// A board was read.
    pub fn note(&self, board: &Board) {
        if let Ok(Some(Plan { runners_wanted, .. })) = &board.plan {
            self.0.store(*runners_wanted, Ordering::Relaxed);
        }
    }
}
