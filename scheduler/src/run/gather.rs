//! Gathering a quorum and setting the instant.

mod writing;

use std::time::Duration;

use rendezvous::{Board, Plan, PlanId, PlanState, Revision, RunnerId, Terms};
use tokio::time::Instant;
use tracing::{info, warn};

use super::scene::{Happening, Scene};
use super::settings::Settings;
use crate::decide::claim::{Claim, claim};
use crate::decide::ending::Ending;
use crate::decide::impossible;
use crate::decide::instant::fits;
use crate::decide::job::Prospect;
use crate::decide::muster::{Aim, Muster, muster};
use crate::decide::quorum::{Moments, Tally, Verdict, decide};
use crate::decide::started::Expected;
use crate::decide::timebase::{AgreedClock, Reading};
use crate::show::progress::Progress;
use crate::show::view::Outlook;
use crate::show::{terms, view};
use crate::trouble::Trouble;

/// How often everything is looked at again when nothing comes in: freshness and
/// progress are in seconds.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long the last words are waited for of what ended a wait: they are written at the same time, and
/// a watch delivers them within a fraction of a second.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What came of gathering.
#[derive(Debug)]
pub enum Gathered {
    /// The instant is set.
    Set {
        /// The plan that stands.
        plan: Plan,
        /// For whom it was set.
        expected: Expected,
    },
    /// There will be no instant from here.
    Ended(Ending),
}

/// What stays the same in a plan from its first writing on, whichever scheduler of the run
/// writes it: the terms of the plan that stands are the run's, so that two schedulers do
/// not rewrite each other's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Draft {
    id: PlanId,
    wanted: u32,
    terms: Terms,
}

struct Gathering<'a> {
    scene: &'a mut Scene,
    settings: &'a Settings,
    deadline: Instant,
    /// What is written: ours, until another scheduler's plan of this run is found.
    draft: Draft,
    /// Whether a plan of this run has been seen to stand.
    stands: bool,
    /// What stands in the store, as far as is known; `None` before it was read.
    revision: Option<Revision>,
    /// When the time left is to be written.
    write_at: Instant,
    minimum_since: Option<Instant>,
    at_odds_since: Option<Instant>,
    /// Since when the quorum cannot come, by what the run's Job says.
    hopeless_since: Option<Instant>,
    /// An instant that may stand although the store did not say so, for whom, and what time it was.
    tried: Option<(Plan, Vec<RunnerId>, AgreedClock)>,
}

/// Gathers until there is a quorum and sets the instant; or until there can be none.
pub async fn gather(scene: &mut Scene, settings: &Settings, progress: &mut Progress) -> Gathered {
    let now = Instant::now();
    let mut gathering = Gathering {
        scene,
        settings,
        deadline: now + settings.max_wait,
        draft: Draft {
            id: PlanId::random(),
            wanted: settings.need.wanted,
            terms: settings.terms,
        },
        stands: false,
        revision: None,
        write_at: now,
        minimum_since: None,
        at_odds_since: None,
        hopeless_since: None,
        tried: None,
    };
    let mut happening = gathering.scene.next(gathering.wake_at()).await;
    loop {
        if let Some(gathered) = gathering.step(happening, progress).await {
            return gathered;
        }
        happening = gathering.scene.next(gathering.wake_at()).await;
    }
}

