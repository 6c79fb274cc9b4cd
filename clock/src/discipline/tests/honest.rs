//! Whatever happens to the machine, the path and up to a minority of the servers:
//! the bound holds, and who is honest is never called a liar.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::world::{SECOND, Server, World};
use crate::{
    Closing, Status, Verdict,
    anchor::Anchor,
    discipline::{Interval, Purpose, agreement::majority},
};

/// Something that happens while one waits.
#[derive(Debug, Clone)]
enum Event {
    /// The wall clock is set.
    WallStep(TimeDelta),
    /// The machine sleeps; its real-time clock is off by a part of a second.
    Suspend { passed: Duration, counted: Duration },
    /// The process does not run.
    Freeze(Duration),
    /// From now on rounds end so much later than with their last answer.
    HeldUp(Duration),
    /// The oscillator gets warmer or colder: so many parts in a billion from its
    /// usual rate.
    Wander(i64),
    /// A server cannot be reached any more, or again.
    Down(usize, bool),
    /// One that lies tells another lie.
    Lie(usize, TimeDelta),
    /// The network gets slower: so much more there, and back.
    Congestion(Duration, Duration),
}

#[derive(Debug, Clone)]
struct Scenario {
    servers: Vec<Server>,
    liars: usize,
    rate: i64,
    wall_off: TimeDelta,
    events: Vec<(Duration, Event)>,
    wait: Duration,
    seed: u64,
}

fn milliseconds(most: u64) -> impl Strategy<Value = Duration> {
    (0..=most * 1_000).prop_map(Duration::from_micros)
}

fn offset(most_ms: i64) -> impl Strategy<Value = TimeDelta> {
    (-most_ms * 1_000..=most_ms * 1_000).prop_map(TimeDelta::microseconds)
}

/// The small ones are the cunning ones: they overlap with the truth.
fn lie() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![offset(5), offset(50), offset(3_000)]
}

fn server() -> impl Strategy<Value = Server> {
    let way = || (milliseconds(30), milliseconds(20));
    let far = (way(), way(), milliseconds(20));
    let quick = || (milliseconds(1), milliseconds(1));
    let near = (quick(), quick(), milliseconds(1));
    let path = prop_oneof![
        near.prop_map(|path| (path, true)),
        far.prop_map(|path| (path, false))
    ];
    // How far off of what it says that it may be, in parts of a thousand.
    (path, 0..=30_u32, -1_000..=1_000_i32).prop_map(
        |(((there, back, dispersion), near), loss, off)| {
            let most = TimeDelta::from_std(dispersion).unwrap();
            Server {
                there,
                back,
                loss,
                dispersion,
                near,
                error: most * off / 2_000,
                wobble: dispersion / 2,
                ..Server::near("")
            }
        },
    )
}

fn event(servers: usize) -> impl Strategy<Value = Event> {
    let suspend = (1..600_000_u64, -1_000..=1_000_i64).prop_map(|(ms, off)| Event::Suspend {
        passed: Duration::from_millis(ms),
        counted: Duration::from_millis(ms.saturating_add_signed(off).max(2)),
    });
    prop_oneof![
        offset(7_200_000).prop_map(Event::WallStep),
        suspend,
        milliseconds(5_000).prop_map(Event::Freeze),
        milliseconds(9_000).prop_map(Event::HeldUp),
        (-5_000..=5_000_i64).prop_map(Event::Wander),
        (0..servers, any::<bool>()).prop_map(|(server, down)| Event::Down(server, down)),
        (0..servers, lie()).prop_map(|(server, lie)| Event::Lie(server, lie)),
        (milliseconds(40), milliseconds(40))
            .prop_map(|(there, back)| Event::Congestion(there, back)),
    ]
}

fn scenario(longest: Duration) -> impl Strategy<Value = Scenario> {
    let servers = prop::collection::vec(server(), 1..6);
    servers.prop_flat_map(move |servers| {
        let most_liars = servers.len() - majority(servers.len());
        let longest = u64::try_from(longest.as_millis()).unwrap();
        let at = (0..longest).prop_map(Duration::from_millis);
        let event = event(servers.len());
        (
            Just(servers),
            0..=most_liars,
            -490_000..=490_000_i64,
            offset(1_200_000),
            prop::collection::vec((at, event), 0..12),
            (15_000..longest).prop_map(Duration::from_millis),
            (lie(), any::<u64>()),
        )
            .prop_map(
                |(mut servers, liars, rate, wall_off, events, wait, (lie, seed))| {
                    for (place, server) in servers.iter_mut().enumerate() {
                        server.name = place.to_string();
                        if place < liars {
                            server.dispersion = Duration::ZERO;
                            server.error = lie;
                        }
                    }
                    Scenario {
                        servers,
                        liars,
                        rate,
                        wall_off,
                        events,
                        wait,
                        seed,
                    }
                },
            )
    })
}

/// A wall clock that is 20 minutes behind is waited for, but not for ever.
const GIVE_UP: Duration = Duration::from_secs(1_500);

/// What is watched all the time.
struct Watch {
    scenario: Scenario,
    world: World,
    instant: DateTime<Utc>,
    /// Every anchor by which something could start, and when it was taken up.
    anchors: Vec<(Duration, Anchor)>,
    ran: Duration,
}

