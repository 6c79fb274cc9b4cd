//! The HTTP target that test scripts and the demo send their load to. It knows when each runner's load began.
//!
//! | path | answer |
//! |---|---|
//! | `/first-requests` | each runner's first load request and their number, as JSON; not counted itself |
//! | `/delay/250ms` | 200 after that time |
//! | `/status/503` | that status |
//! | `/gate/NAME` | 200 once a test has opened the gate of this name |
//! | any other | 200 |
//!
//! A request belongs to the runner that its header `X-Tminus-Runner` names, or `?runner=`. What is below `/setup`
//! and `/teardown` is counted apart and is no load; `/setup/delay/3s` and the like work there too.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    thread::JoinHandle,
};

use chrono::SecondsFormat;
use hyper::StatusCode;
use serde_json::json;
use tokio::{
    net::TcpListener,
    runtime,
    sync::{oneshot, watch},
};

use crate::{
    http::{self, Answer, Received},
    moment::Moment,
};

/// Whose requests those are that name no runner.
pub const UNNAMED: &str = "unnamed";

/// Two, so that a request that is being answered does not hold up the time stamp of another.
const THREADS: usize = 2;

/// The requests of one kind that one runner sent.
#[derive(Clone, Copy, Debug)]
pub struct Hits {
    /// When the first of them arrived.
    pub first: Moment,
    /// When the last of them, so far, arrived.
    pub last: Moment,
    /// How many they are: at least one.
    pub count: u64,
}

/// A target, served by threads of its own until it is dropped.
pub struct Target {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
    gates: watch::Sender<BTreeSet<String>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Target {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// Starts one on `port`; 0 is any free one.
    ///
    /// # Panics
    /// If the port is taken.
    pub fn start_on(port: u16) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .unwrap_or_else(|error| panic!("no target on port {port}: {error}"));
        Self::serve(listener)
    }

