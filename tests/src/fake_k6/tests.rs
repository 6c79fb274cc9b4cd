use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::*;
use crate::{http::client::ask, process::Running, wait};

const SOON: Duration = Duration::from_secs(10);
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const RESUME: &str = r#"{"data":{"type":"status","id":"default","attributes":{"paused":false}}}"#;
const STOP: &str = r#"{"data":{"type":"status","id":"default","attributes":{"stopped":true}}}"#;

struct Started {
    k6: FakeK6,
    running: Running,
    address: SocketAddr,
    _scratch: Scratch,
}

impl Started {
    /// Starts a stand-in that behaves so, and waits for its API.
    fn that(behaviour: &Behaviour) -> Self {
        let scratch = Scratch::new();
        let k6 = FakeK6::new(&scratch, "k6", behaviour);
        let running = start(&k6, ANY_PORT);
        let address = wait::until("its API", SOON, || {
            let mut events = k6.record().into_iter();
            events.find_map(|record| match record.event {
                Event::Listening(address) => Some(address),
                _ => None,
            })
        });
        Self {
            k6,
            running,
            address,
            _scratch: scratch,
        }
    }

    fn ask(&self, request: &str, body: &str) -> Option<(u16, Value)> {
        let (method, path) = request.split_once(' ').unwrap();
        let (status, body) = ask(self.address, method, path, "", body)?;
        Some((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
    }

    fn status(&self) -> Value {
        self.ask("GET /v1/status", "").unwrap().1["data"]["attributes"]["status"].clone()
    }

    fn resume(&self) -> Option<u16> {
        Some(self.ask("PATCH /v1/status", RESUME)?.0)
    }

    fn code(&self) -> i32 {
        self.running.wait(SOON).code.unwrap()
    }

    fn events(&self) -> Vec<Event> {
        self.k6
            .record()
            .into_iter()
            .map(|record| record.event)
            .collect()
    }
}

fn start(k6: &FakeK6, address: SocketAddr) -> Running {
    let arguments = [
        "run",
        "--paused",
        "--address",
        &address.to_string(),
        "script.js",
    ];
    k6.environment(Program::new(k6.program()))
        .args(arguments)
        .start()
}

#[test]
fn starts_once_and_refuses_a_second_resume() {
    let k6 = Started::that(&Behaviour {
        starting: vec![6],
        run: SOON,
        ..Behaviour::default()
    });
    assert_eq!(k6.status(), 4);
    assert_eq!(k6.resume(), Some(200));
    assert_eq!(k6.status(), 6);
    assert_eq!(k6.status(), 7);
    assert_eq!(k6.resume(), Some(500));
    assert_eq!(k6.k6.requests("PATCH /v1/status").len(), 2);
}

#[test]
fn ends_with_its_code_when_its_run_is_over() {
    let k6 = Started::that(&Behaviour {
        exit_code: 99,
        run: Duration::ZERO,
        ..Behaviour::default()
    });
    k6.resume();
    assert_eq!(k6.code(), 99);
    assert_eq!(k6.events().last(), Some(&Event::Exiting(99)));
}

#[test]
fn starts_by_itself_when_resumed_while_building() {
    let k6 = Started::that(&Behaviour {
        building: vec![1, 2],
        run: SOON,
        ..Behaviour::default()
    });
    assert_eq!(k6.status(), 1);
    assert_eq!(k6.resume(), Some(200));
    assert_eq!(k6.status(), 2);
    assert_eq!(k6.status(), 7);
}

#[test]
fn may_take_a_resume_without_starting() {
    let k6 = Started::that(&Behaviour {
        starts: false,
        ..Behaviour::default()
    });
    assert_eq!(k6.resume(), Some(200));
    assert_eq!(k6.status(), 4);
}

#[test]
fn may_start_though_it_answers_an_error_or_not_at_all() {
    for (resume, answered) in [
        (Answer::Error(500, "no".into()), Some(500)),
        (Answer::Close, None),
    ] {
        let k6 = Started::that(&Behaviour {
            resume,
            run: SOON,
            ..Behaviour::default()
        });
        assert_eq!(k6.resume(), answered);
        assert_eq!(k6.status(), 7);
    }
}

#[test]
fn notes_a_client_that_does_not_wait_for_its_answer() {
    let k6 = Started::that(&Behaviour {
        setup: Answer::Never,
        ..Behaviour::default()
    });
    let mut stream = TcpStream::connect(k6.address).unwrap();
    write!(
        stream,
        "POST /v1/setup HTTP/1.1\r\nHost: it\r\nContent-Length: 0\r\n\r\n"
    )
    .unwrap();
    wait::until("the request", SOON, || {
        k6.k6.requests("POST /v1/setup").pop()
    });
    drop(stream);
    wait::until("the note", SOON, || {
        let abandoned = Event::Abandoned("POST /v1/setup".into());
        k6.events().contains(&abandoned).then_some(())
    });
}

#[test]
fn tells_the_reason_of_a_failed_setup() {
    let k6 = Started::that(&Behaviour {
        setup: Answer::Error(500, "test aborted: enough".into()),
        ..Behaviour::default()
    });
    let (status, body) = k6.ask("POST /v1/setup", "").unwrap();
    assert_eq!(status, 500);
    assert_eq!(body["errors"][0]["detail"], "test aborted: enough");
    assert_eq!(k6.status(), 4);
}

#[test]
fn answers_garbage_and_huge_bodies() {
    let k6 = Started::that(&Behaviour {
        status: Answer::Garbage,
        setup: Answer::Huge(5_000_000),
        ..Behaviour::default()
    });
    assert_eq!(k6.ask("GET /v1/status", ""), Some((200, Value::Null)));
    assert!(k6.ask("POST /v1/setup", "").unwrap().1.to_string().len() > 5_000_000);
}

#[test]
fn stops_by_its_api_or_a_signal_unless_told_otherwise() {
    let k6 = Started::that(&Behaviour::default());
    k6.ask("PATCH /v1/status", STOP);
    assert_eq!(k6.code(), 103);

    let k6 = Started::that(&Behaviour::default());
    k6.running.signal(Signal::SIGTERM);
    assert_eq!(k6.code(), 105);

    let k6 = Started::that(&Behaviour {
        ignores_stop: true,
        ignores_signals: true,
        ..Behaviour::default()
    });
    k6.ask("PATCH /v1/status", STOP);
    k6.running.signal(Signal::SIGTERM);
    wait::until("the note", SOON, || {
        k6.events().contains(&Event::Signalled).then_some(())
    });
    assert_eq!(k6.status(), 4);
}

#[test]
fn ends_by_itself_while_it_waits() {
    let k6 = Started::that(&Behaviour {
        ends_waiting: Some((Duration::from_millis(50), 99)),
        ..Behaviour::default()
    });
    assert_eq!(k6.code(), 99);
}

#[test]
fn loses_its_port_as_often_as_it_is_told() {
    let scratch = Scratch::new();
    let behaviour = Behaviour {
        port_taken: 2,
        stdout: "out".into(),
        stderr: "err".into(),
        run: Duration::ZERO,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(&scratch, "k6", &behaviour);
    for _ in 0..2 {
        let running = start(&k6, ANY_PORT);
        assert_eq!(running.wait(SOON).code, Some(106));
        assert_eq!(
            (running.stdout(), running.stderr()),
            ("out".into(), "err".into())
        );
    }
    let third = start(&k6, ANY_PORT);
    wait::until("its API", SOON, || {
        let last = k6.record().pop()?.event;
        matches!(last, Event::Listening(_)).then_some(())
    });
    assert!(third.exited().is_none());
}

#[test]
fn never_opens_its_api() {
    let scratch = Scratch::new();
    let behaviour = Behaviour {
        init: None,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(&scratch, "k6", &behaviour);
    let running = start(&k6, ANY_PORT);
    wait::until("its start", SOON, || k6.record().pop());
    // Others have opened theirs after a few milliseconds.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(k6.record().len(), 1);
    assert!(running.exited().is_none());
}

#[test]
fn keeps_a_connection_open_that_it_never_answers() {
    let k6 = Started::that(&Behaviour {
        resume: Answer::Never,
        ..Behaviour::default()
    });
    let mut stream = TcpStream::connect(k6.address).unwrap();
    let length = RESUME.len();
    write!(
        stream,
        "PATCH /v1/status HTTP/1.1\r\nHost: it\r\nContent-Length: {length}\r\n\r\n{RESUME}"
    )
    .unwrap();
    wait::until("the request", SOON, || {
        k6.k6.requests("PATCH /v1/status").pop()
    });
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(read, Err(std::io::ErrorKind::WouldBlock));
}
