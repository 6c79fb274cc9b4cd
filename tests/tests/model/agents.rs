//! A process of an agent: the real machine of its phases, and around it what its I/O does.

use agent::decide::{
    admission::Rules,
    ending::K6Exit,
    instant::{Instant, may_fire},
    machine::{Action, Event, Machine, Moment, Reply, Settings, StopSignal, Triggered},
    mark::Mark,
};
use clock::fit;
use rendezvous::{ClockReport, Incarnation, Plan, Report, RunnerId};
use std::time::Duration;

use super::{
    store::{Store, Text, run, stage},
    time::{STEP, Tick, knowledge, mono, reading, utc},
    world::Planted,
};

/// k6 of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum K6 {
    /// Not started.
    Absent,
    /// Builds its VUs.
    Building,
    /// Waits for the resume.
    Waiting,
    /// Was resumed then.
    Running { since: Tick, seen: bool },
    /// Is about to end.
    Ending(K6Exit),
    /// Has ended.
    Gone,
}

/// The thread that waits for the instant.
#[derive(Clone, Debug)]
struct Countdown {
    instant: Instant,
    clock: clock::Terms,
    /// Whether it was tried to write that the runner is armed.
    tried_to_write: bool,
    called_off: bool,
}

/// A process that lives.
#[derive(Clone, Debug)]
pub struct Agent {
    number: usize,
    incarnation: u32,
    machine: Machine,
    /// What happens to k6.
    pub k6: K6,
    seen: Option<(Text, Text)>,
    ticked: Tick,
    dirty: bool,
    countdown: Option<Countdown>,
    said: Option<Triggered>,
    /// The mark that stands beside its report.
    pub mark: Option<Mark>,
}

/// What came of the countdown.
pub struct Fired {
    /// The plan that the agent holds.
    pub plan: Option<Plan>,
    /// The instant that it counted down to.
    pub instant: chrono::DateTime<chrono::Utc>,
}

/// The id of a runner.
pub fn id(number: usize) -> RunnerId {
    RunnerId::new(format!("r{number}")).unwrap()
}

fn settings(planted: Planted, mark: Option<Mark>) -> Settings {
    let run = match planted {
        // It takes another run's plan for its own.
        Planted::AnyPlanIsOurs => super::world::another_run(),
        _ => run(),
    };
    Settings {
        rules: Rules {
            run,
            stage: stage(),
            late: None,
            late_tolerance: None,
        },
        clock: clock::Terms {
            budget: Duration::from_millis(50),
            require_ntp: false,
        },
        mark,
        early_setup: false,
        teardown: false,
        setup_max_age: None,
        deadline: STEP * 3,
        ready_timeout: STEP * 60,
        grace: STEP * 3,
        max_run: STEP * 60,
    }
}

impl Agent {
    /// A process that begins now. It reads first what an earlier one has left.
    pub fn start(
        number: usize,
        incarnation: u32,
        (store, mark): (&Store, Option<Mark>),
        now: Tick,
        planted: Planted,
    ) -> Self {
        let knowledge = knowledge(now);
        let settings = settings(planted, mark.clone());
        let mut agent = Self {
            number,
            incarnation,
            machine: Machine::new(settings, moment(now, &knowledge)),
            k6: K6::Absent,
            seen: None,
            ticked: now,
            dirty: true,
            countdown: None,
            said: None,
            mark,
        };
        let earlier = match planted {
            Planted::NobodyRemembers => None,
            _ => store.read_report(number).unwrap(),
        };
        agent.take(Event::Earlier(earlier.map(Box::new)), now);
        agent
    }

    /// The code that it is to exit with, once it is to end.
    pub fn end(&self) -> Option<u8> {
        self.machine.end().map(|end| end.code)
    }

