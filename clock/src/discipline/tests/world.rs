//! A world of a test's own: true time, a machine that counts it more or less well,
//! and servers that tell it more or less truly.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::super::{Answers, Discipline, Heard, Next, Purpose, Round, SourceKind};
use crate::{
    Moment, Reading,
    ntp::{Leap, Sample},
    span,
    wall::WallReading,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MS: Duration = Duration::from_millis(1);

/// Noon, half a day from any leap second.
pub(super) fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_268_800, 0).unwrap()
}

const BILLION: i128 = 1_000_000_000;

/// A time server and the path to it.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) name: String,
    /// What each way takes at least, and how much longer it may take.
    pub(super) there: (Duration, Duration),
    pub(super) back: (Duration, Duration),
    /// Lost packets in a hundred; never all of the first round.
    pub(super) loss: u32,
    /// How far it says that it may be off.
    pub(super) dispersion: Duration,
    /// How far it truly is off.
    pub(super) error: TimeDelta,
    /// How much farther off each answer is, either way, at random.
    pub(super) wobble: Duration,
    pub(super) leap: Leap,
    /// Questions at once: four to a near server, one to another after the first
    /// round.
    pub(super) near: bool,
    pub(super) down: bool,
}

impl Server {
    /// A good one, 0.2 ms away.
    pub(super) fn near(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            there: (MS / 10, Duration::ZERO),
            back: (MS / 10, Duration::ZERO),
            loss: 0,
            dispersion: MS / 10,
            error: TimeDelta::zero(),
            wobble: Duration::ZERO,
            leap: Leap::None,
            near: true,
            down: false,
        }
    }

    pub(super) fn off(self, error: TimeDelta) -> Self {
        Self { error, ..self }
    }
}

/// The machine, the servers, and what the machine makes of them.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) discipline: Discipline,
    pub(super) servers: Vec<Server>,
    /// True UTC in billionths of nanoseconds since noon: so that no drift is rounded.
    utc: i128,
    ran: Duration,
    asleep: Duration,
    /// By how much UTC is faster than the raw clock, in parts in a billion.
    pub(super) rate: i64,
    /// Wall clock − UTC.
    pub(super) wall_off: TimeDelta,
    /// Seconds by which the count of UTC lags behind true time: leap seconds.
    leapt: TimeDelta,
    /// How long after its last answer each round ends: somebody is waited for in
    /// vain, or the process is stopped.
    pub(super) held_up: Duration,
    chance: StdRng,
    rounds: u32,
}

impl World {
    pub(super) fn new(servers: Vec<Server>) -> Self {
        Self::seeded(servers, 50 * MS, 0)
    }

    pub(super) fn seeded(servers: Vec<Server>, budget: Duration, seed: u64) -> Self {
        let start = Moment::after(3_600 * SECOND, Duration::ZERO);
        let wall = WallReading {
            at: start,
            wall: noon(),
            width: Duration::ZERO,
        };
        Self {
            discipline: Discipline::new(budget, wall),
            servers,
            utc: 0,
            ran: 3_600 * SECOND,
            asleep: Duration::ZERO,
            rate: 0,
            wall_off: TimeDelta::zero(),
            leapt: TimeDelta::zero(),
            held_up: Duration::ZERO,
            chance: StdRng::seed_from_u64(seed),
            rounds: 0,
        }
    }

    /// True UTC, as it is counted.
    pub(super) fn utc(&self) -> DateTime<Utc> {
        self.utc_after(Duration::ZERO)
    }

    pub(super) fn now(&self) -> Moment {
        Moment::after(self.ran, self.asleep)
    }

    /// How long the machine has run.
    pub(super) fn ran(&self) -> Duration {
        self.ran
    }

    pub(super) fn reading(&self) -> Reading {
        self.discipline.anchor().reading_at(self.now())
    }

    /// Whether the truth is within what the clock says.
    pub(super) fn is_covered(&self) -> bool {
        let reading = self.reading();
        reading.earliest <= self.utc() && self.utc() <= reading.latest
    }

    pub(super) fn luck(&mut self) -> f64 {
        self.chance.random()
    }

    /// Lets the machine run for so long, by its own raw clock.
    pub(super) fn run(&mut self, ran: Duration) {
        self.utc += gained(ran, self.rate);
        self.ran += ran;
    }

    /// Suspends the machine, which counts `counted` of the time that passed.
    pub(super) fn suspend(&mut self, passed: Duration, counted: Duration) {
        self.utc += passed.as_nanos().cast_signed() * BILLION;
        self.asleep += counted;
    }

    /// Stops the virtual machine, which knows nothing of it.
    pub(super) fn pause(&mut self, passed: Duration) {
        self.suspend(passed, Duration::ZERO);
    }

    /// Moves the truth forward, to `until`.
    pub(super) fn run_until(&mut self, until: DateTime<Utc>) {
        self.run(span::positive(until - self.utc()));
    }

