//! Following a start through once its instant is set.

use std::time::Duration;

use rendezvous::{Abort, Board, Plan, PlanState};
use tokio::time::Instant;
use tracing::{info, warn};

use super::scene::{Happening, Scene};
use super::settings::Settings;
use crate::decide::FRESH;
use crate::decide::claim::{Claim, claim};
use crate::decide::ending::Ending;
use crate::decide::started::{Expected, SETTLES_WITHIN, is_over, is_settled};
use crate::show::progress::Progress;
use crate::show::view::{self, View};

/// How often everything is looked at again when nothing comes in: a countdown is in
/// seconds.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

struct Following<'a> {
    scene: &'a mut Scene,
    settings: &'a Settings,
    plan: Plan,
    expected: Expected,
    began: Instant,
    /// When the instant is, by this process's clock; as good as is known.
    instant: Option<Instant>,
    /// Whether the start has come to its end, well or not.
    settled: bool,
    aborted: Option<Abort>,
    warned: bool,
}

/// Follows a start until it is clear what came of it; if so wanted, until all runners
/// have ended.
pub async fn follow(
    scene: &mut Scene,
    settings: &Settings,
    progress: &mut Progress,
    plan: Plan,
    expected: Expected,
) -> Ending {
    let mut following = Following {
        scene,
        settings,
        plan,
        expected,
        began: Instant::now(),
        instant: None,
        settled: false,
        aborted: None,
        warned: false,
    };
    following.announce();
    loop {
        let now = Instant::now();
        if let Some(ending) = following.look(now) {
            return ending;
        }
        progress.show(&following.view(now), now);
        let happening = following.scene.next(now + LOOK_AGAIN).await;
        if let Some(ending) = following.take_in(happening) {
            return ending;
        }
    }
}

impl Following<'_> {
    fn announce(&self) {
        if let PlanState::Set { start_at, quorum } = self.plan.state {
            let instant = crate::show::time(start_at);
            info!("start set for {instant} with {quorum} runners");
        }
    }

    /// Whether it is clear what came of it.
    fn look(&mut self, now: Instant) -> Option<Ending> {
        if let (Some(clock), Some(start_at)) =
            (self.scene.read_time(now).clock, self.plan.start_at())
        {
            let past = clock.until(start_at, now) <= chrono::TimeDelta::zero();
            if !past || self.instant.is_none() {
                self.instant = Some(clock.moment(start_at, now));
            }
        }
        let roster = self.scene.roster();
        self.settled = self.settled
            || now >= self.settles_by()
            || is_settled(roster, &self.expected, &self.plan.id);
        let over = is_over(roster, &self.scene.sight(now));
        let done = self.settled && (!self.settings.wait || over);
        match self.aborted.take_if(|_| over || !self.settings.wait) {
            Some(abort) => Some(Ending::Aborted {
                abort,
                plan: Some(self.plan.clone()),
            }),
            None if done => Some(Ending::Followed {
                plan: self.plan.clone(),
                expected: self.expected.clone(),
            }),
            None => None,
        }
    }

    /// When the start has to show what came of it. While it is not known what time it
    /// is, that is reckoned from when a living runner has to have said so.
    fn settles_by(&self) -> Instant {
        self.instant.unwrap_or(self.began + FRESH).max(self.began) + SETTLES_WITHIN
    }

    fn view(&self, now: Instant) -> View {
        let expected = match &self.expected {
            Expected::Runners(runners) => runners.len(),
            Expected::Number(number) => *number as usize,
        };
        let roster = self.scene.roster();
        let left = self.instant.map(|at| at.saturating_duration_since(now));
        if self.settled {
            view::running(roster)
        } else if left.is_none_or(|left| !left.is_zero()) {
            view::counting_down(roster, &self.plan.id, expected, left)
        } else {
            view::settling(roster, &self.plan.id, expected)
        }
    }

    fn take_in(&mut self, happening: Happening) -> Option<Ending> {
        let plan = || Some(self.plan.clone());
        match happening {
            Happening::Board(board) => self.read(&board),
            Happening::Cancelled(signal) => {
                let plan = plan();
                return Some(Ending::Cancelled { signal, plan });
            }
            Happening::Trouble(trouble) => {
                let plan = plan();
                return Some(Ending::Broken { trouble, plan });
            }
            Happening::Runner | Happening::Time => {}
        }
        None
    }

    /// Runners that are armed need the plan no more, so all that matters is an abort.
    fn read(&mut self, board: &Board) {
        let (run, stage) = (&self.settings.run, &self.settings.stage);
        match claim(&board.plan, &board.abort, run, stage) {
            Claim::Aborted(abort) if self.aborted.is_none() => {
                info!("the run was aborted by {}: {}", abort.by, abort.why);
                self.aborted = Some(abort);
            }
            Claim::Aborted(_) => {}
            Claim::Follow(plan) if plan.start_at() == self.plan.start_at() => {}
            Claim::Unreadable(error) => self.warn(&error.to_string()),
            _ => self.warn("the plan was changed or removed after its instant was set"),
        }
    }

    fn warn(&mut self, what: &str) {
        if !self.warned {
            warn!("{what}; runners that are armed start all the same");
            self.warned = true;
        }
    }
}
