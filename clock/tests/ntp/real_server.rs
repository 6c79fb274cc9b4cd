//! Against chronyd, whose clock is this machine's.

use std::{path::Path, time::Duration};

use chrono::TimeDelta;
use clock::ntp::{Occasion, Rejection, Short, packet::Packet};
use clock::{Clock, MachineTimebase};

use crate::support::{
    ask,
    chronyd::Chronyd,
    fake_server::{FakeServer, honest},
    measure::{Judged, judged, median, round, sources, troubles},
    programs,
    relay::{self, Relay},
    wall,
};

/// A thousand measurements: enough to meet what happens once in some hundred.
const MANY: usize = 1_000;

const MS: Duration = Duration::from_millis(1);

#[track_caller]
fn assert_bound_holds(judged: &[Judged], ahead: TimeDelta) {
    for judged in judged {
        assert!(
            judged.holds(ahead),
            "off by {} of {ahead}: {:?}",
            judged.offset(),
            judged.sample
        );
    }
}

#[test]
fn a_thousand_answers_of_a_server_near_by_hold_their_bound_of_a_tenth_of_a_millisecond() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&program);
    let judged = judged(&[server.address()], MANY);
    assert_bound_holds(&judged, TimeDelta::zero());
    let mut bounds: Vec<_> = judged.iter().map(|judged| judged.sample.bound).collect();
    bounds.sort_unstable();
    let (bound, p99) = (bounds[MANY / 2], bounds[MANY * 99 / 100]);
    let off = median(judged.iter().map(|judged| judged.offset().abs()));
    let way = median(judged.iter().map(|judged| judged.sample.round_trip));
    println!("median: bound {bound:?} (p99 {p99:?}), off {off}, round trip {way:?}");
    assert!(bound <= MS / 10, "{bound:?}");
    let first = judged[0].sample;
    assert_eq!(
        (first.stratum, first.root_delay, first.root_dispersion),
        (1, Duration::ZERO, Duration::ZERO)
    );
}

#[test]
fn a_round_of_a_server_near_by_is_over_with_its_last_answer() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&program);
    let clock = Clock::system(MachineTimebase);
    let took = median((0..50).map(|_| {
        let began = clock.moment();
        let reports = round(&clock, &mut sources(&[server.address()]), Occasion::Start);
        assert_eq!(reports[0].samples.len(), 4, "{reports:?}");
        clock.moment().since(began)
    }));
    println!("median of a round: {took}");
    // On a machine with more to do than it can; who waits for an answer that does not come waits a second.
    assert!(took < TimeDelta::milliseconds(500), "{took}");
}

/// A server 20 ms ahead that says so: its dispersion covers it.
fn ahead_and_honest_about_it(question: &Packet) -> Packet {
    Packet {
        stratum: 2,
        root_delay: Short::from_bits(0x0100),
        root_dispersion: Short::from_bits(0x0580),
        ..honest(question, wall() + 20 * MS)
    }
}

/// chronyd follows an upstream that is off, over a path that is crooked.
fn chained(program: &Path) -> (Chronyd, Relay, FakeServer) {
    let upstream =
        FakeServer::start(|question, _, _| vec![ahead_and_honest_about_it(question).into()]);
    let path = relay::Path {
        out: 30 * MS,
        back: 25 * MS,
        ..relay::Path::default()
    };
    let relay = Relay::start(upstream.address(), path, 0);
    let lines = format!(
        "server 127.0.0.1 port {} iburst minpoll 0 maxpoll 0",
        relay.address().port()
    );
    let chronyd = Chronyd::start(program, &lines);
    chronyd.wait_for_synchronisation(100 * MS);
    (chronyd, relay, upstream)
}

#[test]
fn a_server_that_follows_one_that_is_off_holds_its_bound_by_what_it_says_of_its_root() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let (chronyd, _relay, _upstream) = chained(&program);
    let judged = judged(&[chronyd.address()], MANY);
    // The true time is this machine's; the chain serves some 20 ms more.
    assert_bound_holds(&judged, TimeDelta::zero());
    let off = median(judged.iter().map(Judged::offset));
    let bound = median(judged.iter().map(|judged| judged.sample.bound));
    println!("median: off {off}, bound {bound:?}");
    assert!(
        (off - TimeDelta::milliseconds(20)).abs() < TimeDelta::milliseconds(10),
        "{off}"
    );
    for judged in judged {
        assert!(judged.sample.stratum == 3);
        assert!(judged.sample.root_delay >= 55 * MS);
        assert!(judged.sample.root_dispersion >= 21 * MS);
    }
}

#[test]
fn a_server_that_follows_nobody_is_rejected_as_unsynchronised() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::start(&program, "");
    let report = ask(server.address());
    assert!(report.samples.is_empty());
    let expected = Rejection::Unsynchronised.to_string();
    assert_eq!(troubles(&report), [format!("{expected} (repeated)")]);
}
