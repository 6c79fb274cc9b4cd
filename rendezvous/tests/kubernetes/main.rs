//! The store in Kubernetes against an API server that does what it is told, faults and all.
//! What the real one does is seen in the workspace's own tests.
#![allow(clippy::unwrap_used)]

mod api;
mod faults;
#[path = "../../../scheduler/src/testing/logged.rs"]
mod logged;
mod planning;
mod plans;
mod reporting;
mod reports;
mod samples;
mod words;
