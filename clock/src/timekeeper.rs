//! The thread that keeps a clock measured.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{
    Cancel, Clock, Moment, Timebase,
    discipline::{Answers, Discipline, Next, Purpose, Round, Witness},
    ntp::{NtpSetting, Occasion},
    panel::Panel,
    wall::WallReading,
};

/// The thread looks at the clock at least so often, however far the next round is:
/// it sleeps on a clock that may be slewed by a tenth and stands still in a suspend,
/// and the final round has a window of five seconds.
const LOOK: Duration = Duration::from_millis(500);

/// Keeps a clock measured, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Timekeeper {
    commands: Sender<Command>,
    cancel: Cancel,
}

/// What the thread is told.
#[derive(Debug)]
enum Command {
    InstantSet(DateTime<Utc>),
    Fired(Moment),
    Close,
    Budget(Duration),
    Witness(Witness),
}

/// Starts measuring: gives the clock, which is [`Unsynchronised`] until something is
/// known, and who keeps it measured.
///
/// A source whose own bound exceeds `budget` does not vote. `changed` is called, on
/// a thread of the keeper's, after every round and whenever else [`Clock::knowledge`] has changed; it
/// must not block. With [`NtpSetting::None`] the clock takes the machine's at its
/// word, nothing is measured, and `changed` is never called.
///
/// # Errors
/// If there is no thread to be had.
///
/// [`Unsynchronised`]: crate::Status::Unsynchronised
pub fn start(
    timebase: impl Timebase + 'static,
    setting: &NtpSetting,
    budget: Duration,
    changed: impl Fn() + Send + Sync + 'static,
) -> io::Result<(Clock, Timekeeper)> {
    let (commands, told) = mpsc::channel();
    let cancel = Cancel::new();
    let keeper = Timekeeper {
        commands,
        cancel: cancel.clone(),
    };
    let Some(ask) = questions(setting) else {
        return Ok((Clock::system(timebase), keeper));
    };
    let clock = Clock::unsynchronised(timebase);
    let mut keeping = Keeping::new(clock.clone(), ask, budget, cancel);
    thread::Builder::new()
        .name("timekeeper".to_owned())
        .spawn(move || keeping.go_on(&told, &changed))?;
    Ok((clock, keeper))
}

/// Measures now: a first round, and as many more, two seconds apart, as it takes to
/// settle a doubt. Blocks for as long as that takes: some milliseconds with near
/// servers that answer, seven seconds with others, twenty at the most. The clock that
/// it gives is not measured any more.
///
/// With [`NtpSetting::None`] nothing is measured.
pub fn measure(timebase: impl Timebase + 'static, setting: &NtpSetting, budget: Duration) -> Clock {
    let Some(ask) = questions(setting) else {
        return Clock::system(timebase);
    };
    let clock = Clock::unsynchronised(timebase);
    Keeping::new(clock.clone(), ask, budget, Cancel::new()).settle();
    clock
}

/// How many rounds [`measure`] holds at most: three must agree, and one may be the
/// first of the row in vain.
const MOST_ROUNDS: u32 = 4;

impl Timekeeper {
    /// The instant is set: measure once more shortly before it, and let nothing
    /// replace what is known in the last second.
    pub fn instant_set(&self, instant: DateTime<Utc>) {
        self.tell(Command::InstantSet(instant));
    }

    /// The instant has come, and was acted upon at `at`: measure once more, and say in
    /// [`Knowledge::firing`](crate::Knowledge::firing) what time that was.
    pub fn fired(&self, at: Moment) {
        self.tell(Command::Fired(at));
    }

    /// There is nothing left that the closing round could disturb: hold it at once,
    /// if it is still to be held.
    pub fn close(&self) {
        self.tell(Command::Close);
    }

    /// From the next round on, a source's bound may be no more than `budget` to vote.
    pub fn budget(&self, budget: Duration) {
        self.tell(Command::Budget(budget));
    }

    /// An HTTP server said `date` in a response that came at `received`, `round_trip`
    /// after it was asked. Only for responses that no cache or proxy has had in hand
    /// (no `Age`, no `Via`).
    ///
    /// It warns ([`Knowledge::witness_disagrees`](crate::Knowledge::witness_disagrees)),
    /// and keeps a single source from being believed that would move the wall clock by
    /// more than ten minutes.
    pub fn witness(&self, date: DateTime<Utc>, received: Moment, round_trip: Duration) {
        self.tell(Command::Witness(Witness::new(date, received, round_trip)));
    }

