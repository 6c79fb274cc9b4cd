//! A real NTP server, on a port of its own, that does not touch the clock.

use std::{
    env,
    fmt::Write as _,
    fs, iter,
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use clock::ntp::{Reason, SourceReport};
use nix::unistd::geteuid;
use tempfile::TempDir;

use super::measure::ask;

/// Runs until it is dropped.
pub struct Chronyd {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

/// Where chronyd is, or nothing where its tests are to be skipped; that is not
/// to be in CI.
pub fn program() -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let get = repository.join("tools/get.sh");
    let got = Command::new(get)
        .arg("chronyd")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(got.status.success(), "tools/get.sh chronyd failed");
    let path = String::from_utf8(got.stdout).unwrap();
    if path.is_empty() {
        eprintln!("SKIPPED: there is no chronyd");
        return None;
    }
    Some(path.trim_end().into())
}

impl Chronyd {
    /// A server of stratum 1 that is never unsure: its clock is the machine's.
    pub fn of_the_machine(program: &Path) -> Self {
        Self::start(program, "local stratum 1")
    }

    /// A server with these lines in its configuration besides those that let it
    /// run beside others, returned once it answers.
    pub fn start(program: &Path, lines: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let address = free_address();
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
        let log = fs::File::create(path("log")).unwrap();
        let process = Command::new(program)
            .args(["-x", "-d", "-U", "-f", &path("conf")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut chronyd = Self {
            process,
            address,
            folder,
        };
        chronyd.wait_for("an answer", |report| {
            report
                .troubles
                .iter()
                .all(|trouble| !matches!(trouble.reason, Reason::Refused | Reason::NoAnswer { .. }))
        });
        chronyd
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it follows a source and is sure of it to within `bound`: the
    /// first measurements leave it a second unsure.
    pub fn wait_for_synchronisation(&mut self, bound: Duration) {
        self.wait_for("synchronisation", |report| {
            report.samples.iter().any(|sample| sample.bound < bound)
        });
    }

    /// Each look is a round of questions, so the wait is spread by nothing else.
    fn wait_for(&mut self, what: &str, is_there: impl Fn(&SourceReport) -> bool) {
        let began = Instant::now();
        loop {
            let report = ask(self.address);
            if is_there(&report) {
                return;
            }
            let ended = self.process.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > Duration::from_secs(60) {
                let mut told = format!("no {what}; ended: {ended:?}; {report:?}\n");
                let log = fs::read_to_string(self.folder.path().join("log"));
                let _ = write!(told, "{}", log.unwrap_or_default());
                panic!("{told}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Chronyd {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A port that nobody has now, below those that the kernel gives to the other
/// tests' sockets; so nobody takes it before chronyd does.
fn free_address() -> SocketAddr {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let first_given: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    let is_free = |address: &SocketAddr| UdpSocket::bind(address).is_ok();
    let random = || SocketAddr::from(([127, 0, 0, 1], rand::random_range(5_000..first_given)));
    iter::repeat_with(random).find(is_free).unwrap()
}