    fn take(&mut self, event: Event, now: Tick) {
        let knowledge = knowledge(now);
        let actions = self.machine.handle(event, moment(now, &knowledge));
        // Told to people; what is the same but for it, is the same.
        self.machine.take_notes();
        for action in actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::StartK6 => self.k6 = K6::Building,
            Action::StopK6 => self.end_k6(K6Exit::Code(103)),
            Action::SignalK6(StopSignal::HangUp) => self.end_k6(K6Exit::Signal(1)),
            Action::SignalK6(_) => self.end_k6(K6Exit::Code(105)),
            Action::KillK6 => self.end_k6(K6Exit::Signal(9)),
            Action::Arm {
                start_at,
                late,
                tolerance,
                clock,
            } => {
                self.dirty = true;
                if let (Some(plan), _) = self.machine.plan() {
                    self.mark = Some(Mark {
                        plan: plan.clone(),
                        start_at,
                        late,
                        fired: false,
                    });
                }
                self.countdown = Some(Countdown {
                    instant: Instant {
                        start_at,
                        late,
                        tolerance,
                    },
                    clock,
                    tried_to_write: false,
                    called_off: false,
                });
            }
            Action::Disarm => {
                if let Some(countdown) = &mut self.countdown {
                    countdown.called_off = true;
                }
            }
            Action::Report => self.dirty = true,
            _ => {}
        }
    }

    fn end_k6(&mut self, exit: K6Exit) {
        if !matches!(self.k6, K6::Absent | K6::Gone) {
            self.k6 = K6::Ending(exit);
        }
    }

    // What can happen to it, each with whether it can now.

    /// Whether the board has changed since it looked, or time has passed since it was told. `is_told`: whether it is.
    pub fn may_look(&self, store: &Store, now: Tick, is_told: bool) -> bool {
        self.end().is_none() && (self.has_news(store) || is_told && self.ticked < now)
    }

    fn has_news(&self, store: &Store) -> bool {
        let board = (store.plan.clone(), store.abort.clone());
        self.seen.as_ref() != Some(&board)
    }

    /// Looks at the board, is told that time has passed, and renews its report if it has nothing else to say.
    pub fn look(&mut self, store: &mut Store, now: Tick, is_told: bool) {
        if self.has_news(store) {
            self.seen = Some((store.plan.clone(), store.abort.clone()));
            let event = Event::Board {
                plan: store.read_plan(),
                abort: store.read_abort(),
            };
            self.take(event, now);
        }
        if is_told && self.ticked < now {
            self.ticked = now;
            self.take(Event::Tick, now);
            if !self.dirty && self.end().is_none() && !self.machine.must_not_report() {
                self.write(Some(store), now);
            }
        }
    }

    /// Whether something happens next that nobody else can see or disturb: in whatever order with what others do, it
    /// comes to the same.
    pub fn is_busy_with_itself(&self) -> bool {
        let shows = matches!(self.k6, K6::Building | K6::Running { seen: false, .. });
        self.end().is_none() && (self.said.is_some() || shows)
    }

    /// Whether k6 has something to show.
    pub fn may_see_k6(&self, now: Tick) -> bool {
        let is_news = match self.k6 {
            K6::Building | K6::Ending(_) => true,
            // A load lasts a step.
            K6::Running { since, seen } => !seen || since < now,
            K6::Absent | K6::Waiting | K6::Gone => false,
        };
        // The thread's word comes first, as it does where it has only just been said.
        self.end().is_none() && self.said.is_none() && is_news
    }

    /// Sees what k6 does.
    pub fn see_k6(&mut self, now: Tick) {
        let status = |status| Event::Status { status, vus: None };
        let event = match self.k6 {
            K6::Building => {
                self.k6 = K6::Waiting;
                status(4)
            }
            K6::Running { since, seen: false } => {
                self.k6 = K6::Running { since, seen: true };
                status(7)
            }
            K6::Running { .. } => {
                self.k6 = K6::Gone;
                Event::K6Ended(K6Exit::Code(0))
            }
            K6::Ending(exit) => {
                self.k6 = K6::Gone;
                Event::K6Ended(exit)
            }
            K6::Absent | K6::Waiting | K6::Gone => return,
        };
        self.take(event, now);
    }

    /// Whether k6 could end before its time.
    pub fn k6_may_die(&self) -> bool {
        matches!(self.k6, K6::Building | K6::Waiting | K6::Running { .. })
    }

    /// k6 ends before its time.
    pub fn k6_dies(&mut self) {
        self.k6 = K6::Ending(K6Exit::Signal(9));
    }

    /// Whether there is a report to write.
    pub fn may_write(&self) -> bool {
        self.dirty && self.end().is_none() && !self.machine.must_not_report()
    }

    /// Writes its report; `None` where it failed.
    pub fn write(&mut self, store: Option<&mut Store>, now: Tick) {
        let report = self.report(now);
        if let Some(countdown) = &mut self.countdown {
            countdown.tried_to_write = true;
        }
        self.dirty = false;
        if let Some(store) = store {
            store.write_report(self.number, &report);
        }
    }

    /// Whether the thread that waits for the instant has come to its end.
    pub fn may_fire(&self, now: Tick) -> bool {
        self.countdown.as_ref().is_some_and(|countdown| {
            let is_time = utc(now) >= countdown.instant.start_at && countdown.tried_to_write;
            is_time || countdown.called_off
        })
    }

    /// The thread resumes k6, unless it may not.
    pub fn fire(&mut self, reply: Reply, now: Tick) -> Option<Fired> {
        let countdown = self.countdown.take()?;
        let (reading, knowledge) = (reading(now), knowledge(now));
        let fitness = fit(&reading, &knowledge, countdown.clock);
        let judged = match may_fire(&countdown.instant, &reading, fitness) {
            _ if countdown.called_off => Err(Triggered::Disarmed),
            Ok(()) if self.k6 != K6::Waiting => Err(Triggered::NotSent("k6 has ended".to_owned())),
            judged => judged,
        };
        let instant = countdown.instant.start_at;
        let (said, fired) = match judged {
            Err(not_sent) => (not_sent, None),
            Ok(()) => {
                self.k6 = K6::Running {
                    since: now,
                    seen: false,
                };
                let sent = Triggered::Sent {
                    fired_at: utc(now),
                    lateness: utc(now) - instant,
                    clock_error: None,
                    reply,
                };
                (
                    sent,
                    Some(Fired {
                        plan: self.plan(),
                        instant,
                    }),
                )
            }
        };
        self.said = Some(said);
        fired
    }

    /// The plan that it looked at last.
    fn plan(&self) -> Option<Plan> {
        let (plan, _) = self.seen.as_ref()?;
        Plan::from_json(plan.as_deref()?).ok()
    }

    /// Whether the thread has said something.
    pub fn may_hear(&self) -> bool {
        self.end().is_none() && self.said.is_some()
    }

    /// Hears what the thread has said.
    pub fn hear(&mut self, now: Tick) {
        if let Some(said) = self.said.take() {
            if let (Triggered::Sent { .. }, Some(mark)) = (&said, &mut self.mark) {
                mark.fired = true;
            }
            self.take(Event::Triggered(said), now);
        }
    }

    fn report(&self, now: Tick) -> Report {
        let (plan, armed) = self.machine.plan();
        let end = self.machine.end();
        Report {
            run: run(),
            stage: stage(),
            runner: id(self.number),
            name: id(self.number).to_string(),
            node: None,
            container: None,
            incarnation: Incarnation::new(format!("r{}-{}", self.number, self.incarnation))
                .unwrap(),
            // In one step a later one says more, and is never taken for older.
            sequence: u64::from(now),
            phase: self.machine.phase(),
            plan: plan.cloned(),
            armed,
            clock: ClockReport {
                utc: utc(now),
                error: None,
                source: "system clock".to_owned(),
                offset: None,
                used: Vec::new(),
                rejected: Vec::new(),
            },
            vus: None,
            waiting_for: None,
            setup_took: None,
            start: self.machine.start().cloned(),
            exit_code: end.map(|end| end.code),
            reason: None,
            k6_errors: Vec::new(),
        }
    }
}

fn moment<'a>(now: Tick, knowledge: &'a clock::Knowledge) -> Moment<'a> {
    Moment {
        mono: mono(now),
        time: reading(now),
        knowledge,
    }
}