    /// From now on UTC is counted by this much less.
    pub(super) fn leap(&mut self, by: TimeDelta) {
        self.leapt += by;
        self.wall_off += by;
    }

    /// Goes on for so long, holding each round that is due.
    pub(super) fn live(&mut self, duration: Duration) {
        let end = self.ran + duration;
        while self.ran < end {
            self.go_on(end.saturating_sub(self.ran));
        }
    }

    /// Does what there is to do next, and looks again after half a second at the
    /// latest.
    pub(super) fn go_on(&mut self, at_most: Duration) -> Option<Purpose> {
        match self.discipline.next(self.now()) {
            Next::Wait(pause) => {
                self.run(pause.min(at_most).min(SECOND / 2));
                None
            }
            Next::Round(purpose) => {
                self.hold_a_round(purpose);
                Some(purpose)
            }
        }
    }

    /// Goes on until the next round has been held, which is told.
    pub(super) fn live_to_next_round(&mut self) -> Purpose {
        loop {
            if let Some(purpose) = self.go_on(Duration::MAX) {
                return purpose;
            }
        }
    }

    pub(super) fn hold_a_round(&mut self, purpose: Purpose) {
        let servers = self.servers.clone();
        let answers: Vec<_> = servers.iter().map(|server| self.ask(server)).collect();
        let took = answers.iter().map(|(took, _)| *took).max();
        self.run(took.unwrap_or(MS) + self.held_up);
        let heard = answers.into_iter().map(|(_, heard)| heard).collect();
        self.hear(purpose, heard);
    }

    pub(super) fn hear(&mut self, purpose: Purpose, heard: Vec<Heard>) {
        let end = WallReading {
            at: self.now(),
            wall: self.utc() + self.wall_off,
            width: Duration::ZERO,
        };
        self.rounds += 1;
        let luck = self.luck();
        let answers = Answers {
            heard,
            awaited: 0,
            nobody_else: false,
        };
        self.discipline.hear(purpose, &Round { end, answers }, luck);
    }

    /// What a server says from now on, and how long that takes.
    fn ask(&mut self, server: &Server) -> (Duration, Heard) {
        let first = self.rounds == 0;
        let questions = if server.near || first { 4 } else { 1 };
        let mut samples = Vec::new();
        let mut asked = Duration::ZERO;
        for question in 0..questions {
            let there = self.delay(server.there);
            let back = self.delay(server.back);
            let spared = first && question + 1 == questions && samples.is_empty();
            let lost = self.chance.random_range(0..100) < server.loss && !spared;
            if !(lost || server.down) {
                samples.push(self.sample(server, asked, there, back));
            }
            asked += there + back;
        }
        let heard = Heard {
            name: server.name.clone(),
            kind: SourceKind::Ntp,
            troubles: samples.is_empty().then(|| "no answer".to_owned()),
            samples,
        };
        (asked, heard)
    }

    /// What a server without any jitter would say in an answer that comes now.
    pub(super) fn sample_of(&self, server: &Server) -> Sample {
        Sample {
            at: self.now(),
            utc: self.utc() + server.error,
            bound: server.dispersion,
            round_trip: server.there.0 + server.back.0,
            root_delay: Duration::ZERO,
            root_dispersion: server.dispersion,
            stratum: 2,
            leap: server.leap,
        }
    }

    fn delay(&mut self, (least, jitter): (Duration, Duration)) -> Duration {
        least + jitter.mul_f64(self.luck())
    }

    fn sample(
        &mut self,
        server: &Server,
        asked: Duration,
        there: Duration,
        back: Duration,
    ) -> Sample {
        let wobble = span::signed(server.wobble.mul_f64(self.luck()))
            - span::signed(server.wobble.mul_f64(self.luck()));
        let told = self.utc_after(asked + there) + server.error + wobble;
        let round_trip = there + back;
        Sample {
            at: Moment::after(self.ran + asked + round_trip, self.asleep),
            utc: told + round_trip / 2,
            bound: round_trip / 2
                + round_trip / 2_000
                + server.dispersion
                + Duration::from_nanos(3),
            round_trip,
            root_delay: Duration::ZERO,
            root_dispersion: server.dispersion,
            stratum: 2,
            leap: server.leap,
        }
    }

    fn utc_after(&self, ran: Duration) -> DateTime<Utc> {
        let nanoseconds = (self.utc + gained(ran, self.rate)).div_euclid(BILLION);
        noon() + TimeDelta::nanoseconds(i64::try_from(nanoseconds).unwrap()) + self.leapt
    }
}

/// What UTC gains on a raw clock that runs for `ran`, in billionths of nanoseconds.
fn gained(ran: Duration, rate: i64) -> i128 {
    ran.as_nanos().cast_signed() * (BILLION + i128::from(rate))
}
