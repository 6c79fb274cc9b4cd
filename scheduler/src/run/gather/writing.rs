//! What a gathering writes: the time that is left, and the instant.

use std::time::Duration;

use rendezvous::{Plan, PlanState, RunnerId};
use tokio::time::Instant;

use super::{Gathered, Gathering, LOOK_AGAIN, broken};
use crate::decide::ending::Ending;
use crate::decide::instant::{instant, published};
use crate::decide::started::Expected;
use crate::decide::timebase::{AgreedClock, Reading};
use crate::run::scene::Written;
use crate::trouble::Trouble;

/// How often the time left is written anew. Each runner counts it from when it saw
/// the plan change, so this only has to be well below any sensible wait.
const TELL_TIME_LEFT: Duration = Duration::from_secs(30);

impl Gathering<'_> {
    pub(super) async fn tell_time_left(&mut self) -> Option<Gathered> {
        let now = Instant::now();
        let left = self.deadline.saturating_duration_since(now);
        let plan = self.plan(PlanState::Gathering { left });
        match self.write(&plan).await {
            Ok(Written::Done) => {
                self.stands = true;
                self.write_at = now + TELL_TIME_LEFT;
                None
            }
            Ok(Written::Conflict | Written::Unknown) => {
                self.write_at = now + LOOK_AGAIN;
                self.read_again().await
            }
            Err(trouble) => Some(broken(trouble)),
        }
    }

    /// Sets the instant.
    pub(super) async fn set(
        &mut self,
        ready: Vec<RunnerId>,
        time: &Reading,
        now: Instant,
    ) -> Option<Gathered> {
        let clock = time.clock?;
        let (lead, least) = (self.settings.lead, self.settings.least_lead.whole());
        let start_at = match instant(clock.utc(now), lead, self.settings.at, least) {
            Ok(start_at) => start_at,
            Err(error) => return Some(Gathered::Ended(Ending::CannotSet(error))),
        };
        let quorum = u32::try_from(ready.len()).unwrap_or(Plan::MOST_RUNNERS);
        let plan = self.plan(PlanState::Set { start_at, quorum });
        match self.write(&plan).await {
            Ok(Written::Done) => Some(self.stands(plan, ready, clock)),
            Ok(Written::Conflict) => self.read_again().await,
            Ok(Written::Unknown) => {
                self.tried = Some((plan, ready, clock));
                self.read_again().await
            }
            Err(trouble) => Some(broken(trouble)),
        }
    }

    /// This process's instant stands. Writing it may have taken so long that too little is left.
    pub(super) fn stands(
        &self,
        plan: Plan,
        runners: Vec<RunnerId>,
        clock: AgreedClock,
    ) -> Gathered {
        let now = clock.utc(Instant::now());
        let hearing = self.settings.least_lead.hearing;
        let in_time = plan
            .start_at()
            .map_or(Ok(()), |at| published(now, at, hearing));
        let expected = Expected::Runners(runners);
        match in_time {
            Ok(()) => Gathered::Set { plan, expected },
            Err(error) => Gathered::Ended(Ending::CannotSet(error)),
        }
    }

    fn plan(&self, state: PlanState) -> Plan {
        Plan {
            run: self.settings.run.clone(),
            stage: self.settings.stage.clone(),
            id: self.draft.id.clone(),
            state,
            runners_wanted: self.draft.wanted,
            terms: self.draft.terms,
        }
    }

    async fn write(&mut self, plan: &Plan) -> Result<Written, Trouble> {
        match &self.revision {
            Some(revision) => self.scene.write_plan(plan, revision).await,
            None => Ok(Written::Conflict),
        }
    }
}
