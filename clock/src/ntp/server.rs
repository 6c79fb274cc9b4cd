//! The name of a time server, as it is given on a command line.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use thiserror::Error;

/// The port of NTP (RFC 5905 §7.2).
pub const NTP_PORT: u16 = 123;

/// A time server: a name or an address, and a port.
///
/// Written `host`, `host:port`, `10.0.0.2`, `10.0.0.2:123`, `fd00::2`,
/// `[fd00::2]` or `[fd00::2]:123`; an IPv6 address may have a zone
/// (`fe80::1%eth0`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    host: String,
    port: u16,
}

/// Why a text names no time server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{text}' is no time server: {why} (expected host, host:port or [IPv6 address]:port)")]
pub struct InvalidServer {
    text: String,
    why: &'static str,
}

impl Server {
    /// The name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, if it is one and no name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for Server {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        parse(text).map_err(|why| InvalidServer {
            text: text.to_owned(),
            why,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_v6 = self.host.contains(':');
        match (is_v6, self.port) {
            (_, NTP_PORT) => f.write_str(&self.host),
            (false, port) => write!(f, "{}:{port}", self.host),
            (true, port) => write!(f, "[{}]:{port}", self.host),
        }
    }
}

fn parse(text: &str) -> Result<Server, &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("a bracket is not closed")?;
        let port = match port.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if port.is_empty() => NTP_PORT,
            None => return Err("something stands between the bracket and the port"),
        };
        return ipv6(host, port);
    }
    match text.split_once(':') {
        None => named(text, NTP_PORT),
        Some((_, rest)) if rest.contains(':') => ipv6(text, NTP_PORT),
        Some((host, port)) => named(host, parse_port(port)?),
    }
}

fn ipv6(host: &str, port: u16) -> Result<Server, &'static str> {
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host, None),
    };
    let valid = address.parse::<Ipv6Addr>().is_ok()
        && zone.is_none_or(|zone| {
            !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic())
        });
    if !valid {
        return Err("that is no IPv6 address");
    }
    Ok(Server {
        host: host.to_owned(),
        port,
    })
}

fn named(host: &str, port: u16) -> Result<Server, &'static str> {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() {
        return Err("the host is missing");
    }
    if !host.bytes().all(is_name_byte) {
        return Err("a host name has letters, digits, '-', '.' and '_' only");
    }
    // What looks like an address is one: a resolver would make 10.1 into 10.0.0.1.
    let looks_like_v4 = host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if looks_like_v4 && host.parse::<IpAddr>().is_err() {
        return Err("that is no IPv4 address");
    }
    Ok(Server {
        host: host.to_owned(),
        port,
    })
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err("the port is no number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(text: &str) -> (String, u16) {
        let server: Server = text.parse().expect("it is one");
        (server.host().to_owned(), server.port())
    }

    #[test]
    fn names_and_addresses_with_and_without_a_port_are_understood() {
        for (text, host, port) in [
            ("ntp.example.com", "ntp.example.com", 123),
            ("ntp.example.com:1123", "ntp.example.com", 1123),
            ("ntp", "ntp", 123),
            ("ntp_1.example.com.", "ntp_1.example.com.", 123),
            ("10.0.0.2", "10.0.0.2", 123),
            ("10.0.0.2:65535", "10.0.0.2", 65535),
            ("::1", "::1", 123),
            ("[::1]", "::1", 123),
            ("[::1]:1", "::1", 1),
            ("fd00:ec2::123", "fd00:ec2::123", 123),
            ("fe80::1%eth0", "fe80::1%eth0", 123),
            ("[fe80::1%2]:124", "fe80::1%2", 124),
        ] {
            assert_eq!(server(text), (host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn what_is_no_server_is_told_with_why() {
        for (text, why) in [
            ("", "the host is missing"),
            (":123", "the host is missing"),
            ("ntp:", "the port is no number from 1 to 65535"),
            ("ntp:0", "the port is no number from 1 to 65535"),
            ("ntp:+1", "the port is no number from 1 to 65535"),
            ("ntp:65536", "the port is no number from 1 to 65535"),
            ("ntp:ntp", "the port is no number from 1 to 65535"),
            ("[::1", "a bracket is not closed"),
            (
                "[::1]123",
                "something stands between the bracket and the port",
            ),
            ("[ntp]:123", "that is no IPv6 address"),
            ("[10.0.0.2]", "that is no IPv6 address"),
            ("::1::2", "that is no IPv6 address"),
            ("fe80::1%", "that is no IPv6 address"),
            ("10.0.0.2:1:2", "that is no IPv6 address"),
            ("10.1", "that is no IPv4 address"),
            ("10.0.0.256", "that is no IPv4 address"),
            ("udp://ntp", "the port is no number from 1 to 65535"),
            (
                "ntp/pool",
                "a host name has letters, digits, '-', '.' and '_' only",
            ),
            (
                "ntp ",
                "a host name has letters, digits, '-', '.' and '_' only",
            ),
        ] {
            let error = text.parse::<Server>().expect_err(text);
            assert_eq!(error.why, why, "{text}");
            assert!(error.to_string().contains(text));
        }
    }

    #[test]
    fn a_server_is_written_as_it_is_read() {
        for text in [
            "ntp",
            "ntp:1123",
            "10.0.0.2",
            "10.0.0.2:1",
            "::1",
            "[::1]:1123",
            "fe80::1%eth0",
        ] {
            assert_eq!(text.parse::<Server>().expect("it is one").to_string(), text);
        }
    }

    #[test]
    fn an_address_is_told_from_a_name() {
        let address = |text: &str| text.parse::<Server>().expect("it is one").address();
        assert_eq!(address("10.0.0.2:1"), Some(IpAddr::from([10, 0, 0, 2])));
        assert_eq!(address("[::1]:1"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(address("ntp"), None);
        // Its zone is a name.
        assert_eq!(address("fe80::1%eth0"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_so_that_it_is_read_again(text in r"[\[\]a-f0-9:.%-]{0,20}") {
            if let Ok(server) = text.parse::<Server>() {
                prop_assert_eq!(server.to_string().parse(), Ok(server));
            }
        }
    }
}
