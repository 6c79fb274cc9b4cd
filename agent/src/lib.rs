//! `tminus-agent`: the entrypoint wrapper in every runner image. It starts k6
//! paused, reports when it is ready, waits for the instant and resumes it.
//!
//! [`decide`] holds every decision as pure functions over values; [`control`]
//! talks to k6's API, [`process`] owns k6's process, [`run`] ties them to the store.

pub mod cli;
pub mod clock_check;
pub mod control;
pub mod decide;
pub mod log;
#[cfg(test)]
#[path = "../../scheduler/src/testing/logged.rs"]
#[allow(clippy::unwrap_used)]
mod logged;
pub mod process;
pub mod run;
