//! The line to k6 over which the resume goes: a connection of its own with nothing between a request and the socket.
//! What is written at the instant was made beforehand, and goes out in one system call.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::api::{ANSWER_WITHIN, ApiError, MOST_BYTES};
use super::ownership::Owner;
use crate::decide::machine::Reply;

/// How long the answer to the resume is waited for before its fate is settled by asking: it came within milliseconds
/// each time it came.
const RESUME_ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long the cores are left to k6 once the resume is written. Whatever the agent does then (taking the answer in,
/// telling its log, which wakes the container's runtime, asking k6) takes its time from the first requests, its own
/// k6's and those of the other pods of the node: with six pods on two cores it doubled how far apart those were.
/// Much shorter than what anybody waits for afterwards.
const HANDS_OFF: Duration = Duration::from_millis(25);
/// No more than a dozen were seen.
const MOST_HEADERS: usize = 64;

const RESUME: &str = r#"{"data":{"type":"status","id":"default","attributes":{"paused":false}}}"#;

/// A connection to the API of one k6.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    owner: Owner,
    resume: Vec<u8>,
}

/// The head of an answer.
struct Head {
    status: reqwest::StatusCode,
    bytes: usize,
    /// How long the body is, if that is told.
    body: Option<usize>,
}

impl Line {
    /// Connects. Nothing is sent, and whoever listens is found to be `owner`.
    ///
    /// # Errors
    /// [`ApiError::NotUp`] or [`ApiError::NoConnection`].
    pub fn open(owner: Owner) -> Result<Self, ApiError> {
        let no_connection = |error: &dyn ToString| ApiError::NoConnection(error.to_string());
        let stream = TcpStream::connect_timeout(&owner.address, ANSWER_WITHIN);
        let stream = stream.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => ApiError::NotUp,
            _ => no_connection(&error),
        })?;
        owner.check().map_err(|error| no_connection(&error))?;
        stream
            .set_nodelay(true)
            .map_err(|error| no_connection(&error))?;
        let resume = format!(
            "PATCH /v1/status HTTP/1.1\r\ncontent-type: application/json\r\naccept: */*\r\n\
             host: {}\r\ncontent-length: {}\r\n\r\n{RESUME}",
            owner.address,
            RESUME.len()
        );
        Ok(Self {
            stream,
            owner,
            resume: resume.into_bytes(),
        })
    }

    /// Asks k6 for its status, and waits for the answer. A connection that has carried a request is kept by k6.
    ///
    /// # Errors
    /// [`ApiError::Broken`]; the connection is of no use any more.
    pub fn warm(&mut self, at_most: Duration) -> Result<(), ApiError> {
        let question = format!(
            "GET /v1/status HTTP/1.1\r\naccept: */*\r\nhost: {}\r\n\r\n",
            self.owner.address
        );
        let until = Instant::now() + at_most.min(ANSWER_WITHIN);
        let answered = self
            .stream
            .write_all(question.as_bytes())
            .and_then(|()| self.read(until, whole));
        answered.map_err(|error| ApiError::Broken(error.to_string()))
    }

    /// Whether k6 keeps the connection, as far as is known here.
    pub fn is_open(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        // A byte that nobody asked for would be taken for the answer to the resume.
        recv(self.stream.as_raw_fd(), &mut [0], flags) == Err(Errno::EAGAIN)
    }

    /// Resumes k6: one request, never repeated. k6's own answer says status 4 even when it was taken, so
    /// [`Reply::Accepted`] is no proof of a start, and anything else none of the contrary. The answer is looked for a
    /// little later, for the load's sake.
    pub fn resume(mut self) -> Reply {
        if let Err(error) = self.stream.write_all(&self.resume) {
            return Reply::Unclear(format!("no answer ({error})"));
        }
        let until = Instant::now() + RESUME_ANSWER_WITHIN;
        thread::sleep(HANDS_OFF);
        match self.read(until, head) {
            Ok(answer) if answer.status.is_success() => Reply::Accepted,
            Ok(answer) => Reply::Unclear(format!("the answer {}", answer.status)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Reply::Unclear(format!("no answer within {RESUME_ANSWER_WITHIN:?}"))
            }
            Err(error) => Reply::Unclear(format!("no answer ({error})")),
        }
    }

    /// Reads until `found` finds what it looks for in all that came.
    fn read<T>(
        &mut self,
        until: Instant,
        found: impl Fn(&[u8]) -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(invalid("the connection was closed")),
                Ok(length) => all.extend_from_slice(&piece[..length]),
                // Out of time, or a signal: the loop looks.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
            if let Some(found) = found(&all)? {
                return Ok(found);
            }
            if all.len() > MOST_BYTES {
                return Err(invalid("its answer is too long"));
            }
        }
    }
}