impl Gathering<'_> {
    async fn step(&mut self, happening: Happening, progress: &mut Progress) -> Option<Gathered> {
        match happening {
            Happening::Board(board) => {
                if let Some(gathered) = self.look(*board).await {
                    return Some(gathered);
                }
            }
            Happening::Trouble(trouble) => return Some(broken(trouble)),
            Happening::Cancelled(signal) => {
                return Some(Gathered::Ended(Ending::Cancelled { signal, plan: None }));
            }
            Happening::Runner | Happening::Time => {}
        }
        // Before anything was read, it is not known whether an instant is set.
        self.revision.as_ref()?;
        if Instant::now() >= self.write_at
            && !self.job_is_over()
            && let Some(gathered) = self.tell_time_left().await
        {
            return Some(gathered);
        }
        self.consider(progress).await
    }

    /// When there is something to do even if nothing comes in.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let look_again = now + LOOK_AGAIN;
        if self.revision.is_none() {
            return look_again;
        }
        let grace_over = self
            .minimum_since
            .map(|since| since + self.settings.need.grace_period);
        // For a Job that is over nothing is written, and what is due stays due.
        let write_at = (!self.job_is_over()).then_some(self.write_at);
        let soonest = write_at.map_or(look_again, |at| at.min(look_again));
        let coming = [Some(self.deadline), grace_over];
        let coming = coming.into_iter().flatten().filter(|at| *at > now);
        coming.fold(soonest, Instant::min)
    }

    /// Takes in what stands in the store.
    async fn look(&mut self, board: Board) -> Option<Gathered> {
        let (run, stage) = (&self.settings.run, &self.settings.stage);
        let mut claimed = claim(&board.plan, &board.abort, run, stage);
        self.revision = Some(board.revision);
        if self.stands && matches!(claimed, Claim::Replace(_) | Claim::Take) {
            // A watch may still tell what stood there before the plan did.
            if let Happening::Board(board) = self.scene.read().await {
                claimed = claim(&board.plan, &board.abort, run, stage);
                self.revision = Some(board.revision);
            }
        }
        match claimed {
            Claim::Aborted(abort) => {
                return Some(Gathered::Ended(Ending::Aborted { abort, plan: None }));
            }
            Claim::Unreadable(error) => return Some(broken(Trouble::Unreadable(error))),
            Claim::Follow(plan) => return Some(self.follow(plan)),
            Claim::Adopt(plan) => self.adopt(&plan),
            // The plan goes with the Job, and its place may be the next one's.
            Claim::Replace(_) | Claim::Take if self.job_is_over() => {}
            Claim::Replace(other) if self.stands => {
                return Some(broken(Trouble::TakenOver(other)));
            }
            Claim::Replace(other) => {
                info!("replacing the plan that run {other} left");
                self.write_at = Instant::now();
            }
            // If its Job was deleted, that will be known in a moment.
            Claim::Take if self.stands => {
                warn!("the plan was removed from the store; writing it again");
                self.write_at = Instant::now() + LOOK_AGAIN;
            }
            Claim::Take => self.write_at = Instant::now(),
        }
        None
    }

    fn adopt(&mut self, plan: &Plan) {
        if self.draft.id != plan.id {
            let id = &plan.id;
            info!("a scheduler gathers for this run already, or did; going on with its plan {id}");
        }
        self.take_over(plan);
        self.stands = true;
    }

    /// Makes the terms of a plan that stands this process's own.
    fn take_over(&mut self, plan: &Plan) {
        let theirs = Draft {
            id: plan.id.clone(),
            wanted: plan.runners_wanted,
            terms: plan.terms,
        };
        let ours = std::mem::replace(&mut self.draft, theirs);
        self.scene.expect_runners(plan.runners_wanted);
        if (ours.wanted, ours.terms) != (plan.runners_wanted, plan.terms) {
            warn!(
                "this run's plan is for {}, and this scheduler was told {}: the plan stands, \
                 and the start is judged by the greater number of runners",
                terms(plan.runners_wanted, &plan.terms),
                terms(ours.wanted, &ours.terms)
            );
        }
    }

    /// An instant of this run is set: by this process, unless somebody was quicker.
    fn follow(&mut self, plan: Plan) -> Gathered {
        let expected = match self.tried.take() {
            Some((tried, runners, clock)) if is_same(&tried, &plan) => {
                return self.stands(plan, runners, clock);
            }
            _ => {
                info!("another scheduler of this run has set the instant; following it");
                self.take_over(&plan);
                let quorum = match plan.state {
                    PlanState::Set { quorum, .. } => quorum,
                    PlanState::Gathering { .. } => plan.runners_wanted,
                };
                Expected::Number(quorum)
            }
        };
        Gathered::Set { plan, expected }
    }

    async fn consider(&mut self, progress: &mut Progress) -> Option<Gathered> {
        let now = Instant::now();
        let time = self.scene.read_time(now);
        let sight = self.scene.sight(now);
        let aim = Aim {
            plan: Some(&self.draft.id),
            max_clock_error: self.draft.terms.max_clock_error,
        };
        let muster = muster(self.scene.roster(), &time, aim, &sight);
        let tally = Tally::of(&muster, time.clock.is_some(), self.at_most());
        self.note(&muster, &time, now);
        let moments = Moments {
            now,
            deadline: self.deadline,
            minimum_since: self.minimum_since,
            at_odds_since: self.at_odds_since,
        };
        let left = self.deadline.saturating_duration_since(now);
        let need = &self.settings.need;
        let missing = view::missing(self.scene.roster(), &muster, need.wanted, &self.outlook());
        progress.show(&view::gathering(&muster, need.wanted, left, &missing), now);
        let verdict = if self.job_is_over() {
            Verdict::Impossible
        } else {
            decide(need, &tally, &moments)
        };
        if verdict != Verdict::Impossible {
            self.hopeless_since = None;
        }
        match verdict {
            Verdict::Go => self.set(muster.ready, &time, now).await,
            Verdict::Wait => self.is_too_late(now).map(Gathered::Ended),
            Verdict::Impossible if self.may_hear_why(now) => None,
            Verdict::Impossible => Some(self.give_up().await),
            Verdict::NoMajority => Some(Gathered::Ended(Ending::NoMajority)),
            Verdict::TimedOut => Some(Gathered::Ended(Ending::TimedOut {
                after: self.settings.max_wait,
                missing: format!("{}/{} ready{missing}", muster.ready.len(), need.wanted),
            })),
        }
    }

    fn note(&mut self, muster: &Muster, time: &Reading, now: Instant) {
        if muster.ready.len() >= self.settings.need.minimum as usize {
            self.minimum_since.get_or_insert(now);
        }
        if time.at_odds.is_empty() {
            self.at_odds_since = None;
        } else {
            self.at_odds_since.get_or_insert(now);
        }
    }

    /// An instant that is asked for may pass while runners are waited for. That is
    /// believed once as many say so as the start needs.
    fn is_too_late(&self, now: Instant) -> Option<Ending> {
        let time = self.scene.read_time_of_all(now);
        let clock = time.clock?;
        let enough = time.voters >= self.settings.need.minimum as usize;
        let least = self.settings.least_lead.whole();
        let fits = fits(clock.utc(now), self.settings.at?, least);
        fits.err().filter(|_| enough).map(Ending::CannotSet)
    }

    /// Whether it is to be waited a moment for why. What the Job says, its pods and runners explain, and each
    /// is heard of on a way of its own.
    fn may_hear_why(&mut self, now: Instant) -> bool {
        let says_the_job = self.scene.prospect().is_some();
        says_the_job && now < *self.hopeless_since.get_or_insert(now) + LAST_WORDS
    }

    /// The quorum cannot come any more; unless the run was aborted: runners that were may be
    /// seen to have ended sooner than the abort.
    async fn give_up(&mut self) -> Gathered {
        let why = impossible::why(self.scene.roster(), self.scene.prospect());
        let ended = impossible::ended(self.scene.roster());
        let gathered = self.read_again().await;
        gathered.unwrap_or(Gathered::Ended(Ending::Impossible { ended, why }))
    }

    fn job_is_over(&self) -> bool {
        self.scene.prospect().is_some_and(Prospect::is_over)
    }

    fn at_most(&self) -> Option<u32> {
        match self.scene.prospect()? {
            Prospect::AtMost { runners, .. } => Some(*runners),
            Prospect::Over(_) | Prospect::Replaced => Some(0),
            Prospect::Open => Some(self.settings.need.wanted),
        }
    }

    fn outlook(&self) -> Outlook<'_> {
        Outlook {
            replaced: self.scene.prospect().is_some(),
            hindrance: self.scene.hindrance(),
        }
    }

    /// After a conflict, or a write of which it is not known whether it came to pass.
    async fn read_again(&mut self) -> Option<Gathered> {
        match self.scene.read().await {
            Happening::Board(board) => self.look(*board).await,
            Happening::Trouble(trouble) => Some(broken(trouble)),
            _ => {
                // The store is away: nothing is known until it is back.
                self.revision = None;
                None
            }
        }
    }
}

/// Whether two plans set the same instant. What else they say does not bind a start that is set.
fn is_same(one: &Plan, other: &Plan) -> bool {
    (&one.id, one.start_at()) == (&other.id, other.start_at())
}

fn broken(trouble: Trouble) -> Gathered {
    let plan = None;
    Gathered::Ended(Ending::Broken { trouble, plan })
}
