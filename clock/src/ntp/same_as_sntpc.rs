//! The same answers, read by another implementation.

use std::{
    cell::Cell,
    net::SocketAddr,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{array::uniform4, prelude::*};
use sntpc::{NtpContext, NtpResult, NtpTimestampGenerator, NtpUdpSocket};

use super::{
    Leap, Rejection, Sample,
    format::{Short, Timestamp},
    packet::{HEADER_BYTES, MODE_CLIENT, Packet, VERSION},
};
use crate::{Moment, simulation::SimulatedTimebase, span};

/// A clock that shows `sent` and from then on, asked again, `arrived`.
#[derive(Clone, Copy)]
struct TwoTimes {
    sent: DateTime<Utc>,
    arrived: DateTime<Utc>,
    asked: u32,
}

impl TwoTimes {
    fn now(&self) -> DateTime<Utc> {
        if self.asked <= 1 {
            self.sent
        } else {
            self.arrived
        }
    }
}

impl NtpTimestampGenerator for TwoTimes {
    fn init(&mut self) {
        self.asked += 1;
    }

    fn timestamp_sec(&self) -> u64 {
        self.now().timestamp().unsigned_abs()
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        self.now().timestamp_subsec_micros()
    }
}

/// Sends nothing, and gives `answer` with the origin that the question had.
struct NoSocket {
    answer: Packet,
    question: Cell<Option<Packet>>,
}

impl NtpUdpSocket for NoSocket {
    async fn send_to(&self, bytes: &[u8], _: SocketAddr) -> sntpc::Result<usize> {
        self.question.set(Packet::decode(bytes).ok());
        Ok(bytes.len())
    }

    async fn recv_from(&self, bytes: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        let origin = self.question.get().ok_or(sntpc::Error::Network)?.transmit;
        let answer = Packet {
            origin,
            ..self.answer
        };
        bytes[..HEADER_BYTES].copy_from_slice(&answer.encode());
        Ok((HEADER_BYTES, server()))
    }
}

fn server() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 123))
}

/// What sntpc makes of `answer`. It reads its clock once when it asks and once
/// when the answer comes.
fn by_sntpc(answer: Packet, sent: DateTime<Utc>, elapsed: Duration) -> sntpc::Result<NtpResult> {
    let socket = NoSocket {
        answer,
        question: Cell::new(None),
    };
    let context = NtpContext::new(TwoTimes {
        sent,
        arrived: span::after(sent, span::signed(elapsed)),
        asked: 0,
    });
    let asking = async {
        let sent = sntpc::sntp_send_request(server(), &socket, context).await?;
        let context = NtpContext::new(TwoTimes {
            asked: 1,
            ..context.timestamp_gen
        });
        sntpc::sntp_process_response(server(), &socket, context, sent).await
    };
    let result = pin!(asking).poll(&mut Context::from_waker(Waker::noop()));
    let question = socket.question.get().expect("it asked");
    assert_eq!((question.mode, question.version), (MODE_CLIENT, VERSION));
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("nothing is waited for"),
    }
}

fn by_us(answer: &Packet, elapsed: Duration) -> Result<Sample, Rejection> {
    let sent = Moment::read(&SimulatedTimebase::at(DateTime::UNIX_EPOCH));
    Sample::new(answer, sent, sent.plus(elapsed))
}

/// Times of both eras, in whole microseconds: sntpc knows no finer ones.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let [from, to] = ["2026-01-02T00:00:00Z", "2160-01-01T00:00:00Z"].map(|text| {
        text.parse::<DateTime<Utc>>()
            .expect("a time")
            .timestamp_micros()
    });
    (from..to).prop_map(|us| DateTime::from_timestamp_micros(us).expect("a time"))
}

fn microseconds(at_most: u64) -> impl Strategy<Value = Duration> {
    prop_oneof![0..100_u64, 0..at_most].prop_map(Duration::from_micros)
}

