//! What a round of measurements takes, and how far what it finds is from what chronyd finds as a client.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use clock::{Clock, MachineTimebase, ntp::NtpSetting};
use nix::unistd::geteuid;
use support::process::Program;

use crate::{
    figures::{Figures, millis},
    report::{print_bar, signed_millis},
    tminus::MAX_CLOCK_ERROR,
};

/// The most that a round may take with a server near by.
const ROUND: Duration = Duration::from_millis(50);

/// How long chronyd is given for an answer. It asks within two seconds of its start.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// Prints how long it takes from the start to an error bound.
pub fn print_rounds(rounds: usize, server: SocketAddr) {
    let (mut took, mut bounds) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let clock = measure(server);
        let bound = clock.now().bound().measured().expect("a measured clock");
        took.push(began.elapsed());
        bounds.push(bound);
    }
    let (took, bounds) = (Figures::new(took), Figures::new(bounds));
    println!(
        "a round of measurements, from its start to the error bound, in ms ({} rounds)",
        took.len()
    );
    println!(
        "  median {:.3}, p99 {:.3}, max {:.3}; the bound: median {:.4}, max {:.4}",
        millis(took.median()),
        millis(took.quantile(0.99)),
        millis(took.max()),
        millis(bounds.median()),
        millis(bounds.max()),
    );
    print_bar(
        &format!("at most {} each time", millis(ROUND)),
        took.max() <= ROUND,
    );
    println!();
}

/// Prints how far the two are apart, asking the same server in turn.
pub fn print_differences(times: usize, server: SocketAddr, chronyd: &Path) {
    let (mut ours, mut theirs, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..times {
        let by_us = measure(server)
            .knowledge()
            .offset
            .expect("a measured clock");
        let by_chronyd = offset_by(chronyd, server);
        ours.push(by_us.abs());
        theirs.push(by_chronyd.abs());
        apart.push((by_us - by_chronyd).abs());
    }
    let [ours, theirs, apart] = [ours, theirs, apart].map(Figures::new);
    println!(
        "the machine's clock by that server, as tminus and as `chronyd -Q` measure it, in ms ({times} times each)"
    );
    println!(
        "  apart: median {:.3}, max {:.3}; the server has the machine's clock, so both should say 0: \
         tminus {:.4}, chronyd {:.4} (medians)",
        signed_millis(apart.median()),
        signed_millis(apart.max()),
        signed_millis(ours.median()),
        signed_millis(theirs.median()),
    );
}

fn measure(server: SocketAddr) -> Clock {
    let setting: NtpSetting = server.to_string().parse().unwrap();
    clock::measure(MachineTimebase, &setting, MAX_CLOCK_ERROR)
}

/// What chronyd says has to be added to the machine's clock, to the microsecond. It sets nothing, and serves nobody.
fn offset_by(chronyd: &Path, server: SocketAddr) -> TimeDelta {
    let source = format!(
        "server {} port {} iburst maxsamples 1",
        server.ip(),
        server.port()
    );
    let mut configuration = vec!["cmdport 0", "port 0", &source];
    if geteuid().is_root() {
        // Else it would become a user that this machine may not have.
        configuration.push("user root");
    }
    let running = Program::new(chronyd)
        .args(["-Q", "-U"])
        .args(configuration)
        .start();
    let line = running.wait_for_line("System clock wrong by ", ANSWERS_WITHIN);
    let seconds = line
        .split_whitespace()
        .find_map(|word| word.parse::<f64>().ok())
        .unwrap();
    TimeDelta::from_std(Duration::from_secs_f64(seconds.abs())).unwrap()
        * if seconds < 0.0 { -1 } else { 1 }
}
