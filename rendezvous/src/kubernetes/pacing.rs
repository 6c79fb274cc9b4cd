//! How often a runner speaks to the API server, and what that depends on.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::pace::{self, Crowd, some_jitter};
use crate::plan::Plan;
use crate::store::Board;

/// How many watches a second all runners together begin, at most: few beside their polls
/// and reports (see [`pace`]).
const WATCHES_PER_SECOND: u32 = 10;
/// For how long a runner watches where there are few of them: about as long as two polls, so
/// that a lost connection is noticed after one or two of them.
const SHORTEST_WATCH: Duration = Duration::from_secs(20);
/// The longest watch while no plan has come, for what that saves: see [`Crowd::Untold`].
const LONGEST_WATCH_UNTOLD: Duration = Duration::from_secs(240);

/// What the parts of a store know together of how often they may ask.
#[derive(Debug)]
pub struct Pacing {
    began: Instant,
    /// How many runners the last plan that was read wants, 1 to [`Plan::MOST_RUNNERS`]; 0 before there was one.
    wanted: AtomicU32,
    /// Whether changes are heard of without asking, as far as is known.
    is_watched: AtomicBool,
    hurry: Notify,
}

impl Pacing {
    /// That of a store in which nothing has been read yet.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            wanted: AtomicU32::new(0),
            is_watched: AtomicBool::new(false),
            hurry: Notify::new(),
        }
    }

    /// A board was read.
    pub fn note(&self, board: &Board) {
        if let Ok(Some(Plan { runners_wanted, .. })) = &board.plan {
            self.wanted.store(*runners_wanted, Ordering::Relaxed);
        }
    }

    /// Whether a watch is up.
    pub fn watches(&self, is_watched: bool) {
        self.is_watched.store(is_watched, Ordering::Relaxed);
    }

    /// The next poll is due now.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// A report was written. While no plan has come, a poll goes with it: whoever sees a sign of life of a runner then
    /// may count on it that a plan that stood there is known to it, however rarely it polls.
    pub fn renewed(&self) {
        if matches!(self.crowd(), Crowd::Untold(_)) {
            self.hurry();
        }
    }

    /// How often a report is renewed.
    pub fn renews_every(&self) -> Duration {
        self.crowd().renews_every()
    }

    /// Until the next poll, if all is well.
    pub fn poll_pause(&self) -> Duration {
        some_jitter(match self.crowd() {
            // Without a watch there is nothing else to hear of a plan by.
            Crowd::Untold(_) if !self.is_watched.load(Ordering::Relaxed) => pace::poll_every(1),
            crowd => crowd.polls_every(),
        })
    }

    /// Returns after a pause, or when there is reason to hurry.
    pub async fn pause(&self, pause: Duration) {
        let _ = timeout(pause, self.hurry.notified()).await;
    }

    /// For how long a watch is asked for, some more or less of it, so that the watches of runners
    /// that began together do not all end together.
    pub fn watch_for(&self) -> Duration {
        some_jitter(match self.crowd() {
            Crowd::Wanted(runners) => {
                SHORTEST_WATCH.max(Duration::from_secs(1) * runners / WATCHES_PER_SECOND)
            }
            Crowd::Untold(waited) => waited.clamp(SHORTEST_WATCH, LONGEST_WATCH_UNTOLD),
        })
    }

    fn crowd(&self) -> Crowd {
        match self.wanted.load(Ordering::Relaxed) {
            0 => Crowd::Untold(self.began.elapsed()),
            wanted => Crowd::Wanted(wanted),
        }
    }
}
