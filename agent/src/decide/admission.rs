//! What a plan means for this runner: is it ours, may we still start by it?

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rendezvous::{
    LatePolicy, Phase, Plan, PlanId, PlanState, Report, RunId, StageName, Terms, code,
};

/// What a runner was told about starts, by its own command line.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The run that it takes part in.
    pub run: RunId,
    /// The stage that it takes part in.
    pub stage: StageName,
    /// What to do when late. `None`: as the plan says, else refuse.
    pub late: Option<LatePolicy>,
    /// How late is still on time. `None`: as the plan says, else [`Terms::DEFAULT_TOLERANCE`].
    pub late_tolerance: Option<Duration>,
}

impl Rules {
    /// Whether a plan is for us.
    #[must_use]
    pub fn is_ours(&self, plan: &Plan) -> bool {
        plan.run == self.run && plan.stage == self.stage
    }

    /// The policy that holds under a plan.
    #[must_use]
    pub fn late_under(&self, plan: &Plan) -> LatePolicy {
        self.late.or(plan.terms.late).unwrap_or(LatePolicy::Refuse)
    }

    /// The tolerance that holds under a plan.
    #[must_use]
    pub fn tolerance_under(&self, plan: &Plan) -> Duration {
        self.late_tolerance
            .or(plan.terms.late_tolerance)
            .unwrap_or(Terms::DEFAULT_TOLERANCE)
    }
}

/// What an earlier process of this runner left in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The plan that it had seen.
    pub plan: Option<PlanId>,
    /// Whether it had counted down to that plan's instant.
    pub armed: bool,
    /// Whether the load was made for certain, by it or by one before it.
    pub started: bool,
    /// How far it got.
    pub phase: Phase,
}

impl Earlier {
    /// What counts of a report found in the store: nothing, where it is of another run.
    #[must_use]
    pub fn of(report: Option<&Report>, rules: &Rules) -> Option<Self> {
        report
            .filter(|report| report.run == rules.run && report.stage == rules.stage)
            .map(|report| Self {
                plan: report.plan.clone(),
                armed: report.armed,
                started: proves_a_start(report),
                phase: report.phase,
            })
    }

    /// Whether it used this plan up. One that was armed may have made the load once the plan's instant is `past`;
    /// where a load is certain, no clock that has gone back since makes it undone.
    fn used_up(&self, plan: &PlanId, past: bool) -> bool {
        self.plan.as_ref() == Some(plan) && (self.started || (self.armed && past))
    }
}

/// A report of one that refused because the stage was used up says no more of it than that.
fn proves_a_start(report: &Report) -> bool {
    report.start.is_some()
        || matches!(
            report.phase,
            Phase::Fired | Phase::Running | Phase::Finished
        )
        || report.exit_code == Some(code::USED_UP)
}

/// What a plan means for this runner now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing for us stands there. With the reason where something else does.
    Nothing(Option<String>),
    /// Our scheduler gathers, and will go on for at most this long.
    Gathering {
        /// The plan.
        id: PlanId,
        /// Time left, counted from when the plan was seen.
        left: Duration,
    },
    /// Start at this instant; it may be past by no more than is allowed.
    Start {
        /// The plan.
        id: PlanId,
        /// When.
        start_at: DateTime<Utc>,
        /// What to do if it turns out late after all.
        late: LatePolicy,
        /// How late is still on time.
        tolerance: Duration,
    },
    /// The instant is past by more than is allowed.
    Late {
        /// The plan.
        id: PlanId,
        /// By how much.
        by: TimeDelta,
        /// [`LatePolicy::Refuse`] or [`LatePolicy::Skip`].
        policy: LatePolicy,
    },
    /// An earlier process of this runner used this plan up.
    UsedUp {
        /// The plan.
        id: PlanId,
        /// How far it got.
        phase: Phase,
        /// Whether the load was made for certain, whatever the clock says.
        started: bool,
        /// What to do about it: [`LatePolicy::Skip`] ends well, all else refuses.
        policy: LatePolicy,
    },
}

