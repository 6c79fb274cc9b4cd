//! Time servers of the tests' own: the real one, and one that says what it is told to.

pub mod chronyd;
pub mod fake_server;

use std::net::SocketAddr;

use clock::{
    Cancel, Clock, MachineTimebase,
    ntp::{NtpSetting, Occasion, SourceReport, Sources},
};

/// What one round of questions says of the server at `address`.
pub fn ask(address: SocketAddr) -> SourceReport {
    let setting: NtpSetting = address.to_string().parse().unwrap();
    let clock = Clock::system(MachineTimebase);
    let mut reports = Sources::of(&setting).round(&clock, Occasion::Start, &Cancel::new());
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

/// An address of this machine at which nobody answers, nor will: the kernel gives its port to no server of another test.
pub fn nobody() -> SocketAddr {
    chronyd::free_address()
}

/// These servers, as `--ntp` takes them.
pub fn named(servers: &[SocketAddr]) -> String {
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    servers.join(",")
}
