use std::{
    io,
    net::UdpSocket,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::*;
use crate::{
    MachineTimebase,
    ntp::{
        Leap, LookupFailure, Timestamp,
        lookup::Resolve,
        pace::Burst,
        packet::{MODE_SERVER, Packet},
    },
};

/// Answers well until it is dropped: a packet that is too short then ends its thread.
struct Server {
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("an address");
        thread::spawn(move || {
            let mut bytes = [0; 48];
            while let Ok((length, client)) = socket.recv_from(&mut bytes) {
                let Ok(question) = Packet::decode(&bytes[..length]) else {
                    return;
                };
                let answer = Packet {
                    leap: Some(Leap::None),
                    mode: MODE_SERVER,
                    stratum: 1,
                    precision: -20,
                    origin: question.transmit,
                    receive: Timestamp::from_bits(1 << 63),
                    transmit: Timestamp::from_bits(1 << 63),
                    ..question
                };
                let _ = socket.send_to(&answer.encode(), client);
            }
        });
        Self { address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let _ = socket.send_to(&[], self.address);
    }
}

/// An address at which nobody is: the port is none that sockets are given.
fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

/// A resolver that gives one answer after the other; none is left at the end.
#[derive(Clone)]
struct Names(Arc<Mutex<Vec<io::Result<Vec<SocketAddr>>>>>);

impl Names {
    fn in_turn(answers: impl IntoIterator<Item = io::Result<Vec<SocketAddr>>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self(Arc::new(Mutex::new(answers)))
    }

    fn left(&self) -> usize {
        self.0.lock().expect("nobody panicked").len()
    }

    fn source(&self) -> Source {
        let names = self.0.clone();
        let resolve: Resolve = Arc::new(move |_| {
            let next = names.lock().expect("nobody panicked").pop();
            next.expect("asked once too often")
        });
        Source::resolved_by(&"ntp.example.com".parse().expect("a server"), resolve)
    }
}

fn ask(source: &mut Source, occasion: Occasion) -> Option<SourceReport> {
    ask_beside(&Claims::default(), source, occasion)
}

fn ask_beside(claims: &Claims, source: &mut Source, occasion: Occasion) -> Option<SourceReport> {
    let limit = Limit::new(Duration::from_secs(60), &|| false);
    source.ask(&MachineTimebase, occasion, limit, claims, &|_, _| {})
}

fn samples(source: &mut Source, occasion: Occasion) -> usize {
    ask(source, occasion).expect("it is its turn").samples.len()
}

#[test]
fn a_name_is_resolved_at_the_start_and_not_again_while_it_answers() {
    let server = Server::start();
    let names = Names::in_turn([Ok(vec![server.address])]);
    let mut source = names.source();
    for _ in 0..3 {
        assert_eq!(samples(&mut source, Occasion::Start), 4);
    }
    assert_eq!(names.left(), 0);
}

#[test]
fn a_server_with_two_names_has_one_vote() {
    let server = Server::start();
    let names = Names::in_turn([Ok(vec![server.address])]);
    let (mut by_address, mut by_name) = (Source::fixed("first", &[server.address]), names.source());
    let claims = Claims::default();
    for occasion in [Occasion::Start, Occasion::Final] {
        let first = ask_beside(&claims, &mut by_address, occasion).expect("it is its turn");
        assert_eq!(first.samples.len(), 4);
        let second = ask_beside(&claims, &mut by_name, occasion).expect("it is its turn");
        assert_eq!(second.samples, []);
        assert_eq!(
            second.troubles[0].to_string(),
            format!(
                "{}: the same server as first, which has the vote",
                server.address
            )
        );
    }
}

#[test]
fn after_a_failure_it_is_resolved_again() {
    let server = Server::start();
    let names = Names::in_turn([Ok(vec![nobody()]), Ok(vec![server.address])]);
    let mut source = names.source();
    assert_eq!(samples(&mut source, Occasion::Start), 0);
    assert_eq!(samples(&mut source, Occasion::Start), 4);
}

#[test]
fn no_name_is_resolved_in_the_final_round() {
    let names = Names::in_turn([Ok(vec![nobody()])]);
    let mut source = names.source();
    assert_eq!(ask(&mut source, Occasion::Final), None);
    assert_eq!(names.left(), 1);
    assert_eq!(samples(&mut source, Occasion::Start), 0);
    let report = ask(&mut source, Occasion::Final).expect("its address is known");
    assert_eq!(report.troubles[0].reason, Reason::Refused);
}

#[test]
fn the_addresses_known_stay_when_the_resolver_fails() {
    let names = Names::in_turn([
        Ok(vec![nobody()]),
        Err(io::Error::other("no such name")),
        Err(io::Error::other("no such name")),
    ]);
    let mut source = names.source();
    assert_eq!(samples(&mut source, Occasion::Start), 0);
    for _ in 0..2 {
        let report = ask(&mut source, Occasion::Start).expect("it is its turn");
        let told: Vec<_> = report
            .troubles
            .into_iter()
            .map(|trouble| trouble.reason)
            .collect();
        let failure = LookupFailure::Failed("no such name".to_owned());
        assert_eq!(told, [Reason::Lookup(failure), Reason::Refused]);
    }
}

#[test]
fn a_name_that_is_not_known_is_asked_for_in_every_round() {
    let server = Server::start();
    let names = Names::in_turn([Err(io::Error::other("not yet")), Ok(vec![server.address])]);
    let mut source = names.source();
    let failure = ask(&mut source, Occasion::Start)
        .expect("it is its turn")
        .result();
    assert_eq!(
        failure.map_err(|failure| failure.to_string()),
        Err("NTP ntp.example.com: the name cannot be resolved: not yet".to_owned())
    );
    assert_eq!(samples(&mut source, Occasion::Waiting), 4);
}

#[test]
fn all_addresses_of_a_name_are_asked_and_their_answers_told_in_order() {
    let servers = [(); 3].map(|()| Server::start());
    let mut addresses = servers.each_ref().map(|server| server.address).to_vec();
    addresses.push(nobody());
    let names = Names::in_turn([Ok(addresses)]);
    let report = ask(&mut names.source(), Occasion::Start).expect("it is its turn");
    assert_eq!(report.samples.len(), 12);
    assert_eq!(report.troubles.len(), 1);
    assert!(
        report
            .samples
            .is_sorted_by_key(|sample| sample.at.since(report.samples[0].at))
    );
}

#[test]
fn what_has_been_said_is_told_before_each_pause() {
    let server = Server::start();
    let told = Mutex::new(Vec::new());
    let burst = Burst {
        questions: 3,
        spacing: Duration::from_millis(20),
    };
    let limit = Limit::new(Duration::from_secs(60), &|| false);
    let so_far = |samples: &[Sample]| told.lock().expect("nobody panicked").push(samples.len());
    let answers = exchange::ask(&MachineTimebase, server.address, burst, limit, &so_far);
    assert_eq!(answers.samples.len(), 3);
    assert_eq!(*told.lock().expect("nobody panicked"), [1, 2]);
}

#[test]
fn while_waiting_a_source_that_was_just_asked_has_its_turn_later() {
    let server = Server::start();
    let mut source = Source::fixed("server", &[server.address]);
    assert_eq!(samples(&mut source, Occasion::Start), 4);
    assert_eq!(ask(&mut source, Occasion::Waiting), None);
    assert_eq!(samples(&mut source, Occasion::Final), 4);
}

#[test]
fn an_address_is_asked_as_it_is() {
    let server = Server::start();
    let mapped = format!("[::ffff:127.0.0.1]:{}", server.address.port());
    for text in [server.address.to_string(), mapped] {
        let mut source = Source::named(&text.parse().expect("a server"));
        assert_eq!(samples(&mut source, Occasion::Final), 4);
    }
}

#[test]
fn an_address_whose_thread_panics_has_a_trouble_and_no_answers() {
    let asked = ask_all(&[nobody()], &|_| panic!("a bug"));
    let [(address, answers)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!((*address, answers.samples.len()), (nobody(), 0));
    assert_eq!(
        answers.troubles[0].to_string(),
        "127.0.0.1:1: it could not be asked: its thread panicked"
    );
}
