//! Control of k6 through its REST API, on loopback, and of nobody else's.

pub mod api;
pub mod line;
pub mod ownership;
pub mod trigger;
