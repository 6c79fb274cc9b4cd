//! A server that says what a good one never would.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use clock::ntp::{
    Leap, Short, Timestamp,
    packet::{MODE_SERVER, Packet, VERSION},
};

use crate::moment::Moment;

/// One packet of an answer.
pub struct Reply {
    /// What is sent.
    pub bytes: Vec<u8>,
    /// From another port than the one that was asked.
    pub from_elsewhere: bool,
}

impl From<Packet> for Reply {
    fn from(packet: Packet) -> Self {
        Self {
            bytes: packet.encode().to_vec(),
            from_elsewhere: false,
        }
    }
}

/// Answers until it is dropped.
pub struct FakeServer {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// On a free port of 127.0.0.1. `answer` is given each question, how many came
    /// before it, and the wall clock; what it makes is sent in that order.
    pub fn start(
        answer: impl FnMut(&Packet, u32, DateTime<Utc>) -> Vec<Reply> + Send + 'static,
    ) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), answer)
    }

    /// The same, at an address of the caller's.
    pub fn start_at(
        address: SocketAddr,
        mut answer: impl FnMut(&Packet, u32, DateTime<Utc>) -> Vec<Reply> + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        let elsewhere = UdpSocket::bind((address.ip(), 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let (count, end) = (Arc::clone(&asked), Arc::clone(&ended));
        let serve = move || {
            let mut question = [0; 1024];
            loop {
                let (length, client) = socket.recv_from(&mut question).unwrap();
                let now = Moment::now().utc;
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let question = Packet::decode(&question[..length]).unwrap();
                for reply in answer(&question, count.fetch_add(1, Ordering::SeqCst), now) {
                    let socket = if reply.from_elsewhere {
                        &elsewhere
                    } else {
                        &socket
                    };
                    // A client that is gone is refused.
                    let _ = socket.send_to(&reply.bytes, client);
                }
            }
        };
        Self {
            address,
            asked,
            ended,
            thread: Some(thread::spawn(serve)),
        }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many questions came.
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let waker = UdpSocket::bind((self.address.ip(), 0)).unwrap();
        waker.send_to(&[], self.address).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A good answer of a server of stratum 1 whose clock shows `receive` now.
pub fn honest(question: &Packet, receive: DateTime<Utc>) -> Packet {
    Packet {
        leap: Some(Leap::None),
        version: VERSION,
        mode: MODE_SERVER,
        stratum: 1,
        poll: question.poll,
        precision: -23,
        root_delay: Short::default(),
        root_dispersion: Short::default(),
        reference_id: *b"TEST",
        reference: Timestamp::from_utc(receive - Duration::from_secs(1)),
        origin: question.transmit,
        receive: Timestamp::from_utc(receive),
        transmit: Timestamp::from_utc(receive),
    }
}

/// A server that answers with `change` of an honest answer.
pub fn liar(change: impl Fn(Packet) -> Packet + Send + 'static) -> FakeServer {
    FakeServer::start(move |question, _, now| vec![change(honest(question, now)).into()])
}

/// A server whose clock is so far ahead of the machine's (negative: behind), and that does not know.
pub fn off_by(off: TimeDelta) -> FakeServer {
    FakeServer::start(move |question, _, now| vec![honest(question, now + off).into()])
}

/// A server of stratum 2 whose clock is so far ahead of the machine's, and that says it may be: its root dispersion is
/// 2 ms more than that.
pub fn unsure(ahead: Duration) -> FakeServer {
    let error = ahead + Duration::from_millis(2);
    FakeServer::start(move |question, _, now| {
        let answer = Packet {
            stratum: 2,
            root_delay: short(Duration::from_millis(4)),
            root_dispersion: short(error),
            ..honest(question, now + ahead)
        };
        vec![answer.into()]
    })
}

/// In units of 2⁻¹⁶ s (RFC 5905, 6).
fn short(duration: Duration) -> Short {
    let units = (duration.as_nanos() << 16) / 1_000_000_000;
    Short::from_bits(u32::try_from(units).unwrap())
}

/// A server whose clock may be stepped.
pub struct Unsteady {
    server: FakeServer,
    /// By how much it is ahead of the machine, and from when on.
    step: Arc<Mutex<(DateTime<Utc>, TimeDelta)>>,
}

impl Unsteady {
    /// One that has the machine's time until it is stepped.
    #[allow(
        clippy::new_without_default,
        reason = "a default value that listens on a port would surprise"
    )]
    pub fn new() -> Self {
        let step = Arc::new(Mutex::new((DateTime::UNIX_EPOCH, TimeDelta::zero())));
        let latest = Arc::clone(&step);
        let server = FakeServer::start(move |question, _, now| {
            let (from, ahead) = *latest.lock().unwrap();
            let told = if now < from { now } else { now + ahead };
            vec![honest(question, told).into()]
        });
        Self { server, step }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Lets it be so far ahead of the machine from now on.
    pub fn step_to(&self, ahead: TimeDelta) {
        self.step_at(DateTime::UNIX_EPOCH, ahead);
    }

    /// Lets it be so far ahead of the machine from this time of the machine's on, and right until then.
    pub fn step_at(&self, from: DateTime<Utc>, ahead: TimeDelta) {
        *self.step.lock().unwrap() = (from, ahead);
    }
}