    /// Starts one that answers on a listener that there is, which may be in another network.
    pub fn serve(listener: std::net::TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let (stop, stopped) = oneshot::channel();
        let (gates, opened) = watch::channel(BTreeSet::new());
        let served = log.clone();
        let thread = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serving = http::serve(listener, move |request| {
                    answer(served.clone(), opened.clone(), request)
                });
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            log,
            gates,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Opens a gate: who has asked for it has an answer now, and who will gets one at once.
    pub fn open(&self, gate: &str) {
        self.gates.send_modify(|open| {
            open.insert(gate.to_owned());
        });
    }

    /// The load of each runner that has sent any.
    pub fn first_requests(&self) -> BTreeMap<String, Hits> {
        self.log().first_requests()
    }

    /// How many load requests `runner` has sent.
    pub fn load_count(&self, runner: &str) -> u64 {
        self.log().count(runner, Kind::Load)
    }

    /// How many requests `runner` has sent to paths below `/setup`.
    pub fn setup_count(&self, runner: &str) -> u64 {
        self.log().count(runner, Kind::Setup)
    }

    /// How many requests `runner` has sent to paths below `/teardown`.
    pub fn teardown_count(&self, runner: &str) -> u64 {
        self.log().count(runner, Kind::Teardown)
    }

    /// The requests of `runner` for exactly this path and query.
    pub fn hits(&self, runner: &str, path_and_query: &str) -> Option<Hits> {
        self.log().0.get(runner)?.get(path_and_query).copied()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

impl Drop for Target {
    /// Closes the port and all connections.
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and has said so.
            let _ = thread.join();
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Load,
    Setup,
    Teardown,
}

impl Kind {
    /// The kind of a request, and the path that says how to answer it.
    fn of(path: &str) -> (Self, &str) {
        for (prefix, kind) in [("/setup", Self::Setup), ("/teardown", Self::Teardown)] {
            if let Some(rest) = path.strip_prefix(prefix)
                && (rest.is_empty() || rest.starts_with(['/', '?']))
            {
                return (kind, rest);
            }
        }
        (Self::Load, path)
    }
}

/// By runner, then by path and query. Its size depends on how many different ones there are, not on the load.
#[derive(Default)]
struct Log(BTreeMap<String, BTreeMap<String, Hits>>);

impl Log {
    fn note(&mut self, runner: String, path_and_query: String, at: Moment) {
        self.0
            .entry(runner)
            .or_default()
            .entry(path_and_query)
            .and_modify(|hits| {
                // Two connections may get here in another order than their requests arrived in.
                if at.monotonic < hits.first.monotonic {
                    hits.first = at;
                }
                if at.monotonic > hits.last.monotonic {
                    hits.last = at;
                }
                hits.count += 1;
            })
            .or_insert(Hits {
                first: at,
                last: at,
                count: 1,
            });
    }

    fn first_requests(&self) -> BTreeMap<String, Hits> {
        let runners = self.0.keys();
        runners
            .filter_map(|runner| Some((runner.clone(), self.of(runner, Kind::Load)?)))
            .collect()
    }

    fn count(&self, runner: &str, kind: Kind) -> u64 {
        self.of(runner, kind).map_or(0, |hits| hits.count)
    }

    /// All requests of one kind as one.
    fn of(&self, runner: &str, kind: Kind) -> Option<Hits> {
        self.0
            .get(runner)?
            .iter()
            .filter(|(path, _)| Kind::of(path).0 == kind)
            .map(|(_, hits)| *hits)
            .reduce(|one, other| Hits {
                first: std::cmp::min_by_key(one.first, other.first, |moment| moment.monotonic),
                last: std::cmp::max_by_key(one.last, other.last, |moment| moment.monotonic),
                count: one.count + other.count,
            })
    }
}

async fn answer(
    log: Arc<Mutex<Log>>,
    mut gates: watch::Receiver<BTreeSet<String>>,
    request: Received,
) -> Answer {
    if request.uri.path() == "/first-requests" {
        return Ok(http::json(
            StatusCode::OK,
            &as_json(&log.lock().unwrap().first_requests()),
        ));
    }
    let path_and_query = request.uri.path_and_query().map_or("/", |it| it.as_str());
    log.lock().unwrap().note(
        runner_of(&request),
        path_and_query.to_owned(),
        request.arrived,
    );

    let (_, path) = Kind::of(request.uri.path());
    let status = if let Some(delay) = path.strip_prefix("/delay/") {
        match humantime::parse_duration(delay) {
            Ok(delay) => {
                tokio::time::sleep(delay).await;
                StatusCode::OK
            }
            Err(_) => StatusCode::BAD_REQUEST,
        }
    } else if let Some(status) = path.strip_prefix("/status/") {
        status.parse().unwrap_or(StatusCode::BAD_REQUEST)
    } else if let Some(gate) = path.strip_prefix("/gate/") {
        match gates.wait_for(|open| open.contains(gate)).await {
            Ok(_) => StatusCode::OK,
            // The target is about to be dropped.
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    } else {
        StatusCode::OK
    };
    Ok(http::json(status, &json!({ "path": request.uri.path() })))
}

fn runner_of(request: &Received) -> String {
    let named = request
        .headers
        .get("x-tminus-runner")
        .and_then(|name| name.to_str().ok());
    let in_query = || {
        let parameters = request.uri.query()?.split('&');
        parameters
            .filter_map(|it| it.strip_prefix("runner="))
            .next()
    };
    named.or_else(in_query).unwrap_or(UNNAMED).to_owned()
}

fn as_json(runners: &BTreeMap<String, Hits>) -> serde_json::Value {
    let runners: serde_json::Map<_, _> = runners
        .iter()
        .map(|(runner, load)| {
            let first = load.first.utc.to_rfc3339_opts(SecondsFormat::Nanos, true);
            (
                runner.clone(),
                json!({ "first": first, "count": load.count }),
            )
        })
        .collect();
    json!({ "runners": runners })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        time::{Duration, Instant},
    };

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::http::client::ask;

    fn get(target: &Target, runner: &str, path: &str) -> u16 {
        let header = format!("X-Tminus-Runner: {runner}\r\n");
        ask(target.address, "GET", path, &header, "").unwrap().0
    }

    #[test]
    fn counts_each_runners_load_by_itself() {
        let target = Target::start();
        for _ in 0..3 {
            get(&target, "runner-1", "/products");
        }
        get(&target, "runner-2", "/products");
        get(&target, "runner-2", "/orders?id=7");

        assert_eq!(target.load_count("runner-1"), 3);
        assert_eq!(target.load_count("runner-2"), 2);
        assert_eq!(target.load_count("runner-3"), 0);
        assert_eq!(target.hits("runner-2", "/orders?id=7").unwrap().count, 1);
    }

    #[test]
    fn takes_setup_and_teardown_for_no_load() {
        let target = Target::start();
        get(&target, "runner-1", "/setup");
        get(&target, "runner-1", "/setup/account?x=1");
        get(&target, "runner-1", "/teardown/account");
        assert!(target.first_requests().is_empty());

        get(&target, "runner-1", "/setups");
        assert_eq!(target.setup_count("runner-1"), 2);
        assert_eq!(target.teardown_count("runner-1"), 1);
        assert_eq!(target.load_count("runner-1"), 1);
    }

    #[test]
    fn answers_at_a_gate_once_it_is_open() {
        let target = Target::start();
        let open_before = get_in_a_thread(&target, "/gate/open-before");
        let closed = get_in_a_thread(&target, "/setup/gate/closed");
        target.open("open-before");
        assert_eq!(open_before.join().unwrap(), Some(200));
        target.open("open-after");
        assert_eq!(get(&target, "runner-1", "/gate/open-after"), 200);
        assert!(!closed.is_finished());

        target.open("closed");
        assert_eq!(closed.join().unwrap(), Some(200));
    }

    fn get_in_a_thread(target: &Target, path: &'static str) -> JoinHandle<Option<u16>> {
        let address = target.address;
        std::thread::spawn(move || Some(ask(address, "GET", path, "", "")?.0))
    }

    #[test]
    fn names_a_runner_by_the_query_where_there_is_no_header() {
        let target = Target::start();
        ask(target.address, "GET", "/?x=1&runner=runner-4", "", "");
        ask(target.address, "GET", "/", "", "");
        assert_eq!(target.load_count("runner-4"), 1);
        assert_eq!(target.load_count(UNNAMED), 1);
    }

    #[test]
    fn tells_the_first_requests_as_json() {
        let target = Target::start();
        let before = Moment::now().utc;
        get(&target, "runner-1", "/");
        let after = Moment::now().utc;
        get(&target, "runner-1", "/");

        let (_, body) = ask(target.address, "GET", "/first-requests", "", "").unwrap();
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let runner = &body["runners"]["runner-1"];
        let first: DateTime<Utc> = runner["first"].as_str().unwrap().parse().unwrap();
        assert!(
            before <= first && first <= after,
            "{before} {first} {after}"
        );
        assert_eq!(runner["count"], 2);
        assert_eq!(body["runners"].as_object().unwrap().len(), 1);
    }

    #[test]
    fn gives_each_request_of_a_connection_a_time_of_its_own() {
        let target = Target::start();
        let mut stream = TcpStream::connect(target.address).unwrap();
        for path in ["/one", "/two"] {
            let before = Instant::now();
            write!(
                stream,
                "POST {path} HTTP/1.1\r\nHost: it\r\nContent-Length: 4\r\n\r\nbo"
            )
            .unwrap();
            write!(stream, "dy").unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
            let arrived = target.hits(UNNAMED, path).unwrap().first.monotonic;
            assert!(before <= arrived && arrived <= Instant::now());
        }
    }

    #[test]
    fn answers_late_or_with_the_status_that_the_path_asks_for() {
        let target = Target::start();
        let started = Instant::now();
        assert_eq!(get(&target, "runner-1", "/setup/delay/250ms"), 200);
        assert!(started.elapsed() >= Duration::from_millis(250));
        assert_eq!(get(&target, "runner-1", "/status/503"), 503);
        assert_eq!(get(&target, "runner-1", "/delay/soon"), 400);
    }

    #[test]
    fn is_gone_when_dropped() {
        let target = Target::start();
        let address = target.address;
        let mut idle = TcpStream::connect(address).unwrap();
        get(&target, "runner-1", "/");
        drop(target);
        assert!(TcpStream::connect(address).is_err());
        assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
    }
}