/// The head, once it is all there.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(invalid(&format!("its answer is no HTTP: {error}"))),
    };
    let code = response.code.unwrap_or_default();
    let status =
        reqwest::StatusCode::from_u16(code).map_err(|error| invalid(&error.to_string()))?;
    let told = response.headers.iter().find(|header| {
        let name = header.name;
        name.eq_ignore_ascii_case("content-length")
    });
    let body = told.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    Ok(Some(Head {
        status,
        bytes: length,
        body,
    }))
}

/// Nothing but that a whole answer is there, so that the next one begins with its own head.
fn whole(bytes: &[u8]) -> io::Result<Option<()>> {
    let Some(head) = head(bytes)? else {
        return Ok(None);
    };
    let Some(body) = head.body else {
        return Err(invalid("its answer does not say how long it is"));
    };
    Ok((bytes.len() >= head.bytes.saturating_add(body)).then_some(()))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    /// A k6 of this process's own that gives these answers, one to a request; then it closes the connection, or holds
    /// it for as long as its requests are wanted.
    fn k6(answers: &'static [&'static str]) -> (Owner, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut requests = Vec::new();
            for answer in answers {
                let mut bytes = [0; 4096];
                // Each comes in one piece, as it is written in one.
                let length = stream.read(&mut bytes).unwrap();
                requests.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            requests
        });
        (owner(address), served)
    }

    fn owner(address: SocketAddr) -> Owner {
        Owner {
            root: std::process::id(),
            address,
        }
    }

    const STATUS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_warm_line_carries_the_resume_in_one_piece() {
        let (owner, served) = k6(&[STATUS, STATUS]);
        let mut line = Line::open(owner).unwrap();
        line.warm(LONG).unwrap();
        assert!(line.is_open());
        assert_eq!(line.resume(), Reply::Accepted);
        let requests = served.join().unwrap();
        assert!(requests[0].starts_with("GET /v1/status HTTP/1.1\r\n"));
        assert!(requests[1].starts_with("PATCH /v1/status HTTP/1.1\r\n"));
        assert!(requests[1].ends_with(&format!("\r\ncontent-length: 71\r\n\r\n{RESUME}")));
    }

    fn endless_head() -> &'static str {
        let header = "y".repeat(MOST_BYTES);
        format!("HTTP/1.1 200 OK\r\nx: {header}").leak()
    }

    #[rstest]
    #[case(
        "HTTP/1.1 500 Internal Server Error\r\n\r\n",
        "the answer 500 Internal Server Error"
    )]
    #[case("", "no answer (the connection was closed)")]
    #[case("HTTP/1.1 20", "no answer (the connection was closed)")]
    #[case("nonsense\r\n\r\n", "no answer (its answer is no HTTP: ")]
    #[case(endless_head(), "no answer (its answer is too long)")]
    fn what_is_no_good_answer_leaves_it_unclear(#[case] answer: &'static str, #[case] told: &str) {
        let (owner, _) = k6(vec![answer].leak());
        let Reply::Unclear(doubt) = Line::open(owner).unwrap().resume() else {
            panic!("it was accepted");
        };
        assert!(doubt.starts_with(told), "{doubt}");
    }

    #[test]
    fn an_answer_that_does_not_come_is_waited_for_a_second() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Line::open(owner(listener.local_addr().unwrap())).unwrap();
        let expected = Reply::Unclear("no answer within 1s".to_owned());
        assert_eq!(line.resume(), expected);
    }

    #[test]
    fn a_line_that_was_closed_is_not_open() {
        let (owner, served) = k6(&[STATUS]);
        let mut line = Line::open(owner).unwrap();
        line.warm(LONG).unwrap();
        served.join().unwrap();
        assert!(!line.is_open());
    }

    #[rstest]
    #[case("HTTP/1.1 200 OK\r\n\r\n{}", "its answer does not say how long it is")]
    #[case(
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
        "the connection was closed"
    )]
    fn a_line_on_which_the_next_answer_could_not_be_told_apart_is_not_used(
        #[case] answer: &'static str,
        #[case] told: &str,
    ) {
        let (owner, _) = k6(vec![answer].leak());
        let warmed = Line::open(owner).unwrap().warm(LONG);
        let Err(ApiError::Broken(why)) = warmed else {
            panic!("{warmed:?}");
        };
        assert_eq!(why, told);
    }

    #[test]
    fn where_nobody_listens_it_is_not_up_and_a_stranger_is_sent_nothing() {
        let address = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        assert!(matches!(Line::open(owner(address)), Err(ApiError::NotUp)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stranger = Owner {
            root: u32::MAX,
            address: listener.local_addr().unwrap(),
        };
        let refused = Line::open(stranger);
        assert!(
            matches!(refused, Err(ApiError::NoConnection(_))),
            "{refused:?}"
        );
        let (mut accepted, _) = listener.accept().unwrap();
        assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
    }
}
