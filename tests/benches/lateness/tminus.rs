//! A start by the agent's own code, from a clock that is kept measured to the resume.

use std::{net::SocketAddr, sync::mpsc, time::Duration};

use agent::control::{
    ownership::Owner,
    trigger::{Order, wait_and_resume},
};
use agent::decide::{instant::Instant, machine::Triggered};
use chrono::{DateTime, TimeDelta, Utc};
use clock::{
    Cancel, Clock, MachineTimebase, SourceKind, Status, Terms, Timekeeper, wait::DEFAULT_SPIN,
};
use rendezvous::LatePolicy;
use support::wait;

/// The agent's default.
pub const MAX_CLOCK_ERROR: Duration = Duration::from_millis(50);

/// Far more than the first round takes.
const MEASURED_WITHIN: Duration = Duration::from_secs(60);

/// A clock that is measured all the time.
///
/// Its keeper is told of no instant: these follow each other so closely that nothing would be measured between
/// them. So the last round before a firing is up to some 20 s old; for a single start it is at most 8.
pub struct Tminus {
    clock: Clock,
    _keeper: Timekeeper,
}

/// What the agent knows of a start.
pub struct Fired {
    /// How late it was when it began to send, by its own clock.
    pub lateness: TimeDelta,
    /// How far that clock may have been off.
    pub bound: Duration,
}

impl Tminus {
    /// Gives it when it is synchronised.
    pub fn synchronised_by(server: SocketAddr) -> Self {
        let setting = server.to_string().parse().unwrap();
        let (clock, keeper) =
            clock::start(MachineTimebase, &setting, MAX_CLOCK_ERROR, || {}).unwrap();
        let by = SourceKind::Ntp;
        wait::until("a synchronised clock", MEASURED_WITHIN, || {
            (clock.now().status == Status::Synchronised { by }).then_some(())
        });
        Self {
            clock,
            _keeper: keeper,
        }
    }

    /// Resumes the target at the instant. Blocks until the resume is answered.
    pub fn start(&self, target: Owner, instant: DateTime<Utc>) -> Fired {
        let order = Order {
            instant: Instant {
                start_at: instant,
                // None is left out, however late.
                late: LatePolicy::Join,
                tolerance: Duration::ZERO,
            },
            clock: Terms {
                budget: MAX_CLOCK_ERROR,
                require_ntp: true,
            },
            owner: target,
            spin: DEFAULT_SPIN,
        };
        let (written, armed_written) = mpsc::channel();
        written.send(()).unwrap();
        let outgoing = wait_and_resume(&order, &armed_written, &self.clock, &Cancel::new());
        match outgoing.triggered {
            Triggered::Sent {
                lateness,
                clock_error,
                ..
            } => Fired {
                lateness,
                bound: clock_error.unwrap(),
            },
            other => panic!("{other:?}"),
        }
    }
}
