//! Runners on machines whose wall clocks differ by minutes, started together by one time server.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use chrono::TimeDelta;
use rendezvous::Phase;

use crate::{
    runner::{Launch, SOON},
    stage::Stage,
    target::Target,
    wall_clock::WallClock,
};

/// What the runners' machines believe beside the truth, in seconds: as nodes have been seen to.
pub const WALL_CLOCKS: [(&str, f64); 3] = [("slow", -0.13), ("fast", 420.0), ("true", 0.0)];

/// How far their offsets may be from the truth: they are measured on a machine that may be busy.
const MEASURED_WITHIN: f64 = 0.05;

/// Long enough for the runners to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// When the first requests of such a start came.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The earliest, after the instant.
    pub first: TimeDelta,
    /// The latest, after the instant.
    pub last: TimeDelta,
}

impl Start {
    /// How far apart they were.
    pub fn apart(&self) -> Duration {
        (self.last - self.first).to_std().unwrap()
    }
}

/// Starts the three once, with this command for k6, by the server there, which has the machine's time. Nothing where
/// libfaketime is not to be had.
///
/// # Panics
/// If one of them does not find out by how much its clock is off, or does not start.
pub fn start(server: SocketAddr, k6: &[OsString]) -> Option<Start> {
    let (stage, target) = (Stage::new(), Target::start());
    let clocks = WALL_CLOCKS.map(|(_, ahead)| WallClock::ahead_by(ahead));
    let mut runners = Vec::new();
    for ((name, ahead), clock) in WALL_CLOCKS.into_iter().zip(clocks) {
        let runner = Launch::new(&stage, name)
            .env("TARGET", target.url())
            // There are more runners than cores.
            .options(["--ntp", &server.to_string(), "--spin", "0s"])
            .believing(&clock?)
            .start(k6);
        runners.push((runner, ahead));
    }
    for (runner, ahead) in &runners {
        let clock = runner.wait_for_phase(Phase::Ready, SOON).clock;
        let offset = clock.offset.unwrap().as_seconds_f64();
        assert!((offset + ahead).abs() < MEASURED_WITHIN, "{clock:?}");
    }
    let instant = stage.set_in(LEAD);
    for (runner, _) in &runners {
        runner.ended(SOON).assert(Phase::Finished, 0);
    }
    let load = target.first_requests();
    assert_eq!(load.len(), runners.len());
    let after = || load.values().map(|hits| hits.first.utc - instant);
    Some(Start {
        first: after().min().unwrap(),
        last: after().max().unwrap(),
    })
}
