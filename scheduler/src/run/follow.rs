//! Following a start through once its instant is set.

mod stopping;

use std::collections::BTreeSet;
use std::time::Duration;

use rendezvous::{Abort, Board, Phase, Plan, PlanState, RunnerId};
use tokio::time::Instant;
use tracing::{info, warn};

use super::scene::{Happening, Scene};
use super::settings::{Settings, Unarmed};
use crate::decide::claim::{Claim, claim};
use crate::decide::ending::Ending;
use crate::decide::fresh;
use crate::decide::sources::{Clock, Sources};
use crate::decide::started::{
    CLOCKS_TOLD_WITHIN, Expected, SETTLES_WITHIN, SHORTLY_BEFORE, a_clock_is_open, has_armed,
    is_over, is_settled, lost, unarmed, was_witnessed,
};
use crate::decide::timebase::Reading;
use crate::decide::words::runners;
use crate::show::progress::Progress;
use crate::show::view::{self, View};
use crate::trouble::Trouble;
use stopping::Stopping;

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
    /// What the runners said of the time when the start had come to its end, well or not.
    settled: Option<Reading>,
    aborted: Option<Abort>,
    /// That the run is being ended for what happened to a runner.
    stopping: Option<Stopping>,
    /// Those that are taken for lost.
    lost: BTreeSet<RunnerId>,
    /// Whether the store was asked for an abort that had not been seen yet.
    asked: bool,
    warned: bool,
    /// Whether it was looked who is not armed shortly before the instant.
    mustered: bool,
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
        settled: None,
        aborted: None,
        stopping: None,
        lost: BTreeSet::new(),
        asked: false,
        warned: false,
        mustered: false,
    };
    following.announce();
    loop {
        let now = Instant::now();
        following.tell_who_is_lost(now);
        if let Some(ending) = following.stop_if_it_is_to_be(now).await {
            return ending;
        }
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
        if let Some(ending) = following.look_who_is_armed(now) {
            return ending;
        }
        progress.show(&following.view(now), now);
        let happening = following.scene.next(following.wake_at(now)).await;
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
        let roster = self.scene.roster();
        let expected = roster.iter().filter_map(|(runner, observed)| {
            let report = observed.report.as_ref()?;
            let is_expected = self.expected.names(runner);
            is_expected.then(|| Clock::of(report))
        });
        if let Some(warning) = Sources::of(&expected.collect::<Vec<_>>()).warning() {
            warn!("{warning}");
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
        if self.settled.is_none() && self.has_settled(now) {
            // Also those that have ended since: what they said when they started is what matters.
            let plan = &self.plan.id;
            let time = self.scene.read_time_of(now, |one| has_armed(one, plan));
            self.settled = Some(time);
        }
        let over = is_over(self.scene.roster(), &self.scene.sight(now));
        let done = over || !self.settings.to_the_end() && self.is_vouched_for(now);
        match self
            .aborted
            .take_if(|_| over || !self.settings.to_the_end())
        {
            Some(abort) => Some(Ending::Aborted {
                abort,
                plan: Some(self.plan.clone()),
            }),
            None => Some(self.followed(self.settled.clone().filter(|_| done)?)),
        }
    }

    /// It was followed through.
    fn followed(&self, time: Reading) -> Ending {
        let (plan, expected) = (self.plan.clone(), self.expected.clone());
        match &self.stopping {
            Some(stopping) => Ending::Stopped {
                plan,
                expected,
                time,
                cause: stopping.cause.clone(),
            },
            None => Ending::Followed {
                plan,
                expected,
                time,
            },
        }
    }

    /// Whether the start has come to its end, well or not.
    fn has_settled(&self, now: Instant) -> bool {
        let (roster, plan) = (self.scene.roster(), &self.plan.id);
        let clocks_told_by = self.instant.unwrap_or(self.began) + CLOCKS_TOLD_WITHIN;
        self.settles_by(now).is_some_and(|by| now >= by)
            || self.knows_all(now)
                && is_settled(roster, &self.expected, plan)
                && (now >= clocks_told_by || !a_clock_is_open(roster, plan))
    }

    /// When there is something to do even if nothing comes in.
    fn wake_at(&self, now: Instant) -> Instant {
        let shortly_before = self.shortly_before().filter(|at| *at > now);
        let look_again = now + LOOK_AGAIN;
        shortly_before.map_or(look_again, |at| at.min(look_again))
    }

    /// When all runners should be armed; never before half of the time is over that they had.
    fn shortly_before(&self) -> Option<Instant> {
        let instant = self.instant?;
        let lead = instant.saturating_duration_since(self.began);
        Some(instant - SHORTLY_BEFORE.min(lead / 2))
    }

    /// Looks once, shortly before the instant, who is not armed.
    fn look_who_is_armed(&mut self, now: Instant) -> Option<Ending> {
        let is_time = self.shortly_before().is_some_and(|at| now >= at);
        if self.mustered || !is_time || self.instant.is_none_or(|instant| now >= instant) {
            return None;
        }
        self.mustered = true;
        let roster = self.scene.roster();
        let who = match unarmed(roster, &self.expected, &self.plan.id).as_slice() {
            [] => return None,
            names => format!("{} not yet", crate::decide::words::few(names)),
        };
        if self.settings.unarmed == Unarmed::Abort {
            let plan = self.plan.clone();
            return Some(Ending::Unarmed { plan, who });
        }
        warn!("not all are armed shortly before the instant: {who}; the others start");
        None
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
            || now >= self.began + fresh(self.plan.runners_wanted)
    }

    /// When the start has to show what came of it. While it is not known what time it
    /// is, that is reckoned from when a living runner has to have said so. `None`: not as long as the store is away, for
    /// runners that are armed start without it.
    fn settles_by(&self, now: Instant) -> Option<Instant> {
        let clear_since = self.scene.sight(now).clear_since?;
        let reckoned = self.began + fresh(self.plan.runners_wanted);
        let instant = self.instant.unwrap_or(reckoned);
        Some(instant.max(self.began).max(clear_since) + SETTLES_WITHIN)
    }

    fn tell_who_is_lost(&mut self, now: Instant) {
        let sight = self.scene.sight(now);
        for (runner, observed) in self.scene.roster().iter() {
            match lost(observed, &sight) {
                Some(silent) if self.lost.insert(runner.clone()) => {
                    let (name, silent) = (self.scene.roster().name(runner), silent.as_secs());
                    warn!("{name} has been silent for {silent} s and is taken for lost");
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
        if self.settled.is_some() {
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
                // Runners that have started need the store no more.
                let has_started = self.instant.is_some_and(|at| Instant::now() >= at);
                let plan = self.plan.clone();
                return Some(if has_started {
                    Ending::LostSight { trouble, plan }
                } else {
                    Ending::Broken {
                        trouble,
                        plan: Some(plan),
                    }
                });
            }
            Happening::Runner | Happening::Time => {}
        }
        None
    }

    /// Runners that are armed need the plan no more, so all that matters is an abort.
    fn read(&mut self, board: &Board) {
        let (run, stage) = (&self.settings.run, &self.settings.stage);
        match claim(&board.plan, &board.abort, run, stage) {
            Claim::Aborted(abort) if self.is_own(&abort) => {}
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
