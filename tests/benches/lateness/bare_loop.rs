//! What a program can do at best here: it sleeps, spins, and writes the same bytes, by the very clock that the
//! target has.

use std::{
    hint,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use chrono::{DateTime, Utc};
use clock::wait::DEFAULT_SPIN;
use support::moment::Moment;

const BODY: &str = r#"{"data":{"type":"status","id":"default","attributes":{"paused":false}}}"#;

/// Sends the target a resume at the instant. Blocks until it is answered.
pub fn start(target: SocketAddr, instant: DateTime<Utc>) {
    let mut stream = TcpStream::connect(target).unwrap();
    stream.set_nodelay(true).unwrap();
    let ask = format!("GET /v1/status HTTP/1.1\r\naccept: */*\r\nhost: {target}\r\n\r\n");
    converse(&mut stream, &ask);
    // As the agent writes it.
    let length = BODY.len();
    let resume = format!(
        "PATCH /v1/status HTTP/1.1\r\ncontent-type: application/json\r\naccept: */*\r\n\
         host: {target}\r\ncontent-length: {length}\r\n\r\n{BODY}"
    );
    let left = (instant - Moment::now().utc).to_std().unwrap_or_default();
    thread::sleep(left.saturating_sub(DEFAULT_SPIN));
    while Moment::now().utc < instant {
        hint::spin_loop();
    }
    converse(&mut stream, &resume);
}

/// The answer comes in one piece.
fn converse(stream: &mut TcpStream, request: &str) {
    stream.write_all(request.as_bytes()).unwrap();
    assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0);
}
