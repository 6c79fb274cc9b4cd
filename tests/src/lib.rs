//! What the tests of tminus share: the programs under test and the real k6, guards that leave no process and no
//! file behind, an HTTP target that knows when each runner's load began, and a stand-in for k6 that shows on
//! demand the faults that the real one shows rarely.
//!
//! Everything here is synchronous on its outside, so that it serves tests with and without an async runtime, and
//! fails by panicking with all that is known: its only callers are tests.
#![allow(clippy::unwrap_used)]

pub mod build_service;
pub mod cluster;
pub mod fake_k6;
mod http;
pub mod load_test;
pub mod manifests;
pub mod mark;
pub mod moment;
pub mod mounts;
pub mod network;
pub mod ntp;
pub mod process;
pub mod programs;
pub mod runner;
pub mod scheduler;
pub mod scratch;
pub mod stage;
pub mod store_run;
pub mod target;
pub mod wait;
pub mod wall_clock;
pub mod wall_clocks;
pub mod wrapped_k6;

pub use http::client;
