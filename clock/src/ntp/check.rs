//! Whether a packet is the answer to a question of ours, and a valid one.
//!
//! The two are different. What does not prove that it answers this question
//! may come from anybody: it is skipped, and the answer still waited for
//! ([`Stray`]). What does prove it, by the random timestamp that nobody else
//! knows, and is still no good, ends the question ([`Rejection`]).

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use chrono::TimeDelta;
use thiserror::Error;

use super::{
    Kiss, Leap,
    format::Timestamp,
    packet::{MODE_SERVER, Packet, VERSION},
};
use crate::span;

/// How far a server may be off, by its own account. RFC 5905 has one second
/// (§A.1.1, MAXDIST); this is what ntpd made of it (`tos maxdist`), since honest
/// servers that have just started are a little above that.
const MAX_ROOT_DISTANCE: Duration = Duration::from_millis(1_500);

/// The oldest version that is understood: its header is that of version 4.
const OLDEST_VERSION: u8 = 3;

/// The highest stratum of a synchronised server (RFC 5905 §7.3, figure 11).
const MAX_STRATUM: u8 = 15;

/// The frequency error that Linux corrects, and so the most that a clock runs
/// off by, in parts in a million (`MAXFREQ` in the kernel).
const MAX_DRIFT_PPM: u32 = 500;

/// Why a packet is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Stray {
    /// It comes from somebody else.
    #[error("a packet came from {0} instead")]
    OtherSender(SocketAddr),
    /// It has no room for an NTP header.
    #[error("a packet of {0} bytes came, which is too short for NTP")]
    Short(usize),
    /// Its origin timestamp is not the one that was sent.
    #[error("a packet came that answers no question of ours (its origin timestamp is foreign)")]
    ForeignOrigin,
    /// It answers a question that had its answer.
    #[error("an answer came twice")]
    Duplicate,
    /// It answers a question that was given up.
    #[error("an answer came too late")]
    Late,
}

/// Why the answer to our question is no valid one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The mode is not 4.
    #[error("it answered in mode {0}, which is not a server's (4)")]
    Mode(u8),
    /// The version is neither 3 nor 4.
    #[error("it answered in NTP version {0}; known are 3 and 4")]
    Version(u8),
    /// A kiss-o'-death.
    #[error("it refuses to tell the time (kiss code {0})")]
    Kiss(Kiss),
    /// Leap indicator 3.
    #[error("its clock is not synchronised (leap indicator 3)")]
    Unsynchronised,
    /// The stratum is 0 without a kiss code, or above 15.
    #[error("its stratum is {0}, and a synchronised server's is 1 to 15")]
    Stratum(u8),
    /// The receive timestamp is zero.
    #[error("its receive timestamp is zero")]
    NoReceiveTime,
    /// The transmit timestamp is zero.
    #[error("its transmit timestamp is zero")]
    NoTransmitTime,
    /// It says that it answered before it was asked.
    #[error("it answered {0:?} before it was asked, by its own clock")]
    Reversed(Duration),
    /// It says that it took longer than the question and the answer together.
    #[error("it held the question {0:?} longer than the answer took to come")]
    NegativeRoundTrip(Duration),
    /// It is too far from its own source.
    #[error(
        "by its own account it may be off by {0:?}; trusted is less than {most:?}",
        most = MAX_ROOT_DISTANCE
    )]
    RootDistance(Duration),
    /// Its clock was last corrected in the future.
    #[error("its clock was last corrected {0:?} after it answered, by itself")]
    ReferenceInFuture(Duration),
}

/// A question that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    /// Its transmit timestamp: random, so that nobody can answer who has not
    /// seen it.
    pub(super) transmit: Timestamp,
    /// Whether its answer has come.
    pub(super) answered: bool,
}

/// Reads a packet of `bytes` that came from `sender`, if it answers the last of
/// the questions to `server`.
pub(super) fn recognise(
    bytes: &[u8],
    sender: SocketAddr,
    server: SocketAddr,
    questions: &[Question],
) -> Result<Packet, Stray> {
    if !is_same(sender, server) {
        return Err(Stray::OtherSender(sender));
    }
    let packet = Packet::decode(bytes).map_err(|short| Stray::Short(short.length))?;
    let asked = questions
        .iter()
        .rposition(|question| question.transmit == packet.origin)
        .ok_or(Stray::ForeignOrigin)?;
    if questions[asked].answered {
        Err(Stray::Duplicate)
    } else if asked + 1 < questions.len() {
        Err(Stray::Late)
    } else {
        Ok(packet)
    }
}

