//! The SNTP client against real servers, crooked paths and servers that lie.

#![allow(clippy::unwrap_used)]

mod support;

mod bad_answers;
mod clouds;
mod liars;
mod paths;
mod real_server;
mod rounds;
mod stray_packets;
mod timekeeping;
