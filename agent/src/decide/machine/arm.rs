//! From the store's word to a countdown: when a runner arms, refuses or gives up.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rendezvous::{Abort, LatePolicy, Phase, Plan, Slot, code};

use super::k6::for_people;
use super::limits::{ADMISSION_WAIT, BEYOND_SCHEDULER, NOBODY_FOUND_LIMIT, TROUBLE_LIMIT};
use super::time::{instant_never_came, long_past, no_time_at_the_instant, nobody_to_ask};
use super::{Action, Machine, Moment, State, StoreSide, Triggered, Trouble};
use crate::decide::admission::{Verdict, judge};
use crate::decide::ending::Ending;

impl Machine {
    pub(super) fn on_board(
        &mut self,
        plan: Slot<Plan>,
        abort: Slot<Abort>,
        now: Moment<'_>,
    ) -> Vec<Action> {
        match &abort {
            Ok(Some(abort)) if abort.run == self.settings.rules.run => {
                if self.state == State::Admitting && self.by_the_mark(now).is_some() {
                    // The mark alone is enough to know, so what is said is not left to which of the two was read first.
                    let actions = self.consider(now);
                    if self.end().is_some() {
                        return actions;
                    }
                }
                let reason = format!("aborted by {}: {}", abort.by, abort.why);
                return self.wind_up(
                    Ending::own(Phase::Aborted, code::ABORTED, reason),
                    None,
                    now,
                );
            }
            Err(error) => self.note_trouble(StoreSide::Reading, error.to_string(), true, now),
            Ok(_) => {}
        }
        match plan {
            Ok(plan) => {
                if abort.is_ok() {
                    self.trouble_reading = None;
                }
                if self.board.as_ref() != Some(&plan) {
                    self.count_time_left(plan.as_ref(), now);
                    self.board = Some(plan);
                }
            }
            Err(error) => self.note_trouble(StoreSide::Reading, error.to_string(), true, now),
        }
        self.consider(now)
    }

    pub(super) fn note_trouble(
        &mut self,
        side: StoreSide,
        text: String,
        hopeless: bool,
        now: Moment<'_>,
    ) {
        let trouble = match side {
            StoreSide::Reading => &mut self.trouble_reading,
            StoreSide::Earlier => &mut self.trouble_earlier,
            StoreSide::Writing => &mut self.trouble_writing,
        };
        // The time counts from the first sign; another text in between does not start it anew.
        let since = trouble.as_ref().and_then(|trouble| trouble.hopeless_since);
        if trouble.as_ref().is_none_or(|trouble| trouble.text != text) {
            self.notes.push(text.clone());
        }
        let hopeless_since = hopeless.then(|| since.unwrap_or(now.mono));
        *trouble = Some(Trouble {
            text,
            hopeless_since,
        });
    }

    /// A scheduler that gathers is waited for, and a little longer.
    fn count_time_left(&mut self, plan: Option<&Plan>, now: Moment<'_>) {
        let earlier = self.earlier.as_ref().and_then(Option::as_ref);
        if let Verdict::Gathering { left, .. } =
            judge(plan, &self.settings.rules, earlier, now.utc())
        {
            self.give_up_at = self.give_up_at.max(now.mono + left + BEYOND_SCHEDULER);
        }
    }

