//! What the tests ask, and what stands between.

pub mod chronyd;
pub mod fake_server;
pub mod measure;
pub mod network;
pub mod relay;

use chrono::{DateTime, Utc};
use clock::{MachineTimebase, Timebase};

/// The machine's wall clock, which chronyd and the fake servers tell.
pub fn wall() -> DateTime<Utc> {
    MachineTimebase.wall()
}
