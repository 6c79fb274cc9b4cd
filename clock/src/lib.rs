//! UTC as this machine can know it, and waiting for an instant of it.
//!
//! A [`Clock`] ties UTC to `CLOCK_MONOTONIC_RAW` once and from then on only
//! counts: no time daemon slews that clock and nobody can step it, so what
//! happens to the machine's wall clock afterwards changes nothing
//! (`CLOCK_MONOTONIC` has been seen 8 % fast while a daemon corrected 300 ms).
//! [`Clock::now`] answers earliest, latest and how it knows ([`Reading`]), never
//! one figure alone.
//!
//! [`wait_until`] blocks the thread it is called on until an instant.
//!
//! The machine's own clocks are read in one place, the [`Timebase`], which
//! tests replace by a simulated machine (feature `simulation`).

mod anchor;
mod cancel;
mod clock;
mod moment;
mod reading;
mod span;
mod timebase;
mod wall;

pub mod ntp;
pub mod wait;

#[cfg(any(test, feature = "simulation"))]
pub mod simulation;

pub use cancel::Cancel;
pub use clock::Clock;
pub use moment::{Moment, Raw};
pub use reading::{ErrorBound, Reading, Status};
pub use timebase::{MachineTimebase, Timebase};
pub use wait::{Disturbance, Outcome, wait_until};
