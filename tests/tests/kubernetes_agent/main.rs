//! The real agent with the real k6 as a container of a pod sees it: with a real API server, its service account's
//! files, and exactly the rights that the shipped Role gives.
#![allow(clippy::unwrap_used)]

mod alone;
mod away;
mod ends;
mod lost;
mod pod;
mod restart;
mod rights;
mod start;
