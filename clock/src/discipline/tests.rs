#![allow(clippy::unwrap_used)]

mod contradiction;
mod firing;
mod honest;
mod jump;
mod leap;
mod start;
mod votes;
mod words;
mod world;