proptest! {
    #[test]
    fn offset_and_delay_are_the_same(
        sent in time(),
        out in microseconds(1_000_000),
        held in microseconds(1_000_000),
        back in microseconds(1_000_000),
        ahead_us in -100_000_000_000..100_000_000_000_i64,
        root in (0..0x8000_u32, 0..0x8000_u32),
        stratum in 1..=15_u8,
    ) {
        let ahead = TimeDelta::microseconds(ahead_us);
        let receive = sent + ahead + out;
        prop_assume!(receive > "2026-01-01T12:00:00Z".parse::<DateTime<Utc>>().expect("a time"));
        let answer = Packet {
            leap: Some(Leap::Insert),
            version: VERSION,
            mode: 4,
            stratum,
            poll: 6,
            precision: -25,
            root_delay: Short::from_bits(root.0),
            root_dispersion: Short::from_bits(root.1),
            reference_id: [10, 0, 0, 1],
            reference: Timestamp::from_utc(receive),
            origin: Timestamp::ZERO,
            receive: Timestamp::from_utc(receive),
            transmit: Timestamp::from_utc(receive + held),
        };
        let elapsed = out + held + back;
        let theirs = by_sntpc(answer, sent, elapsed).expect("a valid answer");
        let ours = by_us(&answer, elapsed).expect("a valid answer");

        // Theirs are cut to a microsecond, several times.
        let close_us = 3;
        let our_offset = ours.utc - (sent + elapsed);
        let offset = our_offset.num_microseconds().expect("not so large");
        prop_assert!(offset.abs_diff(theirs.offset()) <= close_us, "{offset} {}", theirs.offset());
        let way = u64::try_from(ours.round_trip.as_micros()).expect("not so long");
        prop_assert!(way.abs_diff(theirs.roundtrip()) <= close_us, "{way} {}", theirs.roundtrip());
        prop_assert_eq!(ours.root_delay, Short::from_bits(theirs.root_delay).duration());
        prop_assert_eq!(ours.root_dispersion, Short::from_bits(theirs.root_dispersion).duration());
        prop_assert_eq!((ours.stratum, theirs.leap_indicator), (theirs.stratum, 1));
        // What it said when it sent the answer.
        let said = Timestamp::from_bits(u64::from(theirs.sec_fraction())).utc();
        let transmit = answer.transmit.utc();
        prop_assert_eq!(theirs.sec(), transmit.timestamp().unsigned_abs());
        prop_assert_eq!(said.timestamp_subsec_nanos(), transmit.timestamp_subsec_nanos());
    }

    /// We are the stricter of the two.
    #[test]
    fn what_the_other_rejects_is_rejected(
        flags: u8,
        stratum in 0..18_u8,
        reference_id in uniform4(prop_oneof![Just(b'A'), Just(0)]),
        root in (0..0x0020_0000_u32, 0..0x0020_0000_u32),
        sent in time(),
        ahead_s in uniform4(-2..3_i64),
    ) {
        let at = |s| Timestamp::from_utc(sent + TimeDelta::seconds(s));
        let or_zero = |s| if s == 2 { Timestamp::ZERO } else { at(s) };
        let mut bytes = Packet::question(at(0)).encode();
        bytes[0] = flags;
        let answer = Packet {
            stratum,
            precision: -25,
            root_delay: Short::from_bits(root.0),
            root_dispersion: Short::from_bits(root.1),
            reference_id,
            reference: or_zero(ahead_s[0]),
            receive: or_zero(ahead_s[1]),
            transmit: or_zero(ahead_s[2]),
            ..Packet::decode(&bytes).expect("long enough")
        };
        let elapsed = Duration::from_secs(ahead_s[3].unsigned_abs());
        let ours = by_us(&answer, elapsed);
        match by_sntpc(answer, sent, elapsed) {
            Err(theirs) => prop_assert!(ours.is_err(), "{theirs:?}"),
            Ok(_) => if let Err(ours) = ours {
                let is_stricter = matches!(
                    ours,
                    Rejection::Version(1 | 2)
                        | Rejection::NoReceiveTime
                        | Rejection::Reversed(_)
                        | Rejection::NegativeRoundTrip(_)
                        | Rejection::RootDistance(_)
                );
                prop_assert!(is_stricter, "{ours}");
            }
        }
    }
}