    fn tell(&self, command: Command) {
        // Without NTP nobody listens, and there is nothing to be done.
        let _ = self.commands.send(command);
    }
}

impl Drop for Timekeeper {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Asks everybody whose turn it is, as [`Panel::ask`].
type Ask = Box<
    dyn FnMut(&Clock, Occasion, Duration, &Cancel, &(dyn Fn(Answers) + Sync)) -> Answers + Send,
>;

fn questions(setting: &NtpSetting) -> Option<Ask> {
    let mut panel = Panel::of(setting)?;
    Some(Box::new(move |clock, occasion, budget, cancel, so_far| {
        panel.ask(clock, occasion, budget, cancel, so_far)
    }))
}

/// Who is told that what is known has changed.
type Changed = dyn Fn() + Send + Sync;

/// The thread's own.
struct Keeping {
    clock: Clock,
    ask: Ask,
    discipline: Discipline,
    cancel: Cancel,
}

impl Keeping {
    fn new(clock: Clock, ask: Ask, budget: Duration, cancel: Cancel) -> Self {
        let wall = WallReading::take(clock.timebase());
        Self {
            clock,
            ask,
            discipline: Discipline::new(budget, wall),
            cancel,
        }
    }

    fn go_on(&mut self, told: &Receiver<Command>, changed: &Changed) {
        while !self.cancel.is_cancelled() {
            match self.discipline.next(self.clock.moment()) {
                Next::Wait(pause) => match told.recv_timeout(pause.min(LOOK)) {
                    Ok(command) => self.obey(command),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                Next::Round(purpose) => self.hold_a_round(purpose, Some(told), changed),
            }
            changed();
        }
    }

    fn settle(&mut self) {
        let mut rounds = 0;
        while rounds < MOST_ROUNDS {
            let now = self.clock.moment();
            match self.discipline.next(now) {
                Next::Wait(_) if self.discipline.is_settled(now) => return,
                Next::Wait(pause) => thread::sleep(pause.min(LOOK)),
                Next::Round(purpose) => {
                    self.hold_a_round(purpose, None, &|| {});
                    rounds += 1;
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let luck = rand::random();
        match command {
            Command::InstantSet(instant) => self.discipline.set_instant(instant, luck),
            Command::Fired(at) => self.discipline.fire(at, luck),
            Command::Close => self.discipline.close(self.clock.moment()),
            Command::Budget(budget) => self.discipline.set_budget(budget),
            Command::Witness(witness) => self.discipline.hear_witness(witness),
        }
        self.publish();
    }

    /// What was `told` while the round went on happened before it was heard. Where some
    /// have said enough to go by, that is known before the others have answered, or have
    /// been waited for in vain.
    fn hold_a_round(
        &mut self,
        purpose: Purpose,
        told: Option<&Receiver<Command>>,
        changed: &Changed,
    ) {
        let (clock, budget) = (&self.clock, self.discipline.budget());
        let known = Mutex::new((&mut self.discipline, changed));
        let so_far = |answers| {
            // What is known is replaced as a whole, so that which a panicking thread held is sound.
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let (discipline, changed) = &mut *known;
            let end = WallReading::take(clock.timebase());
            if discipline.hear_so_far(&Round { end, answers }) {
                publish(clock, discipline);
                changed();
            }
        };
        let answers = (self.ask)(clock, purpose.occasion(), budget, &self.cancel, &so_far);
        if self.cancel.is_cancelled() {
            // What was cut short says nothing of the sources.
            return;
        }
        while let Some(Ok(command)) = told.map(Receiver::try_recv) {
            self.obey(command);
        }
        let end = WallReading::take(self.clock.timebase());
        let round = Round { end, answers };
        self.discipline.hear(purpose, &round, rand::random());
        self.publish();
    }

    fn publish(&self) {
        publish(&self.clock, &self.discipline);
    }
}

fn publish(clock: &Clock, discipline: &Discipline) {
    clock.learn(discipline.anchor(), discipline.knowledge().clone());
}

#[cfg(test)]
mod tests;
