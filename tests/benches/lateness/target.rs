//! A stand-in for k6, in a process of its own: it speaks k6's API as far as a start needs it, and says when the
//! first byte of each resume came.

use std::{
    env,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use support::{
    moment::Moment,
    process::{Program, Running},
};

/// What the program is told when it is to be the target.
pub const ROLE: &str = "target";

/// Far more than anything takes that it does.
const WITHIN: Duration = Duration::from_secs(60);

/// k6's status while it is paused, as k6 v1.1.0 tells it.
const STATUS: &str = r#"{"data":{"type":"status","id":"default","attributes":{"status":4,"paused":true,"vus":1,"vus-max":1,"stopped":false,"running":false,"tainted":false}}}"#;

/// The target as whoever starts it sees it. It ends when this is dropped.
pub struct Target {
    pub address: SocketAddr,
    running: Running,
    resumes: usize,
}

/// The arrival of a resume.
#[derive(Serialize, Deserialize)]
pub struct Arrival {
    /// Which one it is, from 1 on; the first in the line, which is found by it.
    number: usize,
    /// When its first byte was there, by the machine's clock.
    pub at: DateTime<Utc>,
    /// How long the request was.
    pub bytes: usize,
    /// Whether its connection had carried a request before.
    pub warm: bool,
}

impl Target {
    pub fn start() -> Self {
        let running = Program::new(env::current_exe().unwrap())
            .args([ROLE])
            .start();
        let line = running.wait_for_line("127.0.0.1:", WITHIN);
        Self {
            address: line.parse().unwrap(),
            running,
            resumes: 0,
        }
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.running.id().as_raw().try_into().unwrap()
    }

    /// The next resume that it is sent.
    pub fn next_resume(&mut self) -> Arrival {
        self.resumes += 1;
        let line = format!(r#"{{"number":{},"#, self.resumes);
        serde_json::from_str(&self.running.wait_for_line(&line, WITHIN)).unwrap()
    }
}

/// What the target does, for as long as whoever started it lives.
pub fn serve() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    println!("{}", listener.local_addr().unwrap());
    let resumes = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let (stream, resumes) = (stream.unwrap(), resumes.clone());
        thread::spawn(move || converse(stream, &resumes));
    }
}

fn converse(mut stream: TcpStream, resumes: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let length = STATUS.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{STATUS}");
    let mut warm = false;
    while let Some((request, at)) = read(&mut stream) {
        // Whoever asked may be gone.
        let _ = stream.write_all(answer.as_bytes());
        if request.starts_with("PATCH /v1/status ") {
            let arrival = Arrival {
                number: resumes.fetch_add(1, Ordering::SeqCst) + 1,
                at,
                bytes: request.len(),
                warm,
            };
            println!("{}", serde_json::to_string(&arrival).unwrap());
        }
        warm = true;
    }
}

/// Reads a whole request, and when its first byte was there; nothing at the end of the connection.
fn read(stream: &mut TcpStream) -> Option<(String, DateTime<Utc>)> {
    let (mut request, mut piece, mut arrived) = (String::new(), [0; 4096], None);
    loop {
        let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
        let at = *arrived.get_or_insert_with(|| Moment::now().utc);
        request.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        if is_whole(&request) {
            return Some((request, at));
        }
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let announced = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse::<usize>().unwrap())
    });
    body.len() >= announced.unwrap_or(0)
}