/// Judges what stands in the store for our stage.
#[must_use]
pub fn judge(
    plan: Option<&Plan>,
    rules: &Rules,
    earlier: Option<&Earlier>,
    now: DateTime<Utc>,
) -> Verdict {
    let Some(plan) = plan else {
        return Verdict::Nothing(None);
    };
    if !rules.is_ours(plan) {
        let left_over = format!(
            "the plan there is of run {} and stage {}",
            plan.run, plan.stage
        );
        return Verdict::Nothing(Some(left_over));
    }
    let id = plan.id.clone();
    let start_at = match plan.state {
        PlanState::Gathering { left } => return Verdict::Gathering { id, left },
        PlanState::Set { start_at, .. } => start_at,
    };
    let (late, tolerance) = (rules.late_under(plan), rules.tolerance_under(plan));
    let by = now - start_at;
    if let Some(earlier) = earlier
        && earlier.used_up(&id, by > TimeDelta::zero())
    {
        return Verdict::UsedUp {
            id,
            phase: earlier.phase,
            started: earlier.started,
            policy: late,
        };
    }
    if (-by).to_std().is_ok_and(|ahead| ahead > Plan::LONGEST_WAIT) {
        let too_far = format!("the plan's instant, {start_at}, is more than a day ahead");
        return Verdict::Nothing(Some(too_far));
    }
    if late != LatePolicy::Join && is_late(by, tolerance) {
        return Verdict::Late {
            id,
            by,
            policy: late,
        };
    }
    Verdict::Start {
        id,
        start_at,
        late,
        tolerance,
    }
}

