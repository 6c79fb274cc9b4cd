use proptest::{array::uniform4, prelude::*};

use super::*;
use crate::ntp::format::Short;

const MS: Duration = Duration::from_millis(1);

/// How long after the question the answer of these tests comes.
const ELAPSED: Duration = Duration::from_millis(10);

fn at_ms(ms: u64) -> Timestamp {
    Timestamp::from_bits((0xee00_0000 << 32) + (ms << 32) / 1_000)
}

fn good() -> Packet {
    Packet {
        leap: Some(Leap::None),
        version: 4,
        mode: 4,
        stratum: 2,
        poll: 6,
        precision: -23,
        root_delay: Short::from_bits(0x0400),
        root_dispersion: Short::from_bits(0x0200),
        reference_id: [10, 0, 0, 1],
        reference: at_ms(0),
        origin: Timestamp::from_bits(77),
        receive: at_ms(5_000),
        transmit: at_ms(5_004),
    }
}

#[track_caller]
fn assert_rejected(packet: Packet, expected: Rejection) {
    assert_eq!(check(&packet, ELAPSED), Err(expected));
}

#[test]
fn a_good_answer_says_what_it_says() {
    let packet = good();
    let valid = check(&packet, ELAPSED).expect("it is good");
    assert_eq!(valid.receive, packet.receive);
    assert_eq!(valid.transmit, packet.transmit);
    assert_eq!(valid.precision, Duration::from_nanos(120));
    assert_eq!(valid.root_delay, Duration::from_micros(15_625));
    assert_eq!(valid.root_dispersion, Duration::from_nanos(7_812_500));
    assert_eq!((valid.stratum, valid.leap), (2, Leap::None));
}

#[test]
fn version_3_is_good_too_and_so_are_all_strata_to_15() {
    for version in [3, 4] {
        for stratum in 1..=15 {
            let packet = Packet {
                version,
                stratum,
                ..good()
            };
            assert!(check(&packet, ELAPSED).is_ok());
        }
    }
}

#[test]
fn an_announced_leap_second_is_told() {
    for leap in [Leap::Insert, Leap::Delete] {
        let packet = Packet {
            leap: Some(leap),
            ..good()
        };
        assert_eq!(check(&packet, ELAPSED).map(|valid| valid.leap), Ok(leap));
    }
}

#[test]
fn other_modes_are_rejected() {
    for mode in [0, 1, 2, 3, 5, 6, 7] {
        assert_rejected(Packet { mode, ..good() }, Rejection::Mode(mode));
    }
}

#[test]
fn other_versions_are_rejected() {
    for version in [0, 1, 2, 5, 6, 7] {
        assert_rejected(Packet { version, ..good() }, Rejection::Version(version));
    }
}

#[test]
fn a_kiss_of_death_is_told_by_its_code_whatever_else_is_wrong() {
    let kiss = Packet {
        leap: None,
        stratum: 0,
        receive: Timestamp::ZERO,
        transmit: Timestamp::ZERO,
        ..good()
    };
    for (reference_id, expected) in [
        (b"RATE", Kiss::Rate),
        (b"DENY", Kiss::Deny),
        (b"RSTR", Kiss::Restricted),
        (b"STEP", Kiss::Other(*b"STEP")),
    ] {
        let packet = Packet {
            reference_id: *reference_id,
            ..kiss
        };
        assert_rejected(packet, Rejection::Kiss(expected));
    }
}

#[test]
fn a_kiss_code_counts_only_at_stratum_0() {
    let packet = Packet {
        stratum: 1,
        reference_id: *b"RATE",
        ..good()
    };
    assert!(check(&packet, ELAPSED).is_ok());
}

#[test]
fn an_unsynchronised_server_is_rejected_at_any_stratum() {
    for stratum in [0, 3, 16] {
        let packet = Packet {
            leap: None,
            stratum,
            reference_id: [0; 4],
            ..good()
        };
        assert_rejected(packet, Rejection::Unsynchronised);
    }
}

#[test]
fn strata_0_and_from_16_up_are_rejected() {
    for stratum in [0, 16, 17, 255] {
        let packet = Packet {
            stratum,
            reference_id: [0; 4],
            ..good()
        };
        assert_rejected(packet, Rejection::Stratum(stratum));
    }
}

#[test]
fn times_of_zero_are_rejected() {
    let zero = Timestamp::ZERO;
    assert_rejected(
        Packet {
            receive: zero,
            ..good()
        },
        Rejection::NoReceiveTime,
    );
    assert_rejected(
        Packet {
            transmit: zero,
            ..good()
        },
        Rejection::NoTransmitTime,
    );
}

#[test]
fn an_answer_before_the_question_is_rejected() {
    let packet = Packet {
        receive: at_ms(5_004),
        transmit: at_ms(5_003),
        ..good()
    };
    assert_rejected(packet, Rejection::Reversed(MS));
}

#[test]
fn a_question_that_was_held_longer_than_it_took_is_rejected() {
    let packet = Packet {
        receive: at_ms(5_000),
        transmit: at_ms(5_011),
        ..good()
    };
    let Err(Rejection::NegativeRoundTrip(by)) = check(&packet, ELAPSED) else {
        panic!("it is no good");
    };
    let expected = MS - drift(ELAPSED) - precision(-23);
    assert!(by.abs_diff(expected) <= Duration::from_nanos(1), "{by:?}");
}

#[test]
fn a_round_trip_may_be_negative_within_the_precision_of_the_server() {
    // 2⁻¹⁰ s is 0.98 ms, and 0.5 ms may be the server's reading of its clock.
    let held = Packet {
        precision: -10,
        transmit: at_ms(5_010),
        ..good()
    };
    assert!(check(&held, ELAPSED - MS / 2).is_ok());
    assert!(check(&held, ELAPSED - MS).is_err());
}

