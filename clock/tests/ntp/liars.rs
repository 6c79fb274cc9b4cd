//! chronyd that follows an upstream which is wrong and does not know: it says in good faith that its root delay and
//! dispersion are next to nothing. No client can know; a single one is called single, and two honest ones outvote it.

use std::{path::Path, time::Duration};

use chrono::TimeDelta;
use clock::{Clock, MachineTimebase, Terms, Verdict};

use crate::support::{
    chronyd::Chronyd,
    fake_server::{FakeServer, honest},
    measure::setting,
    programs, wall,
};

const TERMS: Terms = Terms {
    budget: Duration::from_millis(50),
    require_ntp: true,
};

/// So far off that no bound of a server near by covers it, and so near that one answer is believed.
const OFF: TimeDelta = TimeDelta::seconds(5);

/// How much more than its bound a clock may differ from the machine's, read a moment later.
const BUSY: TimeDelta = TimeDelta::milliseconds(500);

/// A chronyd, and the upstream of stratum 1 that deceives it.
fn deceived(program: &Path) -> (Chronyd, FakeServer) {
    let upstream = FakeServer::start(|question, _, now| vec![honest(question, now + OFF).into()]);
    let lines = format!(
        "server 127.0.0.1 port {} iburst minpoll 0 maxpoll 0",
        upstream.address().port()
    );
    let chronyd = Chronyd::start(program, &lines);
    chronyd.wait_for_synchronisation(Duration::from_millis(20));
    (chronyd, upstream)
}

fn measure(servers: &[&Chronyd]) -> Clock {
    let addresses: Vec<_> = servers.iter().map(|server| server.address()).collect();
    clock::measure(MachineTimebase, &setting(&addresses), TERMS.budget)
}

/// How far a clock is from this machine's, which is the true one.
fn ahead(clock: &Clock) -> TimeDelta {
    clock.now().midpoint() - wall()
}

#[test]
fn a_real_server_that_was_deceived_is_believed_alone_and_outvoted_by_two_honest_ones() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let (liar, _upstream) = deceived(&program);

    let alone = measure(&[&liar]);
    let knowledge = alone.knowledge();
    assert_eq!(
        knowledge.to_string(),
        format!("NTP {} (single)", liar.address())
    );
    let figures = knowledge.sources[0].figures.unwrap();
    println!("{figures:?}");
    // It says nothing that would give it away, and the bound is broken a hundredfold.
    assert!(figures.bound < Duration::from_millis(50), "{figures:?}");
    assert!((ahead(&alone) - OFF).abs() < BUSY, "{}", ahead(&alone));

    let honest = [(); 2].map(|()| Chronyd::of_the_machine(&program));
    let together = measure(&[&liar, &honest[0], &honest[1]]);
    assert_eq!(together.fit_at(together.moment(), TERMS).1, Ok(()));
    assert!(ahead(&together).abs() < BUSY, "{}", ahead(&together));
    let knowledge = together.knowledge();
    let verdict = |server: &Chronyd| {
        let name = server.address().to_string();
        let mut sources = knowledge.sources.iter();
        sources.find(|source| source.name == name).unwrap().verdict
    };
    assert_eq!(honest.each_ref().map(verdict), [Verdict::Used; 2]);
    let Verdict::Falseticker { by } = verdict(&liar) else {
        panic!("{knowledge:?}");
    };
    assert!((by - OFF).abs() < BUSY, "{by}");

    // With one honest one there is nobody to say which of the two is right.
    let undecided = measure(&[&liar, &honest[0]]);
    let unfit = undecided.fit_at(undecided.moment(), TERMS).1.unwrap_err();
    assert!(unfit.to_string().contains("no majority"), "{unfit}");
}
