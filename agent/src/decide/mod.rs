//! What a runner does: pure functions over values, without any I/O.

pub mod admission;
pub mod ending;
pub mod instant;
pub mod machine;
pub mod mark;
pub mod setup;