    /// Weighs what is known: arms, refuses, or goes on waiting.
    pub(super) fn consider(&mut self, now: Moment<'_>) -> Vec<Action> {
        // The plan may have other terms now.
        self.look_at_clock(now);
        let Some(verdict) = self.verdict(now) else {
            return Vec::new();
        };
        if matches!(
            self.state,
            State::Armed { .. }
                | State::Confirming { .. }
                | State::Running
                | State::Stopping { .. }
                | State::Ended(_)
        ) {
            return Vec::new();
        }
        self.left_over = None;
        if let Some(actions) = self.past_by_an_unfit_clock(&verdict, now) {
            return actions;
        }
        match verdict {
            Verdict::Nothing(left_over) => {
                self.seen = None;
                self.left_over = left_over;
                self.admit(now)
            }
            Verdict::Gathering { id, .. } => {
                self.seen = Some(id);
                self.admit(now)
            }
            Verdict::Start {
                id,
                start_at,
                late,
                tolerance,
            } => {
                self.seen = Some(id);
                if self.state != State::Waiting {
                    return self.admit(now);
                }
                if self.unfit.is_some() {
                    return Vec::new();
                }
                if self.setup_is_too_old(now.mono) {
                    self.notes
                        .push("the data of setup() is too old; running setup() again".to_owned());
                    self.state = State::SettingUp;
                    self.phase = Phase::Starting;
                    return vec![Action::RunSetup];
                }
                self.armed = true;
                (self.late, self.tolerance) = (late, tolerance);
                self.phase = Phase::Armed;
                self.state = State::Armed {
                    ending: None,
                    k6_ended: None,
                    until: long_past(start_at, now),
                };
                vec![Action::Arm {
                    start_at,
                    late,
                    tolerance,
                    clock: self.clock_terms(),
                }]
            }
            Verdict::Late { id, by, policy } => {
                self.seen = Some(id);
                let ending = late_ending(by, policy);
                self.wind_up(ending, None, now)
            }
            Verdict::UsedUp {
                id, phase, policy, ..
            } => {
                self.seen = Some(id);
                // So that the next process of this runner knows it, too. An earlier report could say no more.
                self.armed = true;
                self.earlier.get_or_insert(None);
                let text =
                    format!("an earlier process of this runner used the stage up (it was {phase})");
                let ending = match policy {
                    LatePolicy::Skip => Ending::own(Phase::Skipped, 0, text),
                    LatePolicy::Refuse | LatePolicy::Join => {
                        Ending::own(Phase::Refused, code::USED_UP, text)
                    }
                };
                self.wind_up(ending, None, now)
            }
        }
    }

    /// Nothing speaks against starting k6.
    fn admit(&mut self, now: Moment<'_>) -> Vec<Action> {
        if self.state == State::Admitting {
            self.start_k6(now)
        } else {
            Vec::new()
        }
    }

    fn setup_is_too_old(&self, now: Instant) -> bool {
        match (self.settings.setup_max_age, self.setup_done) {
            (Some(most), Some((at, _))) => now.saturating_duration_since(at) > most,
            _ => false,
        }
    }

    pub(super) fn why_not_sent(&self, triggered: Triggered) -> Ending {
        match triggered {
            Triggered::TooLate(by) => {
                let policy = self
                    .board
                    .as_ref()
                    .and_then(Option::as_ref)
                    .map_or(LatePolicy::Refuse, |plan| {
                        self.settings.rules.late_under(plan)
                    });
                late_ending(by, policy)
            }
            Triggered::Unfit(why) => no_time_at_the_instant(&why),
            Triggered::NotSent(why) => Ending::own(
                Phase::Failed,
                code::NOT_READY,
                format!("k6 could not be resumed: {why}"),
            ),
            // Whoever disarms has an ending of his own.
            Triggered::Disarmed | Triggered::Sent { .. } => {
                Ending::own(Phase::Aborted, code::ABORTED, "the start was called off")
            }
        }
    }

    pub(super) fn on_tick(&mut self, now: Moment<'_>) -> Vec<Action> {
        match &self.state {
            State::Admitting if now.mono >= self.began + ADMISSION_WAIT => {
                // The store takes its time; k6 can come up meanwhile, paused.
                self.start_k6(now)
            }
            State::SetupDropped { failure, until } if now.mono >= *until => {
                let failure = failure.clone();
                self.setup_failed(&failure, now)
            }
            State::Building { until } if now.mono >= *until => {
                let limit = humantime::format_duration(self.settings.ready_timeout);
                let why = self.waiting_for().unwrap_or_default();
                let reason = format!("k6 did not become ready within {limit}; it waited for {why}");
                self.wind_up(
                    Ending::own(Phase::Failed, code::NOT_READY, reason),
                    None,
                    now,
                )
            }
            State::Building { .. } | State::SettingUp | State::Waiting | State::Admitting => {
                self.keep_waiting(now)
            }
            State::Armed {
                ending: None,
                until,
                ..
            } if now.mono >= *until => self.wind_up(instant_never_came(), None, now),
            State::Running if self.run_until.is_some_and(|until| now.mono >= until) => {
                self.ran_too_long(now)
            }
            State::Confirming { .. } | State::Stopping { .. } => self.press_on(now),
            _ => Vec::new(),
        }
    }

