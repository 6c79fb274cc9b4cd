//! A process of a scheduler: the real decisions, in the order in which `run/gather.rs` and `run/follow.rs` take them.

use std::{collections::BTreeSet, rc::Rc, time::Duration};

use rendezvous::{Abort, Plan, PlanId, PlanState, RunnerId, Terms, Write};
use scheduler::{
    decide::{
        claim::{Claim, claim},
        ending::Ending,
        fresh,
        instant::{instant, published},
        muster::{Aim, muster},
        outcome::{Facts, judge},
        overdue,
        quorum::{Moments, Need, Tally, Verdict, decide},
        roster::{News, Roster},
        started::{Expected, SETTLES_WITHIN, Sight, has_armed, is_over, is_settled},
        timebase::{AgreedClock, Reading, TimeBase},
    },
    trouble::Trouble,
};
use tokio::time::Instant;

use super::{
    agents::id,
    store::{Store, Text, run, stage},
    time::{STEP, Tick, mono, utc},
};

/// How long it waits for the quorum.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// Rounded up to a whole second that is a step.
const LEAD: Duration = Duration::from_millis(9500);
/// The least time in which all hear of it.
const LEAST_LEAD: Duration = Duration::from_secs(1);
/// How often the time left is told.
const TELL_TIME_LEFT: Duration = Duration::from_secs(30);

/// What it is about to write.
#[derive(Clone, Debug)]
enum Intent {
    TimeLeft(Plan),
    Instant(Plan, Vec<RunnerId>, AgreedClock),
    Abort(Box<Ending>),
}

/// How far it has got.
#[derive(Clone, Debug)]
// Copied millions of times: cheaper whole than boxed.
#[allow(clippy::large_enum_variant)]
enum State {
    Gathering,
    Following {
        plan: Plan,
        expected: Expected,
        since: Instant,
        settled: Option<Reading>,
        aborted: Option<Abort>,
    },
    Ended(u8),
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What the store said.
    Heard,
    /// It came to nothing, and that is not known.
    Lost,
    /// It came to pass, and that is not known.
    Unanswered,
}

/// A process that lives.
#[derive(Clone, Debug)]
pub struct Scheduler {
    began: Instant,
    need: Need,
    draft: PlanId,
    terms: Terms,
    stands: bool,
    revision: Text,
    seen: Option<Store>,
    looked: Option<Tick>,
    roster: Roster,
    time: TimeBase,
    told_left: Option<Instant>,
    minimum_since: Option<Instant>,
    tried: Option<(Plan, Vec<RunnerId>, AgreedClock)>,
    intent: Option<Intent>,
    state: State,
}

impl Scheduler {
    /// A process that begins now, of this name.
    pub fn start(name: &str, wanted: u32, now: Tick) -> Self {
        let began = Instant::from_std(mono(now));
        Self {
            began,
            need: Need {
                wanted,
                minimum: wanted,
                grace_period: STEP,
            },
            draft: PlanId::new(name).unwrap(),
            terms: Terms::default(),
            stands: false,
            revision: None,
            seen: None,
            looked: None,
            roster: Roster::default(),
            time: TimeBase::new(began, fresh(wanted)),
            told_left: None,
            minimum_since: None,
            tried: None,
            intent: None,
            state: State::Gathering,
        }
    }

    /// What it ended with, once it has.
    pub fn end(&self) -> Option<u8> {
        match self.state {
            State::Ended(code) => Some(code),
            _ => None,
        }
    }

    /// Whether anything has changed since it looked.
    pub fn may_look(&self, store: &Store, now: Tick) -> bool {
        let seen = self.seen.as_ref();
        let is_news =
            self.looked != Some(now) || seen.is_none_or(|seen| store.has_news_since(seen));
        self.end().is_none() && self.intent.is_none() && is_news
    }

    /// Looks at everything, and makes up its mind.
    pub fn look(&mut self, store: &Store, now: Tick) {
        let at = Instant::from_std(mono(now));
        self.hear(store, at);
        let board_changed = self
            .seen
            .as_ref()
            .is_none_or(|seen| (&seen.plan, &seen.abort) != (&store.plan, &store.abort));
        (self.seen, self.looked) = (Some(store.clone()), Some(now));
        self.revision = store.plan.clone();
        if matches!(self.state, State::Gathering) {
            if board_changed || self.tried.is_some() {
                self.look_at_board(store, at);
            }
            if matches!(self.state, State::Gathering) && self.intent.is_none() {
                self.gather(at);
            }
        }
        if matches!(self.state, State::Following { .. }) {
            self.follow(store, at);
        }
    }

