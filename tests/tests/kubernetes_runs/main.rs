//! Load tests on a real node: the manifests that are shipped, the image of our Dockerfile, the scheduler in a pipeline
//! outside the cluster with the rights of its Role, and what happens to pods in between.
#![allow(clippy::unwrap_used)]

mod api_away;
mod both_stages;
mod cancelled;
mod closed;
mod evicted;
mod held_back;
mod in_cluster;
mod load;
mod lost;
mod others;
mod restarted;