impl Watch {
    fn new(scenario: Scenario) -> Self {
        // Wide, so that no honest server loses its vote: who votes decides how many
        // liars there may be.
        let budget = 60 * SECOND;
        let mut world = World::seeded(scenario.servers.clone(), budget, scenario.seed);
        world.rate = scenario.rate;
        world.wall_off = scenario.wall_off;
        Self {
            instant: world.utc() + scenario.wait,
            anchors: Vec::new(),
            ran: Duration::ZERO,
            scenario,
            world,
        }
    }

    fn happens(&mut self, event: &Event) {
        let world = &mut self.world;
        match *event {
            Event::WallStep(by) => world.wall_off += by,
            Event::Suspend { passed, counted } => world.suspend(passed, counted),
            Event::Freeze(frozen) => world.run(frozen),
            Event::HeldUp(by) => world.held_up = by,
            Event::Wander(by) => world.rate = self.scenario.rate + by,
            Event::Down(server, down) => world.servers[server].down = down,
            Event::Lie(server, lie) if server < self.scenario.liars => {
                world.servers[server].error = lie;
            }
            Event::Lie(..) => {}
            Event::Congestion(there, back) => {
                for server in &mut world.servers {
                    server.there.1 += there;
                    server.back.1 += back;
                }
            }
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let reading = self.world.reading();
        if reading.status != Status::Unsynchronised {
            prop_assert!(
                self.world.is_covered(),
                "{} is not within {reading:?}",
                self.world.utc()
            );
        }
        let sources = &self.world.discipline.knowledge().sources;
        for source in &sources[self.scenario.liars.min(sources.len())..] {
            let falsely = matches!(
                source.verdict,
                Verdict::Falseticker { .. } | Verdict::ContradictsItself
            );
            prop_assert!(!falsely, "{source:?}");
        }
        let anchor = self.world.discipline.anchor();
        let fit = !matches!(reading.status, Status::Unsynchronised | Status::InDoubt);
        if fit && self.anchors.last().is_none_or(|(_, last)| *last != anchor) {
            self.anchors.push((self.world.ran(), anchor));
        }
        Ok(())
    }

    /// Waits for the instant by what the clock says, as whoever fires does, and says
    /// whether it came: a clock that is never synchronised shows none.
    fn wait(&mut self) -> Result<bool, TestCaseError> {
        let luck = self.world.luck();
        self.world.discipline.set_instant(self.instant, luck);
        let mut events = self.scenario.events.clone();
        events.sort_by_key(|(at, _)| *at);
        let mut events = events.into_iter().peekable();
        loop {
            while let Some((_, event)) = events.next_if(|(at, _)| *at <= self.ran) {
                self.happens(&event);
                self.check()?;
            }
            // A clock that is not synchronised shows what the wall clock shows: its
            // owner waits for it to be.
            let reading = self.world.reading();
            let left = (self.instant - reading.midpoint())
                .to_std()
                .unwrap_or_default();
            if reading.status != Status::Unsynchronised && left.is_zero() {
                return Ok(true);
            }
            if self.ran > 2 * self.scenario.wait + GIVE_UP {
                prop_assert_eq!(reading.status, Status::Unsynchronised);
                return Ok(false);
            }
            let before = self.world.ran();
            let left = if left.is_zero() { SECOND } else { left };
            self.world.go_on(left);
            self.ran += self.world.ran() - before;
            self.check()?;
        }
    }

    /// By the clock itself nothing may have replaced the anchor in the last second.
    fn check_the_last_second(&self) -> Result<(), TestCaseError> {
        let fired = self.world.ran();
        let last_second = Interval {
            earliest: self.instant - TimeDelta::seconds(1),
            latest: self.instant,
        };
        let at = self.world.now();
        for (taken_up, anchor) in &self.anchors {
            let ago = fired - *taken_up;
            let then = anchor.reading_at(at).midpoint() - ago;
            let swapped = last_second.earliest < then && then < last_second.latest;
            // Not before a suspend, which is not in `ago`.
            let slept = self
                .scenario
                .events
                .iter()
                .any(|(_, event)| matches!(event, Event::Suspend { .. }));
            prop_assert!(
                slept || !swapped,
                "an anchor was taken up {ago:?} before the end"
            );
        }
        Ok(())
    }
}

fn the_bound_holds(scenario: Scenario) -> Result<(), TestCaseError> {
    let mut watch = Watch::new(scenario);
    if !watch.wait()? {
        return Ok(());
    }
    watch.check_the_last_second()?;

    let fired = watch.world.utc();
    let luck = watch.world.luck();
    watch.world.discipline.fire(watch.world.now(), luck);
    while watch.world.live_to_next_round() != Purpose::Closing {}
    watch.check()?;
    let firing = watch.world.discipline.knowledge().firing;
    prop_assert!(firing.is_some());
    if let Some(firing) = firing {
        let off = (firing.utc - fired).abs().to_std().unwrap();
        prop_assert!(off <= firing.bound, "{off:?} > {:?}", firing.bound);
        prop_assert!(
            !matches!(firing.closing, Closing::Jumped { .. }),
            "{firing:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_bound_always_holds_over_minutes(scenario in scenario(240 * SECOND)) {
        the_bound_holds(scenario)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_bound_always_holds_over_an_hour(scenario in scenario(3_600 * SECOND)) {
        the_bound_holds(scenario)?;
    }
}
