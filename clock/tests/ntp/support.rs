//! What the tests ask, and what stands between.

pub mod measure;
pub mod relay;

pub use ::support::{
    network,
    ntp::{ask, chronyd, fake_server},
    programs,
};

use chrono::{DateTime, Utc};
use clock::{MachineTimebase, Timebase};

/// The machine's wall clock, which chronyd and the fake servers tell.
pub fn wall() -> DateTime<Utc> {
    MachineTimebase.wall()
}
