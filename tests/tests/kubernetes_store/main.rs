//! The store in Kubernetes on a real API server, as scheduler and runners use it.
#![allow(clippy::unwrap_used)]

mod crowd;
mod date;
mod faults;
mod orders;
mod owners;
mod refusals;
mod rights;
