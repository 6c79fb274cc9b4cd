//! The NTP header on the wire (RFC 5905 §7.3).

use thiserror::Error;

use super::{
    Leap,
    format::{Short, Timestamp},
};

/// How long a header is, in bytes. Extension fields and a digest may follow it.
pub const HEADER_BYTES: usize = 48;

/// The mode of a client's question (RFC 5905 §7.3, figure 10).
pub const MODE_CLIENT: u8 = 3;

/// The mode of a server's answer.
pub const MODE_SERVER: u8 = 4;

/// The version of NTP that RFC 5905 defines.
pub const VERSION: u8 = 4;

/// A packet that is too short to hold a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{length} bytes are no NTP packet, which has {HEADER_BYTES} or more")]
pub struct TooShort {
    /// How many bytes it has.
    pub length: usize,
}

/// An NTP header, as it stands: any 48 bytes are one. What of it is a valid
/// answer, [`check`](super::check) decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// The leap second announced; none if the clock is not synchronised (leap
    /// indicator 3).
    pub leap: Option<Leap>,
    /// 0 to 7; of higher numbers the lowest three bits are written.
    pub version: u8,
    /// 0 to 7; of higher numbers the lowest three bits are written.
    pub mode: u8,
    /// 0: a kiss-o'-death. 1: has a reference clock. 16: not synchronised.
    pub stratum: u8,
    /// How often the sender asks, as the logarithm to base 2 of seconds.
    pub poll: i8,
    /// How precisely the sender reads its clock, as the logarithm to base 2 of
    /// seconds.
    pub precision: i8,
    /// How long the way to the primary source and back takes.
    pub root_delay: Short,
    /// How far off the sender may be, delay aside.
    pub root_dispersion: Short,
    /// The source, as its kind, its address or a digest of that; in a
    /// kiss-o'-death the code.
    pub reference_id: [u8; 4],
    /// When the sender's clock was last corrected.
    pub reference: Timestamp,
    /// The transmit timestamp of the question (T1).
    pub origin: Timestamp,
    /// When the question arrived (T2).
    pub receive: Timestamp,
    /// When this was sent (T3).
    pub transmit: Timestamp,
}

impl Packet {
    /// A client's question, which is recognised by `transmit` in the answer.
    /// All else is zero: it is nobody's business.
    pub fn question(transmit: Timestamp) -> Self {
        Self {
            leap: Some(Leap::None),
            version: VERSION,
            mode: MODE_CLIENT,
            stratum: 0,
            poll: 0,
            precision: 0,
            root_delay: Short::default(),
            root_dispersion: Short::default(),
            reference_id: [0; 4],
            reference: Timestamp::ZERO,
            origin: Timestamp::ZERO,
            receive: Timestamp::ZERO,
            transmit,
        }
    }

    /// Reads the header at the beginning of `bytes`.
    ///
    /// # Errors
    ///
    /// If there are fewer than [`HEADER_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TooShort> {
        let header = bytes.first_chunk().ok_or(TooShort {
            length: bytes.len(),
        })?;
        Ok(Self::from_header(header))
    }

    fn from_header(header: &[u8; HEADER_BYTES]) -> Self {
        let short = |at| Short::from_bits(u32::from_be_bytes(field(header, at)));
        let timestamp = |at| Timestamp::from_bits(u64::from_be_bytes(field(header, at)));
        Self {
            leap: match header[0] >> 6 {
                0 => Some(Leap::None),
                1 => Some(Leap::Insert),
                2 => Some(Leap::Delete),
                _ => None,
            },
            version: header[0] >> 3 & 7,
            mode: header[0] & 7,
            stratum: header[1],
            poll: header[2].cast_signed(),
            precision: header[3].cast_signed(),
            root_delay: short(4),
            root_dispersion: short(8),
            reference_id: field(header, 12),
            reference: timestamp(16),
            origin: timestamp(24),
            receive: timestamp(32),
            transmit: timestamp(40),
        }
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let leap = match self.leap {
            Some(Leap::None) => 0,
            Some(Leap::Insert) => 1,
            Some(Leap::Delete) => 2,
            None => 3,
        };
        let mut header = [0; HEADER_BYTES];
        header[0] = leap << 6 | (self.version & 7) << 3 | self.mode & 7;
        header[1] = self.stratum;
        header[2] = self.poll.cast_unsigned();
        header[3] = self.precision.cast_unsigned();
        header[4..8].copy_from_slice(&self.root_delay.to_bits().to_be_bytes());
        header[8..12].copy_from_slice(&self.root_dispersion.to_bits().to_be_bytes());
        header[12..16].copy_from_slice(&self.reference_id);
        let times = [self.reference, self.origin, self.receive, self.transmit];
        for (field, time) in header[16..].chunks_exact_mut(8).zip(times) {
            field.copy_from_slice(&time.to_bits().to_be_bytes());
        }
        header
    }
}

/// The `N` bytes from `at` on, which lie within the header.
fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|index| header[at + index])
}

#[cfg(test)]
mod tests {
    use proptest::{array::uniform32, prelude::*};

    use super::*;

    #[test]
    fn each_field_stands_where_the_rfc_puts_it() {
        let mut header = [0; HEADER_BYTES];
        for (byte, value) in header.iter_mut().zip(0..) {
            *byte = value;
        }
        header[0] = 0b01_100_100;
        header[3] = 0xe9;
        let packet = Packet {
            leap: Some(Leap::Insert),
            version: 4,
            mode: 4,
            stratum: 1,
            poll: 2,
            precision: -23,
            root_delay: Short::from_bits(0x0405_0607),
            root_dispersion: Short::from_bits(0x0809_0a0b),
            reference_id: [12, 13, 14, 15],
            reference: Timestamp::from_bits(0x1011_1213_1415_1617),
            origin: Timestamp::from_bits(0x1819_1a1b_1c1d_1e1f),
            receive: Timestamp::from_bits(0x2021_2223_2425_2627),
            transmit: Timestamp::from_bits(0x2829_2a2b_2c2d_2e2f),
        };
        assert_eq!(Packet::decode(&header), Ok(packet));
        assert_eq!(packet.encode(), header);
    }

    #[test]
    fn a_question_says_nothing_but_that_it_is_one() {
        let transmit = Timestamp::from_bits(0x0123_4567_89ab_cdef);
        let mut expected = [0; HEADER_BYTES];
        expected[0] = 0b00_100_011;
        expected[40..].copy_from_slice(&transmit.to_bits().to_be_bytes());
        assert_eq!(Packet::question(transmit).encode(), expected);
    }

    #[test]
    fn fewer_than_48_bytes_are_no_packet() {
        for length in 0..HEADER_BYTES {
            let bytes = vec![0x24; length];
            assert_eq!(Packet::decode(&bytes), Err(TooShort { length }));
        }
    }

    #[test]
    fn what_follows_the_header_is_not_looked_at() {
        let header = Packet::question(Timestamp::from_bits(7)).encode();
        let longer = [&header[..], &[0xff; 20]].concat();
        assert_eq!(Packet::decode(&longer), Packet::decode(&header));
    }

    proptest! {
        #[test]
        fn any_48_bytes_are_read_and_written_as_they_stand(
            first in uniform32(any::<u8>()),
            second in proptest::array::uniform16(any::<u8>()),
        ) {
            let bytes = [&first[..], &second[..]].concat();
            let packet = Packet::decode(&bytes).expect("long enough");
            prop_assert_eq!(&packet.encode()[..], &bytes[..]);
        }
    }
}
