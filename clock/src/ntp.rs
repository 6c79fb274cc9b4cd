//! From a time server to samples: an SNTP client (RFC 5905).

mod sample;

pub use sample::{Leap, Sample};