    fn hear(&mut self, store: &Store, at: Instant) {
        let live = self.seen.is_some();
        for runner in 0..store.reports.len() {
            let before = self.seen.as_ref().map(|seen| &seen.reports[runner]);
            if before == Some(&store.reports[runner]) {
                continue;
            }
            let Ok(Some(report)) = store.read_report(runner) else {
                continue;
            };
            let clock = report.clock.clone();
            let news = self.roster.report(report, live, at);
            if matches!(news, Some(News::Restarted(_))) {
                self.time.forget(&id(runner));
            }
            if live {
                self.time.hear(&id(runner), &clock, at);
            }
        }
    }

    fn look_at_board(&mut self, store: &Store, at: Instant) {
        let claimed = claim(&store.read_plan(), &store.read_abort(), &run(), &stage());
        match claimed {
            Claim::Aborted(abort) => self.finish(&Ending::Aborted { abort, plan: None }, at),
            Claim::Unreadable(error) => {
                let trouble = Trouble::Unreadable(error);
                let plan = None;
                self.abort(Ending::Broken { trouble, plan });
            }
            Claim::Follow(plan) => {
                let is_own = |(tried, ..): &(Plan, Vec<RunnerId>, AgreedClock)| {
                    (&tried.id, tried.start_at()) == (&plan.id, plan.start_at())
                };
                match self.tried.take().filter(is_own) {
                    Some((plan, runners, clock)) => self.stands(plan, runners, clock, at),
                    None => {
                        let quorum = match plan.state {
                            PlanState::Set { quorum, .. } => quorum,
                            PlanState::Gathering { .. } => plan.runners_wanted,
                        };
                        self.begin_to_follow(plan, Expected::Number(quorum), at);
                    }
                }
            }
            Claim::Adopt(plan) => {
                (self.draft, self.terms) = (plan.id, plan.terms);
                self.stands = true;
            }
            // Nothing takes a plan away here.
            Claim::Replace(_) | Claim::Take => self.told_left = None,
        }
    }

    fn gather(&mut self, at: Instant) {
        let deadline = self.began + MAX_WAIT;
        let is_due = self
            .told_left
            .is_none_or(|told| at >= told + TELL_TIME_LEFT);
        if is_due {
            let left = deadline.saturating_duration_since(at);
            let plan = self.plan(PlanState::Gathering { left });
            self.intent = Some(Intent::TimeLeft(plan));
            return;
        }
        let time = self.read_time(at);
        let aim = Aim {
            plan: Some(&self.draft),
            max_clock_error: self.terms.max_clock_error,
        };
        let muster = muster(&self.roster, &time, aim, &self.sight(at));
        if muster.ready.len() >= self.need.minimum as usize {
            self.minimum_since.get_or_insert(at);
        }
        let tally = Tally::of(&muster, time.clock.is_some(), None);
        let moments = Moments {
            now: at,
            deadline,
            minimum_since: self.minimum_since,
            at_odds_since: None,
        };
        match (decide(&self.need, &tally, &moments), time.clock) {
            (Verdict::Go, Some(clock)) => match instant(clock.utc(at), LEAD, None, LEAST_LEAD) {
                Ok(start_at) => {
                    let quorum = muster.ready.len().try_into().unwrap();
                    let plan = self.plan(PlanState::Set { start_at, quorum });
                    self.intent = Some(Intent::Instant(plan, muster.ready, clock));
                }
                Err(error) => self.abort(Ending::CannotSet(error)),
            },
            (Verdict::Go | Verdict::Wait, _) => {}
            (Verdict::Impossible, _) => self.abort(Ending::Impossible {
                ended: Vec::new(),
                why: "some have ended".to_owned(),
            }),
            (Verdict::NoMajority, _) => self.abort(Ending::NoMajority),
            (Verdict::TimedOut, _) => self.abort(Ending::TimedOut {
                after: MAX_WAIT,
                missing: String::new(),
            }),
        }
    }

    fn plan(&self, state: PlanState) -> Plan {
        Plan {
            run: run(),
            stage: stage(),
            id: self.draft.clone(),
            state,
            runners_wanted: self.need.wanted,
            terms: self.terms,
        }
    }

    fn read_time(&self, at: Instant) -> Reading {
        self.time.read(at, |runner| {
            self.roster.get(runner).is_some_and(|one| {
                let report = one.report.as_ref();
                let is_ready = report.is_some_and(|it| it.phase != rendezvous::Phase::Starting);
                is_ready && !one.has_ended()
            })
        })
    }

    fn sight(&self, at: Instant) -> Sight {
        Sight {
            now: at,
            clear_since: Some(self.began),
            fresh: fresh(self.need.wanted),
            overdue: overdue(self.need.wanted),
        }
    }

    fn begin_to_follow(&mut self, plan: Plan, expected: Expected, at: Instant) {
        self.state = State::Following {
            plan,
            expected,
            since: at,
            settled: None,
            aborted: None,
        };
    }