/// Whether a start this long after the instant is beyond the tolerance.
#[must_use]
pub fn is_late(by: TimeDelta, tolerance: Duration) -> bool {
    by.to_std().is_ok_and(|by| by > tolerance)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    fn rules() -> Rules {
        Rules {
            run: RunId::new("run-1").unwrap(),
            stage: StageName::new("main").unwrap(),
            late: None,
            late_tolerance: None,
        }
    }

    fn instant() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn plan() -> Plan {
        Plan {
            run: RunId::new("run-1").unwrap(),
            stage: StageName::new("main").unwrap(),
            id: PlanId::new("plan-1").unwrap(),
            state: PlanState::Set {
                start_at: instant(),
                quorum: 4,
            },
            runners_wanted: 4,
            terms: Terms::default(),
        }
    }

    fn earlier(phase: Phase) -> Earlier {
        Earlier {
            plan: Some(plan().id),
            armed: !matches!(phase, Phase::Starting | Phase::Ready),
            started: matches!(phase, Phase::Fired | Phase::Running | Phase::Finished),
            phase,
        }
    }

    fn after(millis: i64) -> DateTime<Utc> {
        instant() + TimeDelta::milliseconds(millis)
    }

    #[test]
    fn a_plan_of_another_run_or_stage_is_none_of_ours() {
        let mut of_run = plan();
        of_run.run = RunId::new("yesterday").unwrap();
        let mut of_stage = plan();
        of_stage.stage = StageName::new("warmup").unwrap();
        for foreign in [of_run, of_stage] {
            let verdict = judge(Some(&foreign), &rules(), None, after(-5000));
            assert!(matches!(verdict, Verdict::Nothing(Some(_))), "{verdict:?}");
        }
    }

    #[rstest]
    #[case(-600_000)]
    #[case(-1)]
    #[case(0)]
    #[case(10)]
    #[case(1000)]
    fn an_instant_ahead_or_within_the_tolerance_is_kept(#[case] millis: i64) {
        let verdict = judge(Some(&plan()), &rules(), None, after(millis));
        assert!(matches!(verdict, Verdict::Start { .. }), "{verdict:?}");
    }

    #[rstest]
    #[case(1001)]
    #[case(2000)]
    #[case(600_000)]
    fn an_instant_past_the_tolerance_is_refused(#[case] millis: i64) {
        let verdict = judge(Some(&plan()), &rules(), None, after(millis));
        let Verdict::Late { by, policy, .. } = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(
            (by.num_milliseconds(), policy),
            (millis, LatePolicy::Refuse)
        );
    }

    #[test]
    fn the_runners_own_word_beats_the_plans() {
        let mut plan = plan();
        plan.terms.late = Some(LatePolicy::Refuse);
        plan.terms.late_tolerance = Some(Duration::from_secs(5));
        assert!(matches!(
            judge(Some(&plan), &rules(), None, after(4000)),
            Verdict::Start { .. }
        ));
        let own = Rules {
            late: Some(LatePolicy::Skip),
            late_tolerance: Some(Duration::from_secs(2)),
            ..rules()
        };
        let verdict = judge(Some(&plan), &own, None, after(4000));
        assert!(
            matches!(
                verdict,
                Verdict::Late {
                    policy: LatePolicy::Skip,
                    ..
                }
            ),
            "{verdict:?}"
        );
    }

    #[test]
    fn an_instant_more_than_a_day_ahead_is_not_waited_for() {
        let verdict = judge(Some(&plan()), &rules(), None, after(-86_400_001));
        assert!(matches!(verdict, Verdict::Nothing(Some(_))), "{verdict:?}");
        let verdict = judge(Some(&plan()), &rules(), None, after(-86_400_000));
        assert!(matches!(verdict, Verdict::Start { .. }), "{verdict:?}");
    }

    #[test]
    fn joining_is_possible_however_late() {
        let rules = Rules {
            late: Some(LatePolicy::Join),
            ..rules()
        };
        let verdict = judge(Some(&plan()), &rules, None, after(600_000));
        assert!(matches!(verdict, Verdict::Start { .. }), "{verdict:?}");
    }

    #[rstest]
    fn a_plan_that_an_earlier_process_held_is_used_up_whatever_the_policy(
        #[values(
            Phase::Armed,
            Phase::Fired,
            Phase::Running,
            Phase::Finished,
            Phase::Failed,
            Phase::Refused
        )]
        phase: Phase,
        #[values(LatePolicy::Refuse, LatePolicy::Join, LatePolicy::Skip)] late: LatePolicy,
        #[values(1, 500, 600_000)] millis: i64,
    ) {
        let rules = Rules {
            late: Some(late),
            ..rules()
        };
        let verdict = judge(Some(&plan()), &rules, Some(&earlier(phase)), after(millis));
        assert!(matches!(verdict, Verdict::UsedUp { .. }), "{verdict:?}");
    }

    #[rstest]
    #[case(Phase::Starting, 500)]
    #[case(Phase::Ready, 500)]
    #[case(Phase::Armed, -1)]
    fn a_plan_that_cannot_have_made_load_yet_is_kept(#[case] phase: Phase, #[case] millis: i64) {
        let verdict = judge(
            Some(&plan()),
            &rules(),
            Some(&earlier(phase)),
            after(millis),
        );
        assert!(matches!(verdict, Verdict::Start { .. }), "{verdict:?}");
    }

    #[rstest]
    fn a_plan_by_which_load_was_made_is_used_up_though_the_clock_has_gone_back(
        #[values(Phase::Fired, Phase::Running, Phase::Finished)] phase: Phase,
        #[values(-90_000_000, -420_000, -1, 0)] millis: i64,
    ) {
        let verdict = judge(
            Some(&plan()),
            &rules(),
            Some(&earlier(phase)),
            after(millis),
        );
        assert!(
            matches!(verdict, Verdict::UsedUp { started: true, .. }),
            "{verdict:?}"
        );
    }

    #[test]
    fn another_plan_than_the_one_that_was_used_up_is_kept() {
        let earlier = Earlier {
            plan: Some(PlanId::new("another").unwrap()),
            armed: true,
            started: true,
            phase: Phase::Finished,
        };
        let verdict = judge(Some(&plan()), &rules(), Some(&earlier), after(10));
        assert!(matches!(verdict, Verdict::Start { .. }), "{verdict:?}");
    }
}
