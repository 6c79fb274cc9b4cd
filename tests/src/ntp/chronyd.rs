//! A real NTP server, on a port of its own, that does not touch the clock.

use std::{
    fs, iter,
    net::{SocketAddr, UdpSocket},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use clock::ntp::{Reason, SourceReport};
use nix::unistd::geteuid;

use super::{
    ask,
    fake_server::{FakeServer, unsure},
};
use crate::{
    process::{Program, Running},
    scratch::Scratch,
    wall_clock::WallClock,
};

/// How long it may take to be there, and to follow a source: it takes some ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until it is dropped.
pub struct Chronyd {
    process: Running,
    address: SocketAddr,
    /// What it writes to, as long as it runs.
    _folder: Scratch,
}

impl Chronyd {
    /// A server of stratum 1 that is never unsure: its clock is the machine's.
    pub fn of_the_machine(program: &Path) -> Self {
        Self::start(program, OF_THE_MACHINE)
    }

    /// The same, at an address that [`free_address`] gave.
    pub fn of_the_machine_at(program: &Path, address: SocketAddr) -> Self {
        Self::start_at(program, address, OF_THE_MACHINE)
    }

    /// The same, but its clock is another one than the machine's: it is off, is sure that it is not, and says a root
    /// delay and dispersion of zero. It has to be off by seconds: by less it takes the kernel's stamps at their word,
    /// which show the machine's clock, and contradicts itself.
    pub fn believing(program: &Path, clock: &WallClock) -> Self {
        Self::start_as(
            Program::new(program).believing(clock),
            free_address(),
            OF_THE_MACHINE,
        )
    }

    /// A server that follows this one alone, wherever that goes, and is sure of it to within `bound`. It asks it every
    /// second, and has followed a step some five seconds later.
    pub fn following(program: &Path, upstream: SocketAddr, bound: Duration) -> Self {
        let (address, port) = (upstream.ip(), upstream.port());
        let lines = format!("server {address} port {port} iburst minpoll 0 maxpoll 0");
        let chronyd = Self::start(program, &lines);
        chronyd.wait_for_synchronisation(bound);
        chronyd
    }

    /// A server that follows one that is so far ahead of the machine and [says so](unsure); and that one.
    pub fn following_unsure(program: &Path, ahead: Duration) -> (Self, FakeServer) {
        let upstream = unsure(ahead);
        let bound = ahead + Duration::from_millis(12);
        let chronyd = Self::following(program, upstream.address(), bound);
        (chronyd, upstream)
    }

    /// A server with these lines in its configuration besides those that let it
    /// run beside others, returned once it answers.
    pub fn start(program: &Path, lines: &str) -> Self {
        Self::start_at(program, free_address(), lines)
    }

    fn start_at(program: &Path, address: SocketAddr, lines: &str) -> Self {
        Self::start_as(Program::new(program), address, lines)
    }

    fn start_as(program: Program, address: SocketAddr, lines: &str) -> Self {
        let folder = Scratch::new();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut configuration = format!(
            "port {}\nbindaddress {}\nallow\ncmdport 0\nbindcmdaddress /\npidfile {}\ndriftfile {}\n{lines}\n",
            address.port(),
            address.ip(),
            path("pid"),
            path("drift"),
        );
        if geteuid().is_root() {
            configuration.push_str("user root\n");
        }
        fs::write(path("conf"), configuration).unwrap();
        let process = program
            .args(["-x", "-d", "-U", "-f", &path("conf")])
            .start();
        let chronyd = Self {
            process,
            address,
            _folder: folder,
        };
        chronyd.wait_for("an answer", |report| {
            report
                .troubles
                .iter()
                .all(|trouble| !matches!(trouble.reason, Reason::Refused | Reason::NoAnswer { .. }))
        });
        chronyd
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it follows a source and is sure of it to within `bound`: the
    /// first measurements leave it a second unsure.
    pub fn wait_for_synchronisation(&self, bound: Duration) {
        self.wait_for("synchronisation", |report| {
            report.samples.iter().any(|sample| sample.bound < bound)
        });
    }

    /// Each look is a round of questions, so the wait is spread by nothing else.
    fn wait_for(&self, what: &str, is_there: impl Fn(&SourceReport) -> bool) {
        let began = Instant::now();
        loop {
            let report = ask(self.address);
            if is_there(&report) {
                return;
            }
            let ended = self.process.exited();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "no {what} of chronyd; ended: {ended:?}; {report:?}\n{}{}",
                self.process.stdout(),
                self.process.stderr()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// As a time server that has a clock of its own.
const OF_THE_MACHINE: &str = "local stratum 1";

/// A port that nobody has now, below those that the kernel gives to the other
/// tests' sockets; so nobody takes it before chronyd does.
pub fn free_address() -> SocketAddr {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let first_given: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    let is_free = |address: &SocketAddr| UdpSocket::bind(address).is_ok();
    let random = || SocketAddr::from(([127, 0, 0, 1], rand::random_range(5_000..first_given)));
    iter::repeat_with(random).find(is_free).unwrap()
}
