//! From a setting to a clock that knows the time, over real sockets.

use std::{net::SocketAddr, sync::mpsc, time::Duration};

use chrono::TimeDelta;
use clock::{
    Clock, Closing, ErrorBound, Knowledge, MachineTimebase, SourceKind, Status, Terms, Timekeeper,
    Verdict, ntp::NtpSetting,
};

use crate::support::{
    chronyd::{Chronyd, free_address},
    fake_server::{FakeServer, honest},
    measure::setting,
    network::alone_with,
    programs, wall,
};

const MS: Duration = Duration::from_millis(1);

const TERMS: Terms = Terms {
    budget: Duration::from_millis(50),
    require_ntp: true,
};

fn measure(addresses: &[SocketAddr]) -> Clock {
    clock::measure(MachineTimebase, &setting(addresses), TERMS.budget)
}

/// How far a clock is from the machine's.
fn ahead_of_the_machine(clock: &Clock) -> TimeDelta {
    clock.now().midpoint() - wall()
}

/// A server that is off and does not know.
fn off_by(off: TimeDelta) -> FakeServer {
    FakeServer::start(move |question, _, now| vec![honest(question, now + off).into()])
}

fn verdict(knowledge: &Knowledge, address: SocketAddr) -> Verdict {
    let mut sources = knowledge.sources.iter();
    let source = sources.find(|source| source.name == address.to_string());
    source.unwrap().verdict
}

#[test]
fn a_start_by_a_real_server_is_timed_to_milliseconds() {
    let Some(program) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&program);
    let kept = Kept::by(&[server.address()]);
    let (clock, keeper) = (&kept.clock, &kept.keeper);
    kept.wait_until(is_synchronised);
    assert_eq!(
        clock.knowledge().to_string(),
        format!("NTP {} (single)", server.address())
    );
    assert_eq!(clock.fit_at(clock.moment(), TERMS).1, Ok(()));
    // The two are read a moment apart, on a machine that may be busy.
    assert!(ahead_of_the_machine(clock).abs() < TimeDelta::milliseconds(200));

    keeper.fired(clock.moment());
    let closing = |clock: &Clock| clock.knowledge().firing.map(|firing| firing.closing);
    kept.wait_until(|clock| closing(clock).is_some_and(|closing| closing != Closing::Awaited));
    assert_eq!(closing(clock), Some(Closing::Confirmed));
    assert!(clock.knowledge().firing.unwrap().bound < 20 * MS);
}

/// A clock that is kept measured.
struct Kept {
    clock: Clock,
    keeper: Timekeeper,
    changes: mpsc::Receiver<()>,
}

impl Kept {
    fn by(addresses: &[SocketAddr]) -> Self {
        let (change, changes) = mpsc::channel();
        let changed = move || {
            // The test may be over.
            let _ = change.send(());
        };
        let started = clock::start(MachineTimebase, &setting(addresses), TERMS.budget, changed);
        let (clock, keeper) = started.unwrap();
        Self {
            clock,
            keeper,
            changes,
        }
    }

    fn wait_until(&self, done: impl Fn(&Clock) -> bool) {
        while !done(&self.clock) {
            self.wait_for_change();
        }
    }

