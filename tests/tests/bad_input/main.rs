//! Bad input of every kind, to both programs: a clear message, the right code, nothing started and nothing lost.
#![allow(clippy::unwrap_used)]

mod damaged;
mod options;
mod script;
mod store;
mod told;
