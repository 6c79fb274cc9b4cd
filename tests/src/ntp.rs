//! Time servers of the tests' own: the real one, and one that says what it is told to.

pub mod chronyd;
pub mod fake_server;

use std::net::{SocketAddr, UdpSocket};

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

/// An address of this machine at which nobody answers: it was free a moment ago.
pub fn nobody() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

/// These servers, as `--ntp` takes them.
pub fn named(servers: &[SocketAddr]) -> String {
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    servers.join(",")
}
