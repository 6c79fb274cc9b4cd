//! Paused k6, ready to be resumed by whoever is measured.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use support::process::{Program, Running};
use support::scratch::Scratch;
use support::target::Target;
use support::wait;

/// The script of every start: three requests of one VU, which take a second. A k6 whose load is over at once writes its
/// summary, some 20 ms of CPU time, while the others begin: no load test does that.
pub const SCRIPT: &str = r#"
import http from 'k6/http';
import { sleep } from 'k6';
export const options = { scenarios: { load: { executor: 'per-vu-iterations', vus: 1, iterations: 3 } } };
const params = { headers: { 'X-Tminus-Runner': __ENV.TMINUS_RUNNER } };
export default function () { http.get(__ENV.TARGET, params); sleep(0.5); }
"#;

/// Far more than k6 takes to come up on a busy machine.
const COMES_UP_WITHIN: Duration = Duration::from_secs(60);

/// The request that asks for k6's status.
const ASK: &str = "GET /v1/status HTTP/1.1\r\nHost: k6\r\n\r\n";

/// One paused k6 with its API on a loopback port.
pub struct Paused {
    pub address: SocketAddr,
    running: Running,
}

/// Starts some, and waits until each is ready (status 4).
pub fn start(count: usize, k6: &Path, scratch: &Scratch, target: &Target) -> Vec<Paused> {
    let script = scratch.write("load.js", SCRIPT);
    let all: Vec<Paused> = (1..=count)
        .zip(free(count))
        .map(|(number, address)| {
            let running = Program::new(k6)
                .args([
                    "run",
                    "--paused",
                    "--quiet",
                    "--no-summary",
                    "--address",
                    &address.to_string(),
                ])
                .args([&script])
                .env("TARGET", target.url())
                .env("TMINUS_RUNNER", format!("runner-{number}"))
                .current_dir(scratch.path())
                .start();
            Paused { address, running }
        })
        .collect();
    for paused in &all {
        wait::until("a paused k6", COMES_UP_WITHIN, || {
            let mut stream = TcpStream::connect(paused.address).ok()?;
            ask(&mut stream).contains(r#""status":4"#).then_some(())
        });
    }
    all
}

/// Waits until all have made their load and ended.
pub fn finish(all: Vec<Paused>) {
    for paused in all {
        assert_eq!(paused.running.wait(COMES_UP_WITHIN).code, Some(0));
    }
}

/// Opens a connection that has carried a request, so that k6 keeps it.
pub fn open(paused: &Paused) -> TcpStream {
    let mut stream = TcpStream::connect(paused.address).unwrap();
    stream.set_nodelay(true).unwrap();
    ask(&mut stream);
    stream
}

/// Asks for the status, and reads the answer, which comes in one piece.
fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(ASK.as_bytes()).unwrap();
    answer(stream)
}

/// Reads an answer that fits into one piece, as k6's do here.
pub fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let length = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// Free ports, each another: all are held until the last one is found.
fn free(count: usize) -> Vec<SocketAddr> {
    let held: Vec<_> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}
