//! A port that another program has taken between its choice and k6's start: the agent takes another one, and leaves
//! whoever has the first alone.
#![allow(clippy::unwrap_used)]

use std::{
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rendezvous::Phase;
use rstest::rstest;
use support::{
    client::ask,
    process::Program,
    programs::K6,
    runner::{Launch, Runner, SOON, address_in, k6_run},
    stage::Stage,
    target::Target,
    wait,
    wrapped_k6::WrappedK6,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

/// A k6 whose first start waits until the test has done something about its port.
fn held(stage: &Stage, k6: &Path) -> WrappedK6 {
    WrappedK6::new(stage, k6).before("until [ -e go ]; do sleep 0.02; done")
}

fn let_go(stage: &Stage) {
    stage.scratch().write("go", "");
}

fn start<'a>(stage: &'a Stage, target: &Target, k6: &WrappedK6) -> Runner<'a> {
    k6.environment(Launch::new(stage, RUNNER))
        .env("TARGET", target.url())
        .start(k6_run(&k6.path(), &[], "one-iteration"))
}

/// The address that the agent has chosen first.
fn first_choice(k6: &WrappedK6) -> SocketAddr {
    let starts = wait::until("the first start", SOON, || {
        Some(k6.starts()).filter(|starts| !starts.is_empty())
    });
    address_in(&starts[0]).unwrap()
}

/// Lets the held k6 find that its port is taken, and sees the run through.
fn assert_runs_on_another_port(runner: &Runner, stage: &Stage, target: &Target, k6: &WrappedK6) {
    let_go(stage);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(target.load_count(RUNNER), 1);
    let addresses: Vec<_> = k6
        .starts()
        .iter()
        .map(|it| address_in(it).unwrap())
        .collect();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    assert_ne!(addresses[0], addresses[1]);
}

#[rstest]
fn a_program_that_has_taken_the_port_is_sent_nothing(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = held(&stage, &k6);
    let runner = start(&stage, &target, &k6);
    let listener = Listener::start(first_choice(&k6));
    wait::until("the agent's first look", SOON, || {
        (listener.connections() > 0).then_some(())
    });
    assert_runs_on_another_port(&runner, &stage, &target, &k6);
    assert_eq!(listener.stop(), Vec::<u8>::new());
}

#[rstest]
fn another_paused_k6_that_has_taken_the_port_is_not_resumed(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(program) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = held(&stage, &program);
    let runner = start(&stage, &target, &k6);
    let address = first_choice(&k6);
    let arguments = ["--paused", "--address", &address.to_string()];
    let command = k6_run(&program, &arguments, "one-iteration");
    let other = Program::new(&command[0])
        .args(&command[1..])
        .env("TARGET", target.url())
        .env("TMINUS_RUNNER", "another")
        .start();
    let waits = || {
        TcpStream::connect(address).ok()?;
        let (_, status) = ask(address, "GET", "/v1/status", "", "")?;
        status.contains(r#""status":4"#).then_some(())
    };
    wait::until("the other k6 to wait", SOON, waits);
    assert_runs_on_another_port(&runner, &stage, &target, &k6);
    assert!(waits().is_some());
    assert!(other.exited().is_none());
    assert_eq!(target.load_count("another"), 0);
}

/// Somebody else's program, which takes all that it is sent.
struct Listener {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Received {
    connections: usize,
    bytes: Vec<u8>,
}

impl Listener {
    fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let received = Arc::new(Mutex::new(Received::default()));
        let over = Arc::new(AtomicBool::new(false));
        let (log, ends) = (received.clone(), over.clone());
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let mut bytes = Vec::new();
                // A reset has sent nothing either.
                let _ = connection.unwrap().read_to_end(&mut bytes);
                let mut log = log.lock().unwrap();
                log.connections += 1;
                log.bytes.extend(bytes);
            }
        });
        Self {
            address,
            received,
            over,
            thread,
        }
    }

    fn connections(&self) -> usize {
        self.received.lock().unwrap().connections
    }

    /// All that it was sent.
    fn stop(self) -> Vec<u8> {
        self.over.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).unwrap();
        self.thread.join().unwrap();
        std::mem::take(&mut self.received.lock().unwrap().bytes)
    }
}
