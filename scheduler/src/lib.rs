//! `tminus-scheduler`: gathers the runners of a load test, sets the instant at which all of
//! them start, follows the start through and tells what came of it.
//!
//! | folder | what is there |
//! |---|---|
//! | `decide` | every decision, as pure functions over values: who counts, is there a quorum, what time it is, when the instant is, what came of it |
//! | `run` | one start from the first look at the store to the result: thin I/O around those |
//! | `cluster` | all that speaks to Kubernetes besides the store: the run's Job, its pods and events as witnesses, the rights that a start takes |
//! | `local` | the agents as children of this process, on one machine |
//! | `show` | what people and machines get to read |
//! | `cli`, `commands` | the command line, and what each command does with it |
//!
//! The scheduler has no wall clock. It waits by the monotonic one, and what time
//! it is, it takes from the runners' reports.

pub mod cli;
pub mod cluster;
pub mod commands;
pub mod decide;
pub mod exit;
pub mod first_requests;
mod local;
mod log;
pub mod run;
pub mod show;
pub mod trouble;

#[cfg(test)]
mod testing;
