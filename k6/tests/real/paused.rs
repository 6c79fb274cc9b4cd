//! Whether the real k6, started with our command line, waits paused behind our address.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use k6::CommandLine;
use rstest::rstest;

use crate::K6;

/// More than k6 has been seen to need on a loaded machine (2 s); only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// k6's exit code where its API cannot have the address.
const CANNOT_LISTEN: i32 = 106;

/// A k6 that is killed at the end of the test, whatever that is.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// k6's answer to `GET /v1/status`; `None` where nobody answers yet.
fn status(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /v1/status HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[rstest]
fn k6_waits_paused_behind_our_address(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(
        ("k6 run s.js", ""),
        ("k6 -q run s.js -pv", ""),
        ("k6 run --paused=false s.js -qp", "K6_PAUSED=false"),
        ("k6 -p=true run -e K6_PAUSED=true --no-setup s.js", ""),
    )]
    (line, pairs): (&str, &str),
) {
    let directory = tempfile::tempdir().unwrap();
    let script = "export default function () {}";
    std::fs::write(directory.path().join("s.js"), script).unwrap();
    let variables = || {
        pairs
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
    };
    let words: Vec<_> = line.split(' ').map(Into::into).collect();
    let run = CommandLine::parse(&words)
        .unwrap()
        .check(&variables().collect(), None)
        .unwrap();

    let started = Instant::now();
    let answer = loop {
        assert!(started.elapsed() < PATIENCE, "no k6 has answered");
        let address = free_address();
        let arguments = run.paused_at(address, true).into_iter().skip(1);
        let mut command = k6.command(arguments, variables(), directory.path());
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if let Some(answer) = first_answer(Killed(child), address) {
            break answer;
        }
    };
    assert!(answer.contains(r#""paused":true"#), "{answer}");
}

/// What k6 answers first; `None` if another program took the port in the meantime.
fn first_answer(mut k6: Killed, address: SocketAddr) -> Option<String> {
    let started = Instant::now();
    loop {
        if let Some(exit) = k6.0.try_wait().unwrap() {
            assert_eq!(exit.code(), Some(CANNOT_LISTEN));
            return None;
        }
        if let Some(answer) = status(address) {
            return Some(answer);
        }
        assert!(started.elapsed() < PATIENCE, "k6 does not answer");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A loopback address that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