#[test]
fn a_server_that_may_be_off_by_a_second_and_a_half_is_rejected() {
    let dispersion = |bits| Packet {
        root_delay: Short::from_bits(0x0002_0000),
        root_dispersion: Short::from_bits(bits),
        ..good()
    };
    assert!(check(&dispersion(0x7fff), ELAPSED).is_ok());
    assert_rejected(
        dispersion(0x8000),
        Rejection::RootDistance(Duration::from_nanos(1_500_000_120)),
    );
    let unsure = Packet {
        precision: 1,
        ..good()
    };
    assert!(matches!(
        check(&unsure, ELAPSED),
        Err(Rejection::RootDistance(_))
    ));
}

#[test]
fn a_clock_that_was_corrected_in_the_future_is_rejected() {
    let packet = Packet {
        reference: at_ms(6_004),
        ..good()
    };
    assert_rejected(packet, Rejection::ReferenceInFuture(1_000 * MS));
    // Where it was corrected that very moment, or is not said, all is well.
    for reference in [at_ms(5_004), Timestamp::ZERO] {
        assert!(
            check(
                &Packet {
                    reference,
                    ..good()
                },
                ELAPSED
            )
            .is_ok()
        );
    }
}

#[test]
fn the_end_of_the_era_is_a_time_like_any_other() {
    let packet = Packet {
        reference: Timestamp::from_bits(0xffff_fff0_0000_0000),
        receive: Timestamp::from_bits(0xffff_ffff_ff00_0000),
        transmit: Timestamp::from_bits(0x0000_0000_0010_0000),
        ..good()
    };
    assert!(check(&packet, ELAPSED).is_ok());
}

#[test]
fn precision_is_a_power_of_two() {
    for (exponent, expected) in [
        (0, Duration::from_secs(1)),
        (-1, Duration::from_nanos(500_000_001)),
        (-30, Duration::from_nanos(1)),
        (-128, Duration::from_nanos(1)),
        (10, Duration::from_secs(1_024)),
        (127, Duration::from_secs(u64::MAX)),
    ] {
        assert_eq!(precision(exponent), expected, "{exponent}");
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Three questions, of which the first was answered and the second given up.
fn questions() -> [Question; 3] {
    [(1, true), (2, false), (3, false)].map(|(transmit, answered)| Question {
        transmit: Timestamp::from_bits(transmit),
        answered,
    })
}

#[track_caller]
fn recognised(origin: u64, sender: &str, server: &str) -> Result<Packet, Stray> {
    let packet = Packet {
        origin: Timestamp::from_bits(origin),
        ..good()
    };
    recognise(
        &packet.encode(),
        address(sender),
        address(server),
        &questions(),
    )
}

const SERVER: &str = "10.0.0.2:123";

#[test]
fn the_answer_to_the_last_question_is_recognised() {
    assert!(recognised(3, SERVER, SERVER).is_ok());
}

#[test]
fn answers_to_other_questions_are_strays() {
    assert_eq!(recognised(1, SERVER, SERVER), Err(Stray::Duplicate));
    assert_eq!(recognised(2, SERVER, SERVER), Err(Stray::Late));
    for origin in [0, 4, u64::MAX] {
        assert_eq!(
            recognised(origin, SERVER, SERVER),
            Err(Stray::ForeignOrigin)
        );
    }
}

#[test]
fn other_senders_are_strays() {
    for sender in ["10.0.0.3:123", "10.0.0.2:124", "[fd00::2]:123"] {
        let expected = Err(Stray::OtherSender(address(sender)));
        assert_eq!(recognised(3, sender, SERVER), expected);
    }
}

#[test]
fn one_address_may_be_written_in_two_ways() {
    assert!(recognised(3, "[::ffff:10.0.0.2]:123", SERVER).is_ok());
    assert!(recognised(3, "[fe80::1%2]:123", "[fe80::1]:123").is_ok());
    assert!(recognised(3, "[fe80::1%2]:123", "[fe80::1%2]:123").is_ok());
    assert!(recognised(3, "[fe80::1%3]:123", "[fe80::1%2]:123").is_err());
}

#[test]
fn short_packets_are_strays() {
    let bytes = good().encode();
    for length in 0..bytes.len() {
        let short = recognise(
            &bytes[..length],
            address(SERVER),
            address(SERVER),
            &questions(),
        );
        assert_eq!(short, Err(Stray::Short(length)));
    }
}

proptest! {
    /// Whatever a server sends, a valid answer is consistent with itself.
    #[test]
    fn a_valid_answer_is_sound(
        flags: u8,
        stratum: u8,
        precision: i8,
        short in uniform4(any::<u8>()),
        times in uniform4(any::<u64>()),
        elapsed_ns: u64,
    ) {
        let mut bytes = good().encode();
        bytes[0] = flags;
        bytes[1] = stratum;
        bytes[3] = precision.cast_unsigned();
        bytes[6..8].copy_from_slice(&short[..2]);
        bytes[10..12].copy_from_slice(&short[2..]);
        for (field, time) in bytes[16..].chunks_exact_mut(8).zip(times) {
            field.copy_from_slice(&time.to_be_bytes());
        }
        let packet = Packet::decode(&bytes).expect("long enough");
        if let Ok(valid) = check(&packet, Duration::from_nanos(elapsed_ns)) {
            prop_assert!((1..=15).contains(&valid.stratum));
            prop_assert!(valid.root_delay / 2 + valid.root_dispersion < MAX_ROOT_DISTANCE);
            prop_assert!(valid.transmit.since(valid.receive) >= TimeDelta::zero());
        }
    }
}
