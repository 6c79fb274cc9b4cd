//! Ties the machine to the world: events from k6, the store, signals and
//! threads go in, and what it decides is done.

mod arming;
mod beginning;
mod closing;
mod last;
mod mark;
mod place;
mod publishing;
mod sources;
mod starting;
pub mod termination;
mod witness;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::{Clock, Knowledge, Timekeeper};
use nix::sys::signal::Signal;
use rendezvous::{Incarnation, Phase, RunId, RunnerId, StageName, code, last_words::millis};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use crate::cli::Cli;
use crate::control::api::Api;
use crate::decide::ending::K6Exit;
use crate::decide::machine::{Action, Event, Machine, Moment, OtherSignal, StopSignal, Triggered};
use crate::process::child::K6;
use crate::process::orphans::Orphans;
use crate::process::stderr::Tail;
use arming::Countdown;
use beginning::Refused;
use mark::MarkFile;
use publishing::Publisher;
use termination::TerminationLog;

/// Who this runner is.
#[derive(Debug, Clone)]
pub struct Identity {
    run: RunId,
    stage: StageName,
    runner: RunnerId,
    name: String,
    container: Option<String>,
    node: Option<String>,
    incarnation: Incarnation,
}

/// Runs the agent to its end, and says what to exit with.
#[must_use]
pub fn main(cli: Cli) -> u8 {
    // On this thread, which lives as long as the process: k6 dies with the thread that started it.
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            let refused = Refused::new(
                Phase::Failed,
                code::CANNOT_RUN,
                format!("cannot start: {error}"),
            );
            return refused.tell(&cli);
        }
    };
    let code = runtime.block_on(run(&cli));
    // A store's call that hangs on a blocking thread must not hold the exit up.
    runtime.shutdown_background();
    code
}

/// tokio (1.54) panics where the system refuses it the pair of sockets that signals wake it by, so it is asked for before.
fn runtime() -> io::Result<Runtime> {
    let pair = UnixStream::pair;
    // As many files as the runtime opens, that pair among them.
    let room = [pair()?, pair()?, pair()?];
    drop(room);
    Builder::new_current_thread().enable_all().build()
}

async fn run(cli: &Cli) -> u8 {
    match beginning::begin(cli).await {
        // The place is kept to the end: dropping it lets another process take it.
        Ok((mut runner, inbox, _place)) => runner.go(inbox).await,
        Err(refused) => refused.tell(cli),
    }
}

fn moment<'a>(clock: &Clock, knowledge: &'a Knowledge) -> Moment<'a> {
    Moment {
        mono: Instant::now(),
        time: clock.now(),
        knowledge,
    }
}

struct Runner {
    machine: Machine,
    publisher: Publisher,
    identity: Identity,
    command: starting::Command,
    clock: Clock,
    timekeeper: Arc<Timekeeper>,
    /// Whether anybody is asked for the time.
    is_measured: bool,
    /// What the timekeeper was told last of the widest error.
    budget: Duration,
    events: UnboundedSender<Event>,
    k6: Option<K6>,
    api: Option<Api>,
    tail: Tail,
    polling: Option<JoinHandle<()>>,
    setup: Option<JoinHandle<()>>,
    countdown: Option<Countdown>,
    mark: MarkFile,
    orphans: Orphans,
    spin: Duration,
    last_tick: Instant,
    last_words: TerminationLog,
}

impl Runner {
    async fn go(&mut self, mut inbox: UnboundedReceiver<Event>) -> u8 {
        loop {
            let event = self.next_event(&mut inbox).await;
            self.take(event);
            Orphans::collect(self.k6.as_ref().map(K6::pid));
            if let Some(end) = self.machine.end().cloned() {
                self.close_start(&mut inbox).await;
                return self.end(end).await;
            }
            self.publish();
        }
    }

    async fn next_event(&mut self, inbox: &mut UnboundedReceiver<Event>) -> Event {
        // Counted from the last tick, for other events may come more often than ticks are wanted.
        let mut tick_at = self.last_tick + self.machine.next_tick();
        if !self.machine.must_not_report() {
            tick_at = tick_at.min(Instant::now() + self.publisher.next_due());
        }
        tokio::select! {
            biased;
            exit = ended(&mut self.k6) => exit,
            () = tokio::time::sleep_until(tick_at.into()) => {
                self.last_tick = Instant::now();
                Event::Tick
            }
            // Ours is waited for above.
            () = self.orphans.ended() => Event::Tick,
            // We hold a sender ourselves, so the channel never closes.
            event = inbox.recv() => event.unwrap_or(Event::Tick),
        }
    }

