//! k6's process: started in a group of its own, its standard error passed on
//! and remembered, ended by signals to the whole group.

pub mod child;
pub mod family;
pub mod guard;
pub mod orphans;
pub mod port;
pub mod signals;
pub mod stderr;
