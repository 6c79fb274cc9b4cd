//! Asking several servers, silent ones among them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use chrono::TimeDelta;
use clock::{
    Cancel, Clock, MachineTimebase,
    ntp::{Occasion, Reason, packet::Packet},
};

use crate::support::{
    ask,
    fake_server::{FakeServer, honest, liar},
    measure::{round, sources},
    wall,
};

#[test]
fn a_port_without_a_server_is_told_as_refused() {
    // A port that sockets are not given, and so no other test's.
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let report = ask(address);
    let told: Vec<_> = report
        .troubles
        .iter()
        .map(|trouble| (&trouble.reason, trouble.times))
        .collect();
    assert_eq!(told, [(&Reason::Refused, 1)]);
    let failure = report.result().unwrap_err().to_string();
    let expected =
        format!("NTP {address}: {address}: refused: nothing listens on this UDP port there");
    assert_eq!(failure, expected);
}

#[test]
fn all_servers_are_asked_at_the_same_time_and_told_of_in_order() {
    let dead = FakeServer::start(|_, _, _| Vec::new());
    let alive = liar(|good| good);
    let addresses = [dead.address(), alive.address()];
    let clock = Clock::system(MachineTimebase);
    let began = clock.moment();
    let reports = round(&clock, &mut sources(&addresses), Occasion::Start);
    let told = reports.iter().map(|report| report.source.clone());
    assert!(told.eq(addresses.map(|address| address.to_string())));
    assert!(reports[0].samples.is_empty());
    // Nobody waited for the dead one, which took two seconds.
    for sample in &reports[1].samples {
        assert!(sample.at.since(began) < TimeDelta::seconds(1));
    }
    assert!(clock.moment().since(began) >= TimeDelta::seconds(2));
}

#[test]
fn a_round_that_is_called_off_ends_soon() {
    let (asked, first) = mpsc::channel();
    let dead = FakeServer::start(move |_, _, _| {
        let _ = asked.send(());
        Vec::new()
    });
    let clock = Clock::system(MachineTimebase);
    let mut sources = sources(&[dead.address()]);
    let cancel = Cancel::new();
    let began = clock.moment();
    let reports = thread::scope(|scope| {
        let cancel = &cancel;
        scope.spawn(move || {
            first.recv().unwrap();
            cancel.cancel();
        });
        sources.round(&clock, Occasion::Start, cancel)
    });
    assert!(clock.moment().since(began) < TimeDelta::milliseconds(900));
    assert_eq!(reports[0].troubles[0].reason, Reason::RoundOver);
}

#[test]
fn every_question_is_another_one_and_says_nothing_of_this_machine() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let questions = Arc::clone(&seen);
    let server = FakeServer::start(move |question, _, now| {
        questions.lock().unwrap().push(*question);
        vec![honest(question, now).into()]
    });
    ask(server.address());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 4);
    for (index, question) in seen.iter().enumerate() {
        assert_eq!(*question, Packet::question(question.transmit));
        let others = &seen[..index];
        assert!(
            others
                .iter()
                .all(|other| other.transmit != question.transmit)
        );
        // Not even what it believes to be the time.
        let claimed = question.transmit.utc() - wall();
        assert!(claimed.abs() > TimeDelta::seconds(1));
    }
}
