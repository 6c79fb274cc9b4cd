//! What to do about what stands in the store for a stage.

use rendezvous::{Abort, DocumentError, Plan, PlanState, RunId, Slot, StageName};

/// What a scheduler does about what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The run is aborted.
    Aborted(Abort),
    /// Something stands there that cannot be read: nobody can know whether an
    /// instant is set, so nothing may be written over it.
    Unreadable(DocumentError),
    /// The instant of this run is set: it is followed, and never moved.
    Follow(Plan),
    /// A scheduler of this run gathers, or did: its plan goes on.
    Adopt(Plan),
    /// Another run's plan stands there.
    Replace(RunId),
    /// Nothing stands there.
    Take,
}

/// Reads what stands there with the eyes of a run's scheduler. An abort of another run is none.
#[must_use]
pub fn claim(plan: &Slot<Plan>, abort: &Slot<Abort>, run: &RunId, stage: &StageName) -> Claim {
    match abort {
        Ok(Some(abort)) if abort.run == *run => return Claim::Aborted(abort.clone()),
        Ok(_) => {}
        Err(error) => return Claim::Unreadable(error.clone()),
    }
    match plan {
        Err(error) => Claim::Unreadable(error.clone()),
        Ok(None) => Claim::Take,
        Ok(Some(plan)) if plan.run != *run || plan.stage != *stage => {
            Claim::Replace(plan.run.clone())
        }
        Ok(Some(plan)) => match plan.state {
            PlanState::Set { .. } => Claim::Follow(plan.clone()),
            PlanState::Gathering { .. } => Claim::Adopt(plan.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{a_set_plan, gathering_plan, run_id, stage};
    use rendezvous::{DocumentKind, Problem};

    fn claimed(plan: Slot<Plan>, abort: Slot<Abort>) -> Claim {
        claim(&plan, &abort, &run_id(), &stage())
    }

    fn unreadable(kind: DocumentKind) -> DocumentError {
        DocumentError {
            kind,
            location: "plan.json".to_owned(),
            problem: Problem::Syntax("cut off".to_owned()),
        }
    }

    #[test]
    fn an_empty_board_is_taken() {
        assert_eq!(claimed(Ok(None), Ok(None)), Claim::Take);
    }

    #[test]
    fn the_own_runs_plan_goes_on() {
        let plan = gathering_plan();
        let expected = Claim::Adopt(plan.clone());
        assert_eq!(claimed(Ok(Some(plan)), Ok(None)), expected);
    }

    #[test]
    fn a_set_instant_is_followed() {
        let plan = a_set_plan();
        let expected = Claim::Follow(plan.clone());
        assert_eq!(claimed(Ok(Some(plan)), Ok(None)), expected);
    }

    #[test]
    fn another_runs_plan_is_replaced_even_if_its_instant_is_set() {
        let yesterday = RunId::new("yesterday").unwrap();
        let plan = Plan {
            run: yesterday.clone(),
            ..a_set_plan()
        };
        let expected = Claim::Replace(yesterday);
        assert_eq!(claimed(Ok(Some(plan)), Ok(None)), expected);
    }

    #[test]
    fn the_own_runs_abort_comes_before_everything() {
        let abort = Abort::new(run_id(), "somebody", "enough");
        let expected = Claim::Aborted(abort.clone());
        assert_eq!(claimed(Ok(Some(a_set_plan())), Ok(Some(abort))), expected);
        let of_another = Abort::new(RunId::random(), "somebody", "else");
        let claim = claimed(Ok(Some(a_set_plan())), Ok(Some(of_another)));
        assert!(matches!(claim, Claim::Follow(_)));
    }

    #[test]
    fn what_cannot_be_read_is_never_taken_for_nothing() {
        let claim = claimed(Err(unreadable(DocumentKind::Plan)), Ok(None));
        assert!(matches!(claim, Claim::Unreadable(_)));
        let abort = Err(unreadable(DocumentKind::Abort));
        let claim = claimed(Ok(Some(gathering_plan())), abort);
        assert!(matches!(claim, Claim::Unreadable(_)));
    }
}