    fn keep_waiting(&mut self, now: Moment<'_>) -> Vec<Action> {
        let actions = self.consider(now);
        if !actions.is_empty() {
            return actions;
        }
        let is_hopeless = |trouble: &&Trouble| {
            let since = trouble.hopeless_since;
            since.is_some_and(|since| now.mono.saturating_duration_since(since) >= TROUBLE_LIMIT)
        };
        let hopeless = self.troubles().find(is_hopeless);
        let hopeless = hopeless.map(|trouble| trouble.text.clone());
        if let Some(text) = hopeless {
            let ending = Ending::own(Phase::Failed, code::NO_ACCESS, text);
            return self.wind_up(ending, None, now);
        }
        let nobody = self.finds_nobody().map(nobody_to_ask);
        if let Some(ending) = nobody.filter(|_| now.mono >= self.began + NOBODY_FOUND_LIMIT) {
            return self.wind_up(ending, None, now);
        }
        if now.mono < self.give_up_at || self.holds_an_instant(now) {
            return Vec::new();
        }
        let clock_trouble = self
            .clock_trouble()
            .filter(|_| self.state == State::Waiting);
        let ending = match (self.trouble(), clock_trouble) {
            (Some(trouble), _) => Ending::own(Phase::Failed, code::NO_ACCESS, trouble.text.clone()),
            (None, Some(trouble)) => {
                let reason = format!("gave up waiting for a clock to start by: {trouble}");
                Ending::own(Phase::Refused, code::NO_TIME, reason)
            }
            (None, None) => Ending::own(Phase::Refused, code::GAVE_UP, self.why_no_plan()),
        };
        self.wind_up(ending, None, now)
    }

    /// With an instant in hand, the late policy rules and no longer the deadline; but where the
    /// clock alone keeps a runner from arming, nothing else would end the wait.
    fn holds_an_instant(&self, now: Moment<'_>) -> bool {
        let waits_for_clock = self.state == State::Waiting && self.unfit.is_some();
        !waits_for_clock && matches!(self.verdict(now), Some(Verdict::Start { .. }))
    }

    /// That the stage is used up, where the mark of an earlier process says so.
    fn by_the_mark(&self, now: Moment<'_>) -> Option<Verdict> {
        let mark = self.settings.mark.as_ref();
        let mark = mark.filter(|mark| mark.is_used_up(now.utc()))?;
        Some(Verdict::UsedUp {
            id: mark.plan.clone(),
            phase: if mark.fired {
                Phase::Fired
            } else {
                Phase::Armed
            },
            started: mark.fired,
            policy: mark.late,
        })
    }

    /// What the board means now; nothing can be said before board and earlier report were read, except that the
    /// stage is used up.
    fn verdict(&self, now: Moment<'_>) -> Option<Verdict> {
        if let Some(used_up) = self.by_the_mark(now) {
            return Some(used_up);
        }
        let (board, earlier) = (self.board.as_ref()?, self.earlier.as_ref()?);
        let rules = &self.settings.rules;
        Some(judge(board.as_ref(), rules, earlier.as_ref(), now.utc()))
    }

    fn why_no_plan(&self) -> String {
        let waited =
            humantime::format_duration(Duration::from_secs(self.settings.deadline.as_secs()));
        match &self.seen {
            _ if self.state == State::SettingUp => {
                "gave up: setup() had not ended, and no instant was set".to_owned()
            }
            Some(_) => "gave up: the scheduler was gathering runners and fell silent".to_owned(),
            None => format!(
                "gave up: no plan came within {waited}; was a scheduler started for this run and stage?"
            ),
        }
    }
}

fn late_ending(by: TimeDelta, policy: LatePolicy) -> Ending {
    let by = for_people(by);
    match policy {
        LatePolicy::Skip => Ending::own(Phase::Skipped, 0, format!("came {by} after the instant")),
        LatePolicy::Refuse | LatePolicy::Join => {
            let reason = format!(
                "came {by} after the instant; `--late join` would start all the same, `--late skip` would pass without load"
            );
            Ending::own(Phase::Refused, code::LATE, reason)
        }
    }
}