/// Whether both are one address and port. A flow label says nothing, and a
/// scope only where it was asked for.
fn is_same(sender: SocketAddr, server: SocketAddr) -> bool {
    let scopes_agree = match (sender, server) {
        (SocketAddr::V6(sender), SocketAddr::V6(server)) => {
            server.scope_id() == 0 || sender.scope_id() == server.scope_id()
        }
        _ => true,
    };
    canonical(sender) == canonical(server) && scopes_agree
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// What a valid answer says, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Valid {
    pub(super) receive: Timestamp,
    pub(super) transmit: Timestamp,
    pub(super) precision: Duration,
    pub(super) root_delay: Duration,
    pub(super) root_dispersion: Duration,
    pub(super) stratum: u8,
    pub(super) leap: Leap,
}

/// Checks the answer to a question, which came `elapsed` after that was sent.
///
/// The order matters where several things are wrong: what the server says of
/// itself comes before what it says of the time, and of itself the kiss code
/// first, since a kiss-o'-death need not have anything else right.
pub(super) fn check(packet: &Packet, elapsed: Duration) -> Result<Valid, Rejection> {
    if packet.mode != MODE_SERVER {
        return Err(Rejection::Mode(packet.mode));
    }
    if !(OLDEST_VERSION..=VERSION).contains(&packet.version) {
        return Err(Rejection::Version(packet.version));
    }
    if packet.stratum == 0
        && let Some(kiss) = Kiss::in_reference_id(packet.reference_id)
    {
        return Err(Rejection::Kiss(kiss));
    }
    let leap = packet.leap.ok_or(Rejection::Unsynchronised)?;
    if !(1..=MAX_STRATUM).contains(&packet.stratum) {
        return Err(Rejection::Stratum(packet.stratum));
    }
    check_times(packet, elapsed)?;
    let valid = Valid {
        receive: packet.receive,
        transmit: packet.transmit,
        precision: precision(packet.precision),
        root_delay: packet.root_delay.duration(),
        root_dispersion: packet.root_dispersion.duration(),
        stratum: packet.stratum,
        leap,
    };
    let distance = (valid.root_delay / 2)
        .saturating_add(valid.root_dispersion)
        .saturating_add(valid.precision);
    if distance >= MAX_ROOT_DISTANCE {
        return Err(Rejection::RootDistance(distance));
    }
    Ok(valid)
}

fn check_times(packet: &Packet, elapsed: Duration) -> Result<(), Rejection> {
    if packet.receive == Timestamp::ZERO {
        return Err(Rejection::NoReceiveTime);
    }
    if packet.transmit == Timestamp::ZERO {
        return Err(Rejection::NoTransmitTime);
    }
    let held = packet.transmit.since(packet.receive);
    if held < TimeDelta::zero() {
        return Err(Rejection::Reversed(span::positive(held.abs())));
    }
    // Its clock may be read and run a little off, and so may ours.
    let allowed = elapsed
        .saturating_add(drift(elapsed))
        .saturating_add(precision(packet.precision));
    let too_long = span::positive(held).saturating_sub(allowed);
    if !too_long.is_zero() {
        return Err(Rejection::NegativeRoundTrip(too_long));
    }
    // A server that has no reference time says zero.
    let ahead = span::positive(packet.reference.since(packet.transmit));
    if packet.reference != Timestamp::ZERO && !ahead.is_zero() {
        return Err(Rejection::ReferenceInFuture(ahead));
    }
    Ok(())
}

/// The most that a clock gains or loses in `elapsed`, rounded up to a nanosecond.
pub(super) fn drift(elapsed: Duration) -> Duration {
    (elapsed.saturating_mul(MAX_DRIFT_PPM) / 1_000_000).saturating_add(Duration::from_nanos(1))
}

/// 2 to the power of `exponent` seconds, rounded up to a nanosecond.
fn precision(exponent: i8) -> Duration {
    let power = u32::from(exponent.unsigned_abs());
    if exponent < 0 {
        let ns = 1_000_000_000_u64.checked_shr(power).unwrap_or(0);
        Duration::from_nanos(ns + 1)
    } else {
        Duration::from_secs(1_u64.checked_shl(power).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
