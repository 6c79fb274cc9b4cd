//! Which sources to ask: `--ntp auto | none | host[:port],…`.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::{InvalidServer, Server};

/// Which time servers to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NtpSetting {
    /// The cloud's own, found by their link-local addresses.
    Auto,
    /// None: the wall clock is taken at its word.
    None,
    /// These; at least one, each once.
    Servers(Vec<Server>),
}

/// Why a text names no time servers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidNtpSetting {
    /// One of them is no server.
    #[error(transparent)]
    Server(#[from] InvalidServer),
    /// One has two votes.
    #[error("'{0}' is named twice, and every server has one vote")]
    Twice(Server),
    /// A word is mixed with servers.
    #[error("'{0}' stands alone, not in a list (a server of that name is written {0}:123)")]
    NotAlone(String),
}

impl FromStr for NtpSetting {
    type Err = InvalidNtpSetting;

    fn from_str(text: &str) -> Result<Self, InvalidNtpSetting> {
        match text {
            "auto" => return Ok(Self::Auto),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let mut servers = Vec::new();
        for item in text.split(',').map(str::trim) {
            if matches!(item, "auto" | "none") {
                return Err(InvalidNtpSetting::NotAlone(item.to_owned()));
            }
            let server: Server = item.parse()?;
            if servers.contains(&server) {
                return Err(InvalidNtpSetting::Twice(server));
            }
            servers.push(server);
        }
        Ok(Self::Servers(servers))
    }
}

impl fmt::Display for NtpSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Servers(servers) => {
                for (index, server) in servers.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "," };
                    write!(f, "{separator}{server}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NtpSetting, String> {
        text.parse()
            .map_err(|error: InvalidNtpSetting| error.to_string())
    }

    #[test]
    fn the_two_words_are_understood() {
        assert_eq!(parse("auto"), Ok(NtpSetting::Auto));
        assert_eq!(parse("none"), Ok(NtpSetting::None));
    }

    #[test]
    fn servers_are_understood_with_spaces_between_them() {
        let servers = ["ntp1", "10.0.0.2:1123", "[::1]:123"].map(|text| text.parse().expect("one"));
        let expected = Ok(NtpSetting::Servers(servers.to_vec()));
        assert_eq!(parse("ntp1,10.0.0.2:1123,[::1]:123"), expected);
        assert_eq!(parse(" ntp1, 10.0.0.2:1123 ,::1"), expected);
    }

    #[test]
    fn a_setting_is_written_as_it_is_read() {
        for text in ["auto", "none", "ntp1", "ntp1,ntp2:1123,::1,[fd00::1]:1123"] {
            assert_eq!(
                parse(text).map(|setting| setting.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, told) in [
            ("", "'' is no time server: the host is missing"),
            ("ntp1,", "'' is no time server: the host is missing"),
            ("ntp1,ntp2:x", "'ntp2:x' is no time server: the port"),
            (
                "ntp1,ntp2,ntp1:123",
                "'ntp1' is named twice, and every server has one vote",
            ),
            ("auto,ntp1", "'auto' stands alone, not in a list"),
            ("ntp1,none", "'none' stands alone, not in a list"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn a_server_of_the_name_of_a_word_can_be_written() {
        assert!(matches!(parse("auto:123"), Ok(NtpSetting::Servers(_))));
    }
}
