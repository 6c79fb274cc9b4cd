//! What a server sends instead of the time (RFC 5905 §7.4).

use std::fmt;

/// The code of a kiss-o'-death packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kiss {
    /// `RATE`: asked too often. The server is asked half as often from now on.
    Rate,
    /// `DENY`: access denied. The server is not asked again.
    Deny,
    /// `RSTR`: access denied by the server's policy. It is not asked again.
    Restricted,
    /// Another code, four ASCII letters, digits or zeros. It asks for nothing.
    Other([u8; 4]),
}

impl Kiss {
    /// The code in the reference id of a packet of stratum 0, if there is one:
    /// letters and digits, filled up with zeros.
    pub fn in_reference_id(id: [u8; 4]) -> Option<Self> {
        let length = id.iter().position(|byte| *byte == 0).unwrap_or(id.len());
        let (code, filling) = id.split_at(length);
        let is_code = !code.is_empty()
            && code.iter().all(u8::is_ascii_alphanumeric)
            && filling.iter().all(|byte| *byte == 0);
        is_code.then_some(match &id {
            b"RATE" => Self::Rate,
            b"DENY" => Self::Deny,
            b"RSTR" => Self::Restricted,
            _ => Self::Other(id),
        })
    }

    /// Whether the server wants to be left alone for good.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Deny | Self::Restricted)
    }
}

impl fmt::Display for Kiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => f.write_str("RATE: asked too often"),
            Self::Deny => f.write_str("DENY: access denied"),
            Self::Restricted => f.write_str("RSTR: access denied by its policy"),
            Self::Other(code) => {
                for byte in code.iter().filter(|byte| **byte != 0) {
                    write!(f, "{}", byte.escape_ascii())?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_ask_for_something_are_known() {
        for (id, kiss, is_final) in [
            (b"RATE", Kiss::Rate, false),
            (b"DENY", Kiss::Deny, true),
            (b"RSTR", Kiss::Restricted, true),
            (b"INIT", Kiss::Other(*b"INIT"), false),
            (b"XY\0\0", Kiss::Other(*b"XY\0\0"), false),
        ] {
            assert_eq!(Kiss::in_reference_id(*id), Some(kiss));
            assert_eq!(kiss.is_final(), is_final);
        }
    }

    #[test]
    fn an_address_is_no_code() {
        for id in [[0; 4], [127, 127, 1, 1], *b"\0ABC", *b"A\0BC", *b"A\r\nB"] {
            assert_eq!(Kiss::in_reference_id(id), None, "{id:?}");
        }
    }

    #[test]
    fn codes_are_told_in_words() {
        assert_eq!(Kiss::Rate.to_string(), "RATE: asked too often");
        assert_eq!(Kiss::Other(*b"XY\0\0").to_string(), "XY");
    }
}
