//! Packets that answer no question of ours.

use chrono::{DateTime, Utc};
use clock::{
    Clock, MachineTimebase,
    ntp::{Occasion, Reason, SourceReport, Stray, Timestamp, packet::Packet},
};

use crate::support::{
    ask,
    fake_server::{FakeServer, Reply, honest},
    measure::{round, sources, troubles},
};

/// A server that sends `other` before each honest answer, or instead of it.
fn noisy(
    is_honest_too: bool,
    other: impl Fn(&Packet, DateTime<Utc>) -> Reply + Send + 'static,
) -> FakeServer {
    FakeServer::start(move |question, _, now| {
        let mut replies = vec![other(question, now)];
        if is_honest_too {
            replies.push(honest(question, now).into());
        }
        replies
    })
}

/// What is no answer to the question, and how it is told.
fn strays(is_honest_too: bool) -> Vec<(FakeServer, &'static str)> {
    vec![
        (
            noisy(is_honest_too, |question, now| Reply {
                from_elsewhere: true,
                ..honest(question, now).into()
            }),
            "a packet came from ",
        ),
        (
            noisy(is_honest_too, |question, now| Reply {
                bytes: honest(question, now).encode()[..47].to_vec(),
                from_elsewhere: false,
            }),
            "a packet of 47 bytes came",
        ),
        (
            noisy(is_honest_too, |question, now| {
                let origin = Timestamp::from_bits(question.transmit.to_bits() ^ 1);
                Packet {
                    origin,
                    ..honest(question, now)
                }
                .into()
            }),
            "a packet came that answers no question of ours",
        ),
        // What a reflector sends back.
        (
            noisy(is_honest_too, |question, _| (*question).into()),
            "a packet came that answers no question of ours",
        ),
        (
            noisy(is_honest_too, |question, now| {
                let origin = Timestamp::ZERO;
                Packet {
                    origin,
                    ..honest(question, now)
                }
                .into()
            }),
            "a packet came that answers no question of ours",
        ),
    ]
}

fn ask_together(servers: &[(FakeServer, &str)]) -> Vec<SourceReport> {
    let addresses: Vec<_> = servers.iter().map(|(server, _)| server.address()).collect();
    let clock = Clock::system(MachineTimebase);
    let reports = round(&clock, &mut sources(&addresses), Occasion::Start);
    assert_eq!(reports.len(), servers.len());
    reports
}

#[test]
fn a_stray_packet_is_told_and_the_answer_that_follows_it_is_taken() {
    let servers = strays(true);
    for (report, (_, told)) in ask_together(&servers).iter().zip(&servers) {
        assert_eq!(report.samples.len(), 4, "{report:?}");
        assert_eq!(report.troubles.len(), 1, "{report:?}");
        assert_eq!(report.troubles[0].times, 4);
        assert!(troubles(report)[0].starts_with(told), "{report:?}");
    }
}

#[test]
fn a_server_that_sends_nothing_but_strays_did_not_answer() {
    let servers = strays(false);
    for (report, (server, told)) in ask_together(&servers).iter().zip(&servers) {
        let troubles = troubles(report);
        assert!(report.samples.is_empty());
        assert!(troubles[0].starts_with(told), "{troubles:?}");
        assert!(
            troubles[1].starts_with("no answer within 1s (UDP "),
            "{troubles:?}"
        );
        // It was given up after two questions.
        assert_eq!(server.asked(), 2);
    }
}

#[test]
fn a_duplicate_is_told_and_changes_nothing() {
    let server = FakeServer::start(|question, _, now| {
        let answer = honest(question, now);
        vec![answer.into(), answer.into()]
    });
    let report = ask(server.address());
    assert_eq!(report.samples.len(), 4);
    let told = [Reason::Skipped(Stray::Duplicate)];
    assert!(
        report
            .troubles
            .iter()
            .map(|trouble| &trouble.reason)
            .eq(&told),
        "{report:?}"
    );
}

#[test]
fn an_answer_that_comes_after_the_question_was_given_up_is_too_late() {
    let mut held: Option<Reply> = None;
    let server = FakeServer::start(move |question, count, now| match count {
        0 => {
            held = Some(honest(question, now).into());
            Vec::new()
        }
        _ => held
            .take()
            .into_iter()
            .chain([honest(question, now).into()])
            .collect(),
    });
    let report = ask(server.address());
    assert_eq!(report.samples.len(), 3, "{report:?}");
    let told: Vec<_> = report
        .troubles
        .iter()
        .map(|trouble| &trouble.reason)
        .collect();
    assert!(
        matches!(
            told[..],
            [Reason::NoAnswer { .. }, Reason::Skipped(Stray::Late)]
        ),
        "{told:?}"
    );
}
