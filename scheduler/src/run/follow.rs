//! Following a start through once its instant is set.

use std::collections::BTreeSet;
use std::time::Duration;

use rendezvous::{Abort, Board, Phase, Plan, PlanState, RunnerId};
use tokio::time::Instant;
use tracing::{info, warn};

use super::scene::{Happening, Scene};
use super::settings::Settings;
use crate::decide::FRESH;
use crate::decide::claim::{Claim, claim};
use crate::decide::ending::Ending;
use crate::decide::started::{Expected, SETTLES_WITHIN, is_over, is_settled, lost, was_witnessed};
use crate::decide::words::runners;
use crate::show::progress::Progress;
use crate::show::view::{self, View};
use crate::trouble::Trouble;

/// How often everything is looked at again when nothing comes in: a countdown is in
/// seconds.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long it may take until a new watch has told all reports that lie there: they
/// come one after another without a pause.
const ALL_TOLD: Duration = Duration::from_secs(2);

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
    /// Those that are taken for lost.
    lost: BTreeSet<RunnerId>,
    /// Whether the store was asked for an abort that had not been seen yet.
    asked: bool,
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
        lost: BTreeSet::new(),
        asked: false,
        warned: false,
    };
    following.announce();
    loop {
        let now = Instant::now();
        following.tell_who_is_lost(now);
        if let Some(ending) = following.look(now) {
            if !following.has_to_ask() {
                return ending;
            }
            let happening = following.scene.read().await;
            if let Some(ending) = following.take_in(happening) {
                return ending;
            }
            continue;
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
            info!("start set for {instant} with {}", runners(quorum as usize));
        }
    }

    /// Whether it is clear what came of it.
    fn look(&mut self, now: Instant) -> Option<Ending> {
        if let (Some(clock), Some(start_at)) =
            (self.scene.read_time(now).clock, self.plan.start_at())
        {
            let left = clock.until(start_at, now);
            if left.to_std().is_ok_and(|left| left > Plan::LONGEST_WAIT) {
                let plan = Some(self.plan.clone());
                let trouble = Trouble::TooFar(start_at);
                return Some(Ending::Broken { trouble, plan });
            }
            let past = left <= chrono::TimeDelta::zero();
            if !past || self.instant.is_none() {
                self.instant = Some(clock.moment(start_at, now));
            }
        }
        let roster = self.scene.roster();
        self.settled = self.settled
            || now >= self.settles_by()
            || self.knows_all(now) && is_settled(roster, &self.expected, &self.plan.id);
        let over = is_over(roster, &self.scene.sight(now));
        let done = self.settled && (over || !self.settings.wait && self.is_vouched_for(now));
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

    /// Whether all runners are known that there are. Who was counted here, is; where another
    /// scheduler counted, the reports that lie there have to be told first.
    fn knows_all(&self, now: Instant) -> bool {
        match self.expected {
            Expected::Runners(_) => true,
            Expected::Number(_) => now >= self.began + ALL_TOLD,
        }
    }

    /// Whether it is known that this is no start of old. A runner that lives shows it by its
    /// next renewal.
    fn is_vouched_for(&self, now: Instant) -> bool {
        matches!(self.expected, Expected::Runners(_))
            || was_witnessed(self.scene.roster(), &self.plan.id)
            || now >= self.began + FRESH
    }

    /// When the start has to show what came of it. While it is not known what time it
    /// is, that is reckoned from when a living runner has to have said so.
    fn settles_by(&self) -> Instant {
        self.instant.unwrap_or(self.began + FRESH).max(self.began) + SETTLES_WITHIN
    }

    fn tell_who_is_lost(&mut self, now: Instant) {
        let sight = self.scene.sight(now);
        for (runner, observed) in self.scene.roster().iter() {
            match lost(observed, &sight) {
                Some(silent) if self.lost.insert(runner.clone()) => {
                    let silent = silent.as_secs();
                    warn!("{runner} has been silent for {silent} s and is taken for lost");
                }
                Some(_) => {}
                None => {
                    self.lost.remove(runner);
                }
            }
        }
    }

    /// Runners that were aborted may be seen to have ended sooner than the abort.
    fn has_to_ask(&mut self) -> bool {
        let aborted = self.aborted.is_none()
            && self.scene.roster().iter().any(|(_, observed)| {
                let report = observed.report.as_ref();
                report.is_some_and(|report| report.phase == Phase::Aborted)
            });
        aborted && !std::mem::replace(&mut self.asked, true)
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