    fn take(&mut self, event: Event) {
        match &event {
            Event::K6Ended(exit) => {
                tracing::debug!(%exit, "k6 ended");
                self.k6 = None;
            }
            Event::SetupEnded(Ok(took)) => tracing::info!(?took, "setup() has run"),
            Event::ReportWritten | Event::StoreTrouble { .. } => self.publisher.heard(&event),
            Event::Triggered(triggered) => {
                if matches!(triggered, Triggered::Sent { .. }) {
                    self.mark.fired();
                }
                self.publisher.end_quiet();
            }
            _ => {}
        }
        let before = self.machine.phase();
        let heard_by_all = matches!(event, Event::Board { .. });
        let knowledge = self.clock.knowledge();
        let now = moment(&self.clock, &knowledge);
        let actions = self.machine.handle(event, now);
        for note in self.machine.take_notes() {
            tracing::warn!("{note}");
        }
        let budget = self.machine.clock_terms().budget;
        if budget != self.budget {
            self.budget = budget;
            self.timekeeper.budget(budget);
        }
        let after = self.machine.phase();
        // The last phase is told with its reason, at the very end.
        if before != after && !after.is_final() {
            self.tell(after);
        }
        for action in actions {
            self.perform(action);
        }
        if heard_by_all {
            self.publisher.wait_for_turn(&self.machine, &self.clock);
        }
    }

    fn tell(&self, phase: rendezvous::Phase) {
        let Identity {
            run, stage, name, ..
        } = &self.identity;
        let lateness = self
            .machine
            .start()
            .map(|start| format!("{:+.3} ms", millis(start.lateness)));
        tracing::info!(%run, %stage, runner = %name, %phase, lateness, "{phase}");
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::StartK6 => self.start_k6(),
            Action::RunSetup => self.run_setup(),
            Action::CancelSetup => {
                if let Some(setup) = self.setup.take() {
                    // Its connection closes with it, and k6 ends setup() at once.
                    setup.abort();
                }
            }
            Action::RunTeardown(within) => {
                sources::teardown(self.api.as_ref(), within, &self.events)
            }
            Action::StopK6 => sources::stop(self.api.as_ref(), &self.events),
            Action::AskK6 => sources::ask(self.api.as_ref(), &self.events),
            Action::SignalK6(signal) => self.signal(unix(signal)),
            Action::PassOn(signal) => self.signal(match signal {
                OtherSignal::User1 => Signal::SIGUSR1,
                OtherSignal::User2 => Signal::SIGUSR2,
                OtherSignal::WindowChange => Signal::SIGWINCH,
            }),
            Action::KillK6 => self.signal(Signal::SIGKILL),
            Action::Arm {
                start_at,
                late,
                tolerance,
                clock,
            } => self.arm(start_at, late, tolerance, clock),
            Action::Disarm => {
                if let Some(countdown) = &self.countdown {
                    countdown.cancel.cancel();
                }
            }
            Action::Poll(interval) => self.poll(interval),
            Action::Report => self.publisher.changed(),
        }
    }

    fn start_k6(&mut self) {
        let refused = |code, why: String| Event::K6NotStarted(code, why);
        let event = match self.try_start_k6() {
            Ok(()) => return,
            Err(starting::CannotStart::Program(error)) => refused(error.code(), error.to_string()),
            Err(starting::CannotStart::Other(why)) => refused(code::CANNOT_RUN, why),
        };
        // The receiver lives as long as we do.
        let _ = self.events.send(event);
    }

    fn try_start_k6(&mut self) -> Result<(), starting::CannotStart> {
        let (k6, owner) = starting::start(&self.command, &self.identity, &self.tail)?;
        let api =
            Api::new(owner).map_err(|error| starting::CannotStart::Other(error.to_string()))?;
        tracing::info!(pid = k6.pid(), address = %owner.address, "k6 started, paused");
        self.k6 = Some(k6);
        self.api = Some(api);
        Ok(())
    }

    fn run_setup(&mut self) {
        let Some(api) = self.api.clone() else { return };
        let events = self.events.clone();
        tracing::info!("running setup()");
        self.setup = Some(tokio::spawn(async move {
            let result = api.setup().await;
            let _ = events.send(Event::SetupEnded(result));
        }));
    }

    fn signal(&self, signal: Signal) {
        if let Some(k6) = &self.k6 {
            tracing::info!("sending {signal} to k6");
            k6.signal(signal);
        }
    }

    fn poll(&mut self, interval: Option<Duration>) {
        if let Some(polling) = self.polling.take() {
            polling.abort();
        }
        if let (Some(interval), Some(api)) = (interval, self.api.clone()) {
            self.polling = Some(sources::polling(api, interval, self.events.clone()));
        }
    }

    fn publish(&mut self) {
        if !self.machine.must_not_report() {
            self.publisher
                .publish_if_due(&self.machine, &self.identity, &self.clock, &self.tail);
        }
    }
}

/// Waits for k6's end, for ever if there is none.
async fn ended(k6: &mut Option<K6>) -> Event {
    match k6 {
        None => std::future::pending().await,
        Some(k6) => Event::K6Ended(k6.ended().await.unwrap_or_else(|error| {
            tracing::error!("k6 cannot be waited for: {error}");
            K6Exit::Code(code::CANNOT_RUN)
        })),
    }
}

fn unix(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Terminate => Signal::SIGTERM,
        StopSignal::Interrupt => Signal::SIGINT,
        StopSignal::HangUp => Signal::SIGHUP,
        StopSignal::Quit => Signal::SIGQUIT,
    }
}
