//! The documents and the directory store, as the two sides use them.
#![allow(clippy::unwrap_used)]

mod documents;
mod holding;
mod knowing;
mod race;
mod reading;
mod samples;
mod strictness;
mod watching_plans;
mod watching_reports;
mod words;
mod writing;
