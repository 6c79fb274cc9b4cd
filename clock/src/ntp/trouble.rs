//! What went wrong with a source, in words that an operator can act on.

use std::{fmt, io, net::SocketAddr, time::Duration};

use thiserror::Error;

use super::{Kiss, Rejection, Stray, lookup::LookupFailure};

/// Something that went wrong with a source, once or several times in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The address that was asked; none if it never came to that.
    pub address: Option<SocketAddr>,
    /// What went wrong.
    pub reason: Reason,
    /// How often, at least once.
    pub times: u32,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address {
            write!(f, "{address}: ")?;
        }
        write!(f, "{}", self.reason)?;
        if self.times > 1 {
            write!(f, " ({} times)", self.times)?;
        }
        Ok(())
    }
}

/// Why a question to a server had no valid answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// The name gave no address to ask.
    #[error(transparent)]
    Lookup(#[from] LookupFailure),
    /// Nothing came in time.
    #[error("no answer within {within:?} (UDP {port} blocked? an egress NetworkPolicy?)")]
    NoAnswer {
        /// For how long it was waited.
        within: Duration,
        /// The server's port.
        port: u16,
    },
    /// The machine is there, and says that no server is (ICMP).
    #[error("refused: nothing listens on this UDP port there")]
    Refused,
    /// The question could not be sent, or a router says that it cannot arrive.
    #[error("it cannot be reached from here: {0}")]
    Unreachable(String),
    /// The answer is no valid one.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A packet was skipped that is no answer; the wait for one went on.
    #[error(transparent)]
    Skipped(#[from] Stray),
    /// It said once that it does not want to be asked.
    #[error("not asked again since it refused (kiss code {0})")]
    LeftAlone(Kiss),
    /// Another name has this address, and it has one vote.
    #[error("the same server as {0}, which has the vote")]
    SameAs(String),
    /// The round ended, or was called off, before it could be asked.
    #[error("the round ended before it was asked")]
    RoundOver,
    /// This machine has no thread or socket to spare.
    #[error("it could not be asked: {0}")]
    Local(String),
}

impl Reason {
    /// What an error of the socket means.
    pub(super) fn of_socket(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            // What firewalls on this very node answer with, those that enforce
            // a NetworkPolicy among them.
            io::ErrorKind::PermissionDenied => Self::Unreachable(format!(
                "{error} (an egress NetworkPolicy? a firewall here?)"
            )),
            _ => Self::Unreachable(error.to_string()),
        }
    }
}

/// Adds up troubles of the same kind.
#[derive(Debug, Default)]
pub(super) struct Troubles(Vec<Trouble>);

impl Troubles {
    pub(super) fn add(&mut self, address: Option<SocketAddr>, reason: impl Into<Reason>) {
        let reason = reason.into();
        let same = |known: &&mut Trouble| known.address == address && known.reason == reason;
        if let Some(known) = self.0.iter_mut().find(same) {
            known.times = known.times.saturating_add(1);
        } else if self.0.len() < MOST_KINDS {
            self.0.push(Trouble {
                address,
                reason,
                times: 1,
            });
        }
    }

    pub(super) fn into_vec(self) -> Vec<Trouble> {
        self.0
    }
}

/// How many kinds of trouble are told of one address in a round: a flood of
/// packets from ever other addresses must not fill the memory, and no human reads
/// more.
const MOST_KINDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(reason: impl Into<Reason>) -> Trouble {
        let mut troubles = Troubles::default();
        troubles.add("10.0.0.2:123".parse().ok(), reason);
        troubles.into_vec().remove(0)
    }

    #[test]
    fn a_server_that_does_not_answer_is_told_with_what_to_look_at() {
        let reason = Reason::NoAnswer {
            within: Duration::from_secs(1),
            port: 123,
        };
        assert_eq!(
            trouble(reason).to_string(),
            "10.0.0.2:123: no answer within 1s (UDP 123 blocked? an egress NetworkPolicy?)"
        );
    }

    #[test]
    fn errors_of_the_socket_are_told_by_what_they_mean() {
        let told =
            |errno| trouble(Reason::of_socket(&io::Error::from_raw_os_error(errno))).to_string();
        assert_eq!(
            told(libc::ECONNREFUSED),
            "10.0.0.2:123: refused: nothing listens on this UDP port there"
        );
        assert_eq!(
            told(libc::EPERM),
            "10.0.0.2:123: it cannot be reached from here: Operation not permitted (os error 1) \
             (an egress NetworkPolicy? a firewall here?)"
        );
        assert_eq!(
            told(libc::ENETUNREACH),
            "10.0.0.2:123: it cannot be reached from here: Network is unreachable (os error 101)"
        );
    }

    #[test]
    fn the_same_trouble_is_told_once_with_how_often_it_was() {
        let mut troubles = Troubles::default();
        for _ in 0..3 {
            troubles.add(None, Rejection::Unsynchronised);
            troubles.add("10.0.0.2:123".parse().ok(), Stray::Duplicate);
        }
        let told: Vec<_> = troubles
            .into_vec()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "its clock is not synchronised (leap indicator 3) (3 times)",
                "10.0.0.2:123: an answer came twice (3 times)",
            ]
        );
    }

    #[test]
    fn a_flood_of_strangers_does_not_fill_the_memory() {
        let mut troubles = Troubles::default();
        for port in 0..10_000 {
            let stranger = SocketAddr::from(([127, 0, 0, 1], port));
            troubles.add(None, Stray::OtherSender(stranger));
        }
        assert_eq!(troubles.into_vec().len(), MOST_KINDS);
    }
}
