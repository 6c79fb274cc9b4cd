//! The scheduler on a real API server, with real Jobs and runners that are no k6: there is no node, so what a kubelet would
//! write to a pod's status, the tests write.
#![allow(clippy::unwrap_used)]

mod access;
mod agent;
mod ends;
mod job;
mod load;
mod pods;
mod rights;
mod signals;
mod stages;
