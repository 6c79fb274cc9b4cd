//! The stand-in as a process: its command line, its life, its end.

use std::{env, path::Path, process::ExitCode, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{
    BEHAVIOUR, Behaviour, RECORD,
    api::Api,
    record::{self, Event, Recorder},
};
use crate::{http, moment::Moment};

/// What k6 ends with when its API's address cannot be had.
const ADDRESS_TAKEN: u8 = 106;
/// What k6 ends with after SIGTERM or SIGINT.
const SIGNALLED: u8 = 105;
/// What k6 ends with when it was stopped by its API.
const STOPPED: u8 = 103;
/// What k6 ends with when its command line is wrong.
const USAGE: u8 = 255;

/// The main function of the program `fake-k6`.
pub fn main() -> ExitCode {
    let behaviour: Behaviour = env::var(BEHAVIOUR).map_or_else(
        |_| Behaviour::default(),
        |json| serde_json::from_str(&json).unwrap_or_else(|error| panic!("{BEHAVIOUR}: {error}")),
    );
    let file = env::var(RECORD).unwrap_or_else(|_| panic!("{RECORD} names no file for the record"));
    let recorder = Arc::new(Recorder::open(Path::new(&file)));
    let arguments: Vec<String> = env::args().skip(1).collect();
    recorder.note(Moment::now().utc, Event::Started(arguments.clone()));

    print!("{}", behaviour.stdout);
    eprint!("{}", behaviour.stderr);
    let starts = record::read(Path::new(&file));
    let starts = starts
        .iter()
        .filter(|record| matches!(record.event, Event::Started(_)));
    let code = match address(&arguments) {
        None => USAGE,
        Some(_) if starts.count() <= behaviour.port_taken => ADDRESS_TAKEN,
        Some(address) => {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(live(address, behaviour, recorder.clone()))
        }
    };
    recorder.note(Moment::now().utc, Event::Exiting(code));
    ExitCode::from(code)
}

/// The last `--address` of a `run`, as k6 reads it.
fn address(arguments: &[String]) -> Option<String> {
    arguments.iter().find(|it| *it == "run")?;
    let after = |at: usize| arguments.get(at + 1).cloned();
    let mut given = arguments
        .iter()
        .enumerate()
        .filter_map(|(at, it)| match it.as_str() {
            "--address" | "-a" => after(at),
            it => it.strip_prefix("--address=").map(ToOwned::to_owned),
        });
    given.next_back()
}

async fn live(address: String, behaviour: Behaviour, recorder: Arc<Recorder>) -> u8 {
    let (mut terminated, mut interrupted) = (
        signals(SignalKind::terminate()),
        signals(SignalKind::interrupt()),
    );
    let ignores_signals = behaviour.ignores_signals;
    let life = life(address, behaviour, recorder.clone());
    tokio::pin!(life);
    loop {
        tokio::select! {
            code = &mut life => return code,
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        recorder.note(Moment::now().utc, Event::Signalled);
        if !ignores_signals {
            return SIGNALLED;
        }
    }
}

fn signals(kind: SignalKind) -> Signal {
    signal(kind).expect("a signal handler can be installed")
}

/// What happens if no signal comes.
async fn life(address: String, behaviour: Behaviour, recorder: Arc<Recorder>) -> u8 {
    let Some(init) = behaviour.init else {
        return std::future::pending().await;
    };
    sleep(init).await;
    let Ok(listener) = TcpListener::bind(&address).await else {
        return ADDRESS_TAKEN;
    };
    let address = listener.local_addr().unwrap();
    recorder.note(Moment::now().utc, Event::Listening(address));
    let (api, mut events) = Api::new(behaviour.clone(), recorder);
    let api = Arc::new(api);
    let serving = http::serve(listener, move |request| api.clone().answer(request));
    tokio::select! {
        () = serving => unreachable!("it serves until it is dropped"),
        () = events.stopped.wait() => STOPPED,
        code = run(&behaviour, events.started) => code,
    }
}

/// Waits for the start, runs, and gives the code.
async fn run(behaviour: &Behaviour, mut started: super::api::Happening) -> u8 {
    let (ends_waiting, code) = behaviour.ends_waiting.unwrap_or((Duration::MAX, 0));
    tokio::select! {
        () = sleep(ends_waiting) => return code,
        () = started.wait() => {}
    }
    sleep(behaviour.run).await;
    behaviour.exit_code
}
