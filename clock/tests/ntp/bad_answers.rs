//! Servers that answer what a good one never does. (chronyd cannot be made to: it
//! drops questions rather than send a kiss-o'-death, for one.)

use std::time::Duration;

use chrono::TimeDelta;
use clock::{
    Clock, MachineTimebase,
    ntp::{Kiss, Leap, Occasion, Reason, Rejection, Short, Timestamp, packet::Packet},
};

use crate::support::{
    ask,
    fake_server::{FakeServer, Reply, honest, liar},
    measure::{round, sources},
    wall,
};

fn later(time: Timestamp, by: TimeDelta) -> Timestamp {
    Timestamp::from_utc(time.utc() + by)
}

fn kiss(code: [u8; 4]) -> FakeServer {
    liar(move |good| Packet {
        leap: None,
        stratum: 0,
        reference_id: code,
        reference: Timestamp::ZERO,
        receive: Timestamp::ZERO,
        transmit: Timestamp::ZERO,
        ..good
    })
}

/// The first of the reasons for which there is no sample.
#[track_caller]
fn rejection(server: &FakeServer) -> Rejection {
    let report = ask(server.address());
    assert!(report.samples.is_empty(), "{report:?}");
    match report.troubles.first().map(|trouble| &trouble.reason) {
        Some(Reason::Rejected(rejection)) => *rejection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_is_no_good_is_rejected_for_its_own_reason() {
    let second = TimeDelta::seconds(1);
    let cases = [
        (liar(|good| Packet { mode: 3, ..good }), Rejection::Mode(3)),
        (liar(|good| Packet { mode: 5, ..good }), Rejection::Mode(5)),
        (
            liar(|good| Packet { version: 2, ..good }),
            Rejection::Version(2),
        ),
        (
            liar(|good| Packet { version: 5, ..good }),
            Rejection::Version(5),
        ),
        (
            liar(|good| Packet { leap: None, ..good }),
            Rejection::Unsynchronised,
        ),
        (
            liar(|good| Packet {
                stratum: 16,
                ..good
            }),
            Rejection::Stratum(16),
        ),
        (
            liar(|good| Packet {
                stratum: 0,
                reference_id: [127, 0, 0, 1],
                ..good
            }),
            Rejection::Stratum(0),
        ),
        (
            liar(|good| Packet {
                receive: Timestamp::ZERO,
                ..good
            }),
            Rejection::NoReceiveTime,
        ),
        (
            liar(|good| Packet {
                transmit: Timestamp::ZERO,
                ..good
            }),
            Rejection::NoTransmitTime,
        ),
        (
            liar(move |good| Packet {
                receive: later(good.transmit, second),
                ..good
            }),
            Rejection::Reversed(Duration::from_secs(1)),
        ),
        (
            liar(move |good| Packet {
                reference: later(good.transmit, second),
                ..good
            }),
            Rejection::ReferenceInFuture(Duration::from_secs(1)),
        ),
        (
            liar(|good| Packet {
                root_dispersion: Short::from_bits(0x0002_0000),
                ..good
            }),
            Rejection::RootDistance(Duration::from_nanos(2_000_000_120)),
        ),
        (kiss(*b"INIT"), Rejection::Kiss(Kiss::Other(*b"INIT"))),
        (kiss(*b"RATE"), Rejection::Kiss(Kiss::Rate)),
        (kiss(*b"DENY"), Rejection::Kiss(Kiss::Deny)),
        (kiss(*b"RSTR"), Rejection::Kiss(Kiss::Restricted)),
    ];
    for (server, expected) in cases {
        assert_eq!(rejection(&server), expected);
    }
}

#[test]
fn a_question_held_longer_than_it_took_is_rejected() {
    let server = liar(|good| Packet {
        receive: later(good.transmit, TimeDelta::seconds(-3600)),
        ..good
    });
    let Rejection::NegativeRoundTrip(by) = rejection(&server) else {
        panic!("it is something else");
    };
    assert!(by > Duration::from_secs(3500));
}

#[test]
fn odd_but_good_answers_are_taken() {
    for server in [
        liar(|good| Packet { version: 3, ..good }),
        liar(|good| Packet {
            stratum: 15,
            ..good
        }),
        liar(|good| Packet {
            reference: Timestamp::ZERO,
            ..good
        }),
        FakeServer::start(|question, _, now| {
            let mut reply: Reply = honest(question, now).into();
            reply.bytes.extend([0; 20]);
            vec![reply]
        }),
    ] {
        let report = ask(server.address());
        assert_eq!((report.samples.len(), &report.troubles[..]), (4, &[][..]));
    }
}

#[test]
fn an_announced_leap_second_is_passed_on() {
    let report = ask(liar(|good| Packet {
        leap: Some(Leap::Insert),
        ..good
    })
    .address());
    assert!(
        report
            .samples
            .iter()
            .all(|sample| sample.leap == Leap::Insert)
    );
}

#[test]
fn rate_ends_the_burst_and_the_server_is_asked_less_often() {
    let server = kiss(*b"RATE");
    let clock = Clock::system(MachineTimebase);
    let mut sources = sources(&[server.address()]);
    assert_eq!(round(&clock, &mut sources, Occasion::Start).len(), 1);
    assert_eq!(server.asked(), 1);
    for occasion in [Occasion::Start, Occasion::Waiting, Occasion::Final] {
        assert!(round(&clock, &mut sources, occasion).is_empty());
    }
    assert_eq!(server.asked(), 1);
}

#[test]
fn a_server_that_refuses_is_never_asked_again_and_stays_a_failure() {
    for (code, told) in [(*b"DENY", Kiss::Deny), (*b"RSTR", Kiss::Restricted)] {
        let server = kiss(code);
        let clock = Clock::system(MachineTimebase);
        let mut sources = sources(&[server.address()]);
        round(&clock, &mut sources, Occasion::Start);
        for occasion in [Occasion::Start, Occasion::Waiting, Occasion::Final] {
            let reports = round(&clock, &mut sources, occasion);
            assert_eq!(reports[0].troubles[0].reason, Reason::LeftAlone(told));
        }
        assert_eq!(server.asked(), 1);
    }
}

#[test]
fn what_a_server_says_is_taken_without_regard_to_the_wall_clock() {
    for off in [
        TimeDelta::hours(-3),
        TimeDelta::minutes(7),
        TimeDelta::milliseconds(-130),
    ] {
        let server =
            FakeServer::start(move |question, _, now| vec![honest(question, now + off).into()]);
        let report = ask(server.address());
        for sample in report.samples {
            let said = sample.utc - wall();
            assert!((said - off).abs() < TimeDelta::seconds(1), "{said}");
            assert!(sample.bound < Duration::from_millis(500));
        }
    }
}
