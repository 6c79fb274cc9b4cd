//! How often a server may be asked, and how often at once.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The first measurement: every server, in bursts; names are resolved.
    Start,
    /// The same again while nothing is known: every server that does not ask for
    /// less, public ones at intervals; names are resolved where none of their
    /// addresses had a valid answer the last time.
    Retry,
    /// While waiting: the servers whose turn it is. Names are resolved again
    /// where none of their addresses had a valid answer the last time.
    Waiting,
    /// Just before and just after the instant: every server that does not ask
    /// for less, by the addresses known. No name is resolved.
    Final,
}

impl Occasion {
    #[cfg(test)]
    pub(super) const ALL: [Self; 4] = [Self::Start, Self::Retry, Self::Waiting, Self::Final];

    /// The longest that a round takes.
    pub fn limit(self) -> Duration {
        match self {
            // A name, then four questions two seconds apart, the last of which
            // waits for its answer.
            Self::Start => Duration::from_secs(9),
            // A name, then four questions that wait for their answer.
            Self::Retry | Self::Waiting => Duration::from_secs(6),
            // One question and half of another. It begins 3 s before the instant at
            // the latest, and what is learnt in the last second is not used.
            Self::Final => Duration::from_millis(1_500),
        }
    }

    /// Whether names may be resolved.
    pub(crate) fn resolves(self) -> bool {
        self != Self::Final
    }
}

/// Whose server it is, by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// Within the cluster, the network or the cloud that this machine is in.
    Near,
    /// Somebody else's, who would rather be asked less.
    Public,
}

/// Several questions in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Burst {
    pub(super) questions: u32,
    /// From sending one to sending the next; zero: once the answer is there.
    pub(super) spacing: Duration,
}

/// The quickest of so many answers is rarely one that was held up on its way.
const BURST: u32 = 4;

/// What RFC 5905 has between the packets of a burst (§13.1), and public servers
/// that limit rates put up with.
const PUBLIC_SPACING: Duration = Duration::from_secs(2);

/// At 500 ppm the bound grows by 8 ms in this time.
const NEAR_INTERVAL: Duration = Duration::from_secs(16);

/// The least that RFC 8633 §3.2 and the pools' terms of use find polite (a poll
/// exponent of 6).
const PUBLIC_INTERVAL: Duration = Duration::from_secs(64);

/// The shortest poll interval that RFC 5905 has (§7.2, MINPOLL).
const PUBLIC_RETRY: Duration = Duration::from_secs(16);

impl Distance {
    pub(super) fn of(address: IpAddr) -> Self {
        let near = match address.to_canonical() {
            IpAddr::V4(v4) => {
                v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared(v4)
            }
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        };
        if near { Self::Near } else { Self::Public }
    }

    pub(super) fn burst(self, occasion: Occasion) -> Burst {
        match (self, occasion) {
            (Self::Near, _) => Burst {
                questions: BURST,
                spacing: Duration::ZERO,
            },
            (Self::Public, Occasion::Start) => Burst {
                questions: BURST,
                spacing: PUBLIC_SPACING,
            },
            // One that limits rates answers one to three of a later burst.
            (Self::Public, _) => Burst {
                questions: 1,
                spacing: Duration::ZERO,
            },
        }
    }

    /// From one round to the next, give or take a fifth; none if there is no need to
    /// wait.
    pub(super) fn interval(self, occasion: Occasion) -> Option<Duration> {
        match (self, occasion) {
            (_, Occasion::Start | Occasion::Final) | (Self::Near, Occasion::Retry) => None,
            (Self::Public, Occasion::Retry) => Some(PUBLIC_RETRY),
            (_, Occasion::Waiting) => Some(self.usual_interval()),
        }
    }

    /// The same in the ordinary.
    pub(super) fn usual_interval(self) -> Duration {
        match self {
            Self::Near => NEAR_INTERVAL,
            Self::Public => PUBLIC_INTERVAL,
        }
    }
}

/// Addresses of carriers' and clusters' own networks (RFC 6598).
fn is_shared(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [100, second, _, _] if second & 0xc0 == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(address: &str) -> Distance {
        Distance::of(address.parse().expect("an address"))
    }

    #[test]
    fn addresses_that_nobody_routes_are_near() {
        for address in [
            "127.0.0.1",
            "10.0.0.2",
            "172.31.0.2",
            "192.168.1.1",
            "169.254.169.123",
            "100.64.0.1",
            "100.127.255.254",
            "::1",
            "::ffff:10.0.0.2",
            "fd00:ec2::123",
            "fe80::1",
        ] {
            assert_eq!(distance(address), Distance::Near, "{address}");
        }
    }

    #[test]
    fn all_others_are_public() {
        for address in [
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "2001:db8::1",
        ] {
            assert_eq!(distance(address), Distance::Public, "{address}");
        }
    }

    #[test]
    fn public_servers_are_asked_gently() {
        let burst = |occasion| Distance::Public.burst(occasion);
        assert_eq!(burst(Occasion::Start).spacing, PUBLIC_SPACING);
        assert_eq!(burst(Occasion::Waiting).questions, 1);
        assert_eq!(burst(Occasion::Retry).questions, 1);
        assert_eq!(burst(Occasion::Final).questions, 1);
        let interval = |occasion| Distance::Public.interval(occasion);
        assert_eq!(interval(Occasion::Waiting), Some(Duration::from_secs(64)));
        assert_eq!(interval(Occasion::Retry), Some(Duration::from_secs(16)));
    }

    #[test]
    fn a_whole_burst_fits_into_its_round() {
        for occasion in Occasion::ALL {
            let burst = Distance::Public.burst(occasion);
            let answer = Duration::from_secs(1);
            assert!(burst.spacing * (burst.questions - 1) + answer <= occasion.limit());
        }
    }
}