    fn stands(&mut self, plan: Plan, runners: Vec<RunnerId>, clock: AgreedClock, at: Instant) {
        let in_time = plan
            .start_at()
            .map(|start_at| published(clock.utc(at), start_at, LEAST_LEAD));
        match in_time {
            Some(Err(error)) => self.abort(Ending::CannotSet(error)),
            _ => self.begin_to_follow(plan, Expected::Runners(runners), at),
        }
    }

    fn follow(&mut self, store: &Store, at: Instant) {
        let claimed = claim(&store.read_plan(), &store.read_abort(), &run(), &stage());
        let (sight, wanted) = (self.sight(at), self.need.wanted);
        let clock = self.read_time(at).clock;
        let State::Following {
            plan,
            expected,
            since,
            settled,
            aborted,
        } = &mut self.state
        else {
            return;
        };
        if let Claim::Aborted(abort) = claimed {
            *aborted = Some(abort);
        }
        let start_at = plan.start_at().unwrap();
        let starts = clock.map_or(*since + fresh(wanted), |clock| clock.moment(start_at, at));
        let is_late = at >= starts.max(*since) + SETTLES_WITHIN;
        let knows_all = matches!(expected, Expected::Runners(_)) || at > *since;
        if settled.is_none()
            && (is_late || knows_all && is_settled(&self.roster, expected, &plan.id))
        {
            let has_armed = |runner: &RunnerId| {
                self.roster
                    .get(runner)
                    .is_some_and(|one| has_armed(one, &plan.id))
            };
            *settled = Some(self.time.read(at, has_armed));
        }
        if !is_over(&self.roster, &sight) {
            return;
        }
        let ending = match (aborted.take(), settled.clone()) {
            (Some(abort), _) => Ending::Aborted {
                abort,
                plan: Some(plan.clone()),
            },
            (None, Some(time)) => Ending::Followed {
                plan: plan.clone(),
                expected: expected.clone(),
                time,
            },
            (None, None) => return,
        };
        self.finish(&ending, at);
    }

    fn abort(&mut self, ending: Ending) {
        self.intent = Some(Intent::Abort(Box::new(ending)));
    }

    fn finish(&mut self, ending: &Ending, at: Instant) {
        let (time, sight) = (self.read_time(at), self.sight(at));
        let aim = ending.plan().map(Aim::at).unwrap_or_default();
        let outcome = judge(&Facts {
            run: &run(),
            stage: &stage(),
            wanted: self.need.wanted,
            own_utc: utc(0),
            waited: true,
            followed: false,
            replaced: &BTreeSet::new(),
            ending,
            roster: &self.roster,
            muster: &muster(&self.roster, &time, aim, &sight),
            sight,
        });
        self.state = State::Ended(outcome.code.number());
    }

    /// Whether it is about to write.
    pub fn may_write(&self) -> bool {
        self.end().is_none() && self.intent.is_some()
    }

    /// Writes. `write_plan`: how the store does that.
    pub fn write(
        &mut self,
        store: &mut Store,
        answer: Answer,
        write_plan: impl Fn(&mut Store, &Plan, &Text) -> Write,
        now: Tick,
    ) {
        let at = Instant::from_std(mono(now));
        let Some(intent) = self.intent.take() else {
            return;
        };
        let mut write = |plan: &Plan| match answer {
            Answer::Lost => None,
            Answer::Heard => Some(write_plan(store, plan, &self.revision)),
            Answer::Unanswered => {
                write_plan(store, plan, &self.revision);
                None
            }
        };
        match intent {
            Intent::TimeLeft(plan) => match write(&plan) {
                Some(Write::Done) => {
                    (self.stands, self.told_left) = (true, Some(at));
                    // Its own write is no news, but for its revision.
                    self.seen = None.or(self.seen.take()).map(|mut seen| {
                        seen.plan = Some(Rc::from(plan.to_json()));
                        seen
                    });
                    self.looked = None;
                }
                Some(Write::Conflict) | None => self.read_again(),
            },
            Intent::Instant(plan, runners, clock) => match write(&plan) {
                Some(Write::Done) => self.stands(plan, runners, clock, at),
                Some(Write::Conflict) => self.read_again(),
                None => {
                    self.tried = Some((plan, runners, clock));
                    self.read_again();
                }
            },
            Intent::Abort(ending) => {
                if answer != Answer::Lost {
                    store.write_abort(&Abort::new(run(), "a scheduler", "it gave up"));
                }
                self.finish(&ending, at);
            }
        }
    }

    /// Whatever stands there is looked at as if it had not been seen.
    fn read_again(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.plan = Some(Rc::from("not read yet"));
        }
        self.looked = None;
    }
}
