//! UTC as this machine can know it, and waiting for an instant of it.
//!
//! A [`Clock`] ties UTC to `CLOCK_MONOTONIC_RAW` and from there on only counts: no
//! time daemon slews that clock and nobody can step it, so what happens to the
//! machine's wall clock meanwhile changes nothing (`CLOCK_MONOTONIC` has been seen
//! 8 % fast while a daemon corrected 300 ms). [`Clock::now`] answers earliest, latest
//! and how it knows ([`Reading`]), never one figure alone.
//!
//! [`start`] gives a clock that is measured against time servers again and again on a
//! thread of its own, and its [`Timekeeper`], who is told the instant and the firing;
//! [`measure`] measures once. [`ntp`] asks the servers, `discipline` makes of their
//! answers what can be known, [`Knowledge`] tells it, and [`Clock::fit_at`] says
//! whether that is good enough to start by.
//!
//! [`wait_until`] blocks the thread it is called on until an instant.
//!
//! The machine's own clocks are read in one place, the [`Timebase`], which
//! tests replace by a simulated machine (feature `simulation`).

mod anchor;
mod cancel;
mod clock;
mod discipline;
mod http_date;
mod moment;
mod panel;
mod reading;
mod span;
mod timebase;
mod timekeeper;
mod wall;

pub mod kernel;
pub mod ntp;
pub mod wait;

#[cfg(any(test, feature = "simulation"))]
pub mod simulation;

pub use cancel::Cancel;
pub use clock::Clock;
pub use discipline::{
    Closing, Figures, Firing, Knowledge, Obstacle, SourceKind, SourceKnowledge, Terms, Unfit,
    Verdict, fit,
};
pub use http_date::date_witness;
pub use moment::{Moment, Raw};
pub use reading::{ErrorBound, Reading, Status};
pub use timebase::{MachineTimebase, Timebase};
pub use timekeeper::{Timekeeper, measure, start};
pub use wait::{Disturbance, Outcome, wait_until};
