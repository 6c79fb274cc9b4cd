//! From time servers to samples: an SNTP client (RFC 5905).
//!
//! [`Sources::round`] asks all servers of a [`NtpSetting`] at the same time and
//! tells of each what came of it: [`Sample`]s, and [`Trouble`]s with their reasons.
//! What to make of them is decided elsewhere. In between are
//!
//! - `packet`, `format`: what is on the wire,
//! - `check`, `kiss`: whether it is an answer, and a valid one,
//! - `arrival`, `sample`: when it came, and what it says of the time,
//! - `socket`, `exchange`: asking one address, over one socket,
//! - `server`, `lookup`: a name, and its addresses,
//! - `pace`, `standing`: how often an address may be asked, and whether it is,
//! - `source`, `sources`: a name with its one vote, and all of them,
//! - `progress`: what has been said while others are still waited for,
//! - `claims`: which name an address votes for.
//!
//! It works on the raw clock. The wall clock serves for nothing but to convert the
//! kernel's receive stamps, and is checked for that.

mod arrival;
mod check;
mod claims;
mod exchange;
mod format;
mod kiss;
mod limit;
mod lookup;
mod pace;
mod progress;
mod sample;
mod server;
mod setting;
mod socket;
mod source;
mod sources;
mod standing;
mod trouble;

pub mod packet;

#[cfg(test)]
mod same_as_sntpc;
#[cfg(test)]
mod tests;

pub use check::{Rejection, Stray};
pub use format::{Short, Timestamp};
pub use kiss::Kiss;
pub use lookup::LookupFailure;
pub use pace::Occasion;
pub(crate) use progress::SoFar;
pub use sample::{Leap, Sample};
pub use server::{InvalidServer, NTP_PORT, Server};
pub use setting::{InvalidNtpSetting, NtpSetting};
pub use source::{SourceFailure, SourceReport};
pub use sources::Sources;
pub use trouble::{Reason, Trouble};
