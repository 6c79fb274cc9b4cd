//! Everything that speaks to Kubernetes, besides the store: the run's Job, its pods and its
//! events as witnesses of a start, and the rights that it takes.

mod access;
mod client;
mod credentials;
mod error;
mod events;
mod job;
mod pods;
mod watching;
mod witness;

pub use access::{check_agents, check_own};
pub use client::Cluster;
pub use error::ClusterError;
pub use job::{Awaited, JobName, await_job, find_job};
pub use pods::check_selector;
pub use witness::{Subject, Witness};

#[cfg(test)]
mod tests;
