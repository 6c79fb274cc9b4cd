//! A path to a server that is long, crooked and leaky.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use clock::ntp::packet::Packet;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// What happens to packets on their way.
#[derive(Clone, Copy, Default)]
pub struct Path {
    /// From the client to the server, at least.
    pub out: Duration,
    /// From the server to the client, at least.
    pub back: Duration,
    /// What each packet is held up beyond that, evenly from zero on. Packets
    /// overtake each other.
    pub jitter: Duration,
    /// How likely a packet is lost, either way.
    pub loss: f64,
    /// How likely a packet is sent twice, either way.
    pub duplicates: f64,
}

/// Passes packets on until it is dropped.
pub struct Relay {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// On a free port of 127.0.0.1. The same seed loses the same packets.
    pub fn start(server: SocketAddr, path: Path, seed: u64) -> Self {
        let [front, back] = [(); 2].map(|()| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        let address = front.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let mut road = Road {
            front,
            back,
            server,
            path,
            random: StdRng::seed_from_u64(seed),
            clients: HashMap::new(),
            on_the_way: BinaryHeap::new(),
            packets: BTreeMap::new(),
            sent: 0,
        };
        let end = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                road.step();
            }
        });
        Self {
            address,
            ended,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let waker = UdpSocket::bind("127.0.0.1:0").unwrap();
        waker.send_to(&[0], self.address).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

struct Road {
    front: UdpSocket,
    back: UdpSocket,
    server: SocketAddr,
    path: Path,
    random: StdRng,
    /// Who asked which question.
    clients: HashMap<u64, SocketAddr>,
    /// What is due when, the next first, by number.
    on_the_way: BinaryHeap<Reverse<(Instant, u64)>>,
    packets: BTreeMap<u64, (Direction, Vec<u8>)>,
    sent: u64,
}

#[derive(Clone, Copy)]
enum Direction {
    Out,
    Back(SocketAddr),
}

impl Road {
    /// Waits for the next thing to happen, and does it.
    fn step(&mut self) {
        self.wait();
        let mut bytes = [0; 1024];
        while let Ok((length, client)) = self.front.recv_from(&mut bytes) {
            if let Ok(question) = Packet::decode(&bytes[..length]) {
                self.clients.insert(question.transmit.to_bits(), client);
                self.take_up(Direction::Out, &bytes[..length]);
            }
        }
        while let Ok((length, _)) = self.back.recv_from(&mut bytes) {
            let answer = Packet::decode(&bytes[..length]).unwrap();
            let client = self.clients[&answer.origin.to_bits()];
            self.take_up(Direction::Back(client), &bytes[..length]);
        }
        while let Some(Reverse((due, number))) = self.on_the_way.peek().copied() {
            if due > Instant::now() {
                break;
            }
            self.on_the_way.pop();
            // One that is gone cannot be sent anything, and that is its business.
            let _ = match self.packets.remove(&number).unwrap() {
                (Direction::Out, bytes) => self.back.send_to(&bytes, self.server),
                (Direction::Back(client), bytes) => self.front.send_to(&bytes, client),
            };
        }
    }

    fn wait(&self) {
        let next = self.on_the_way.peek();
        let patience = next.map(|Reverse((due, _))| due.saturating_duration_since(Instant::now()));
        let patience = match patience {
            // Rounded up to a millisecond: jitter of its own.
            Some(left) => PollTimeout::try_from(left + Duration::from_micros(999)).unwrap(),
            None => PollTimeout::NONE,
        };
        let mut sockets =
            [&self.front, &self.back].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        let _ = poll(&mut sockets, patience);
    }

    fn take_up(&mut self, direction: Direction, bytes: &[u8]) {
        let least = match direction {
            Direction::Out => self.path.out,
            Direction::Back(_) => self.path.back,
        };
        let copies = 1 + u32::from(self.random.random_bool(self.path.duplicates));
        for _ in 0..copies {
            let jitter = self.path.jitter.mul_f64(self.random.random());
            let lost = self.random.random_bool(self.path.loss);
            if !lost {
                self.sent += 1;
                self.on_the_way
                    .push(Reverse((Instant::now() + least + jitter, self.sent)));
                self.packets.insert(self.sent, (direction, bytes.to_vec()));
            }
        }
    }
}