    fn wait_for_change(&self) {
        self.changes.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}

fn is_synchronised(clock: &Clock) -> bool {
    let by = SourceKind::Ntp;
    clock.now().status == Status::Synchronised { by }
}

#[test]
fn a_majority_does_not_wait_for_a_server_that_is_silent() {
    let honest = [(); 2].map(|()| off_by(TimeDelta::zero()));
    let silent = FakeServer::start(|_, _, _| Vec::new());
    let addresses = [honest[0].address(), silent.address(), honest[1].address()];
    let kept = Kept::by(&addresses);
    let clock = &kept.clock;
    kept.wait_for_change();
    assert!(is_synchronised(clock));
    assert_eq!(clock.fit_at(clock.moment(), TERMS).1, Ok(()));
    // That the round is over, and who was waited for in vain, is a second change.
    kept.wait_for_change();
    assert_eq!(silent.asked(), 2);
    assert_eq!(
        verdict(&clock.knowledge(), silent.address()),
        Verdict::Silent
    );
    assert!(is_synchronised(clock));
}

#[test]
fn one_of_two_is_no_majority_until_the_other_is_given_up() {
    let honest = off_by(TimeDelta::zero());
    let silent = FakeServer::start(|_, _, _| Vec::new());
    let kept = Kept::by(&[honest.address(), silent.address()]);
    let clock = &kept.clock;
    kept.wait_until(is_synchronised);
    assert_eq!(silent.asked(), 2);
    assert_eq!(
        verdict(&clock.knowledge(), silent.address()),
        Verdict::Silent
    );
}

#[test]
fn a_server_that_comes_up_late_is_found_within_seconds() {
    let address = free_address();
    let kept = Kept::by(&[address]);
    let clock = &kept.clock;
    // Since nobody is there any more it is told so at once, a first and a second time.
    for _round in 0..3 {
        kept.wait_for_change();
    }
    let server = FakeServer::start_at(address, |question, _, now| {
        vec![honest(question, now).into()]
    });
    let up = clock.moment();
    kept.wait_until(is_synchronised);
    let took = clock.moment().since(up);
    println!("found after {took}");
    assert!(took < TimeDelta::seconds(10), "{took}");
    assert!(server.asked() >= 4);
}

#[test]
fn one_server_of_three_that_is_off_is_outvoted() {
    let servers = [0, 5, 0].map(|off| off_by(TimeDelta::seconds(off)));
    let clock = measure(&servers.each_ref().map(FakeServer::address));
    let [first, liar, last] = servers
        .each_ref()
        .map(|server| verdict(&clock.knowledge(), server.address()));
    assert_eq!((first, last), (Verdict::Used, Verdict::Used));
    let Verdict::Falseticker { by } = liar else {
        panic!("{:?}", clock.knowledge());
    };
    assert!((by - TimeDelta::seconds(5)).abs() < TimeDelta::seconds(1));
    assert!(ahead_of_the_machine(&clock).abs() < TimeDelta::seconds(1));
    assert_eq!(clock.fit_at(clock.moment(), TERMS).1, Ok(()));
}

#[test]
fn two_servers_that_differ_are_no_time() {
    let servers = [off_by(TimeDelta::zero()), off_by(TimeDelta::seconds(5))];
    let clock = measure(&servers.each_ref().map(FakeServer::address));
    assert_eq!(clock.now().bound(), ErrorBound::Unmeasured);
    let unfit = clock
        .fit_at(clock.moment(), TERMS)
        .1
        .unwrap_err()
        .to_string();
    assert!(
        unfit.starts_with("clock unsynchronised: no majority of the time sources agrees"),
        "{unfit}"
    );
}

/// Asks a server that is so far ahead of the machine that it takes three answers to believe it.
fn assert_believed_once_it_has_said_so_three_times(ahead: TimeDelta) {
    let server = off_by(ahead);
    let clock = measure(&[server.address()]);
    assert_eq!(server.asked(), 3 * 4);
    assert_eq!(clock.fit_at(clock.moment(), TERMS).1, Ok(()));
    let off = ahead_of_the_machine(&clock) - ahead;
    assert!(off.abs() < TimeDelta::seconds(1), "{off}");
}

#[test]
fn a_server_that_is_hours_off_is_believed_once_it_has_said_so_three_times() {
    assert_believed_once_it_has_said_so_three_times(TimeDelta::hours(-3));
}

/// From 2036 on the 32 bits for the seconds count from zero again; this lies there, whenever it is run.
#[test]
fn a_server_in_the_next_era_is_believed_by_a_machine_in_this_one() {
    assert_believed_once_it_has_said_so_three_times(TimeDelta::days(12 * 366));
}

#[test]
fn where_nobody_answers_the_clock_is_unfit_and_says_who_did_not() {
    // Nothing has listened on port 1 for decades.
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let clock = measure(&[address]);
    assert_eq!(
        clock
            .fit_at(clock.moment(), TERMS)
            .1
            .unwrap_err()
            .to_string(),
        format!(
            "clock unsynchronised: no time source answers; \
             NTP {address}: refused: nothing listens on this UDP port there"
        )
    );
}

/// Asks whoever there is to be found, in a network in which there is nothing else.
fn measure_auto() -> Clock {
    clock::measure(MachineTimebase, &NtpSetting::Auto, TERMS.budget)
}

#[test]
fn in_a_cloud_its_server_is_the_only_source() {
    alone_with(&["169.254.169.254"], || {
        let address = SocketAddr::from(([169, 254, 169, 254], 123));
        let answer = |question: &_, _, now| vec![honest(question, now).into()];
        let _server = FakeServer::start_at(address, answer);
        let clock = measure_auto();
        assert_eq!(clock.fit_at(clock.moment(), TERMS).1, Ok(()));
        let knowledge = clock.knowledge();
        assert_eq!(knowledge.to_string(), "NTP Google Cloud (single)");
        assert_eq!(knowledge.sources.len(), 1);
    });
}

#[test]
fn without_a_cloud_the_kernel_is_asked_and_named_as_unverified_or_as_why_not() {
    alone_with(&[], || {
        let clock = measure_auto();
        let knowledge = clock.knowledge();
        let names: Vec<_> = knowledge
            .sources
            .iter()
            .map(|source| &source.name)
            .collect();
        assert_eq!(names, ["AWS", "Google Cloud", "kernel"]);
        let unfit = clock
            .fit_at(clock.moment(), TERMS)
            .1
            .unwrap_err()
            .to_string();
        for name in ["NTP AWS: ", "NTP Google Cloud: "] {
            assert!(unfit.contains(name), "{unfit}");
        }
        // That depends on the machine.
        match clock.now().status {
            Status::Synchronised { by } => {
                assert_eq!(by, SourceKind::Kernel);
                assert_eq!(knowledge.to_string(), "kernel, unverified");
            }
            status => {
                assert_eq!(status, Status::Unsynchronised);
                assert!(unfit.contains("; kernel: the kernel"), "{unfit}");
            }
        }
    });
}
