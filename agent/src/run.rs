//! Ties the machine to the world: events from k6, the store, signals and
//! threads go in, and what it decides is done.

mod publishing;
mod sources;
mod starting;

use std::time::{Duration, Instant};

use clock::{Cancel, Clock, MachineTimebase};
use nix::sys::signal::Signal;
use rendezvous::{Incarnation, RunId, RunnerId, StageName, Store, code};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::cli::{Cli, SetupMode};
use crate::control::api::Api;
use crate::control::trigger::{Order, wait_and_resume};
use crate::decide::admission::Rules;
use crate::decide::ending::{End, K6Exit};
use crate::decide::machine::{Action, Event, Machine, Moment, Settings, StopSignal};
use crate::process::child::K6;
use crate::process::stderr::Tail;
use publishing::Publisher;

/// Who this runner is.
#[derive(Debug, Clone)]
pub struct Identity {
    run: RunId,
    stage: StageName,
    runner: RunnerId,
    name: String,
    incarnation: Incarnation,
}

/// How long the last report may take. k6 is gone by then, and its code must not wait for a sick store.
const LAST_REPORT_WITHIN: Duration = Duration::from_secs(3);

/// Runs the agent to its end, and says what to exit with.
#[must_use]
pub fn main(cli: Cli) -> u8 {
    // On this thread, which lives as long as the process: k6 dies with the thread that started it.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return code::CANNOT_RUN;
        }
    };
    let code = runtime.block_on(run(cli));
    // A store's call that hangs on a blocking thread must not hold the exit up.
    runtime.shutdown_background();
    code
}

async fn run(cli: Cli) -> u8 {
    let command = match starting::read_command(&cli) {
        Ok(command) => command,
        Err(messages) => {
            for message in messages {
                tracing::error!("{message}");
            }
            return code::USAGE;
        }
    };
    let store = match cli.store.open() {
        Ok(store) => store,
        Err(error) => {
            tracing::error!("{error}");
            return code::NO_ACCESS;
        }
    };
    // Kept to the end: dropping it lets another process take this runner's place.
    let _place = match store.hold(&cli.stage, &cli.runner).await {
        Ok(Some(place)) => place,
        Ok(None) => {
            let (runner, stage) = (&cli.runner, &cli.stage);
            tracing::error!(
                "another process is running {runner} in stage {stage} of this store: give each runner an id of its own \
                 with --runner"
            );
            return code::USED_UP;
        }
        Err(error) => {
            tracing::error!("{error}");
            return code::NO_ACCESS;
        }
    };
    let identity = Identity {
        name: cli.name.clone().unwrap_or_else(|| cli.runner.to_string()),
        run: cli.run.clone(),
        stage: cli.stage.clone(),
        runner: cli.runner.clone(),
        incarnation: Incarnation::random(),
    };
    let settings = Settings {
        rules: Rules {
            run: cli.run.clone(),
            stage: cli.stage.clone(),
            late: cli.late,
            late_tolerance: cli.late_tolerance,
        },
        early_setup: cli.setup == SetupMode::Early && command.setup_wanted,
        teardown: command.teardown_wanted,
        setup_max_age: cli.setup_max_age,
        deadline: cli.deadline,
        ready_timeout: cli.ready_timeout,
        grace: cli.grace,
    };
    let (events, inbox) = unbounded_channel();
    let clock = Clock::system(MachineTimebase);
    let mut runner = Runner {
        machine: Machine::new(settings, moment(&clock)),
        publisher: Publisher::new(Arc::clone(&store), events.clone()),
        identity,
        command,
        clock,
        events,
        k6: None,
        api: None,
        tail: Tail::default(),
        polling: None,
        setup: None,
        countdown: None,
        spin: cli.spin,
        last_tick: Instant::now(),
    };
    if let Err(error) = runner.listen(&store) {
        tracing::error!("cannot listen for signals: {error}");
        return code::CANNOT_RUN;
    }
    runner.go(inbox).await
}

fn moment(clock: &Clock) -> Moment {
    Moment {
        mono: Instant::now(),
        utc: clock.now().midpoint(),
    }
}

/// The thread that waits for the instant.
struct Countdown {
    cancel: Cancel,
    thread: std::thread::JoinHandle<()>,
}

struct Runner {
    machine: Machine,
    publisher: Publisher,
    identity: Identity,
    command: starting::Command,
    clock: Clock,
    events: UnboundedSender<Event>,
    k6: Option<K6>,
    api: Option<Api>,
    tail: Tail,
    polling: Option<JoinHandle<()>>,
    setup: Option<JoinHandle<()>>,
    countdown: Option<Countdown>,
    spin: Duration,
    last_tick: Instant,
}

impl Runner {
    fn listen(&self, store: &Arc<dyn Store>) -> std::io::Result<()> {
        sources::signals(&self.events)?;
        sources::store(store, &self.identity, &self.events);
        Ok(())
    }

    async fn go(&mut self, mut inbox: UnboundedReceiver<Event>) -> u8 {
        loop {
            let event = self.next_event(&mut inbox).await;
            self.take(event);
            if let Some(end) = self.machine.end().cloned() {
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
            Event::ReportWritten | Event::StoreTrouble { .. } => self.publisher.heard(&event),
            Event::Triggered(_) => self.publisher.end_quiet(),
            _ => {}
        }
        let before = self.machine.phase();
        let actions = self.machine.handle(event, moment(&self.clock));
        for note in self.machine.take_notes() {
            tracing::warn!("{note}");
        }
        let after = self.machine.phase();
        // The last phase is told with its reason, at the very end.
        if before != after && !after.is_final() {
            self.tell(after);
        }
        for action in actions {
            self.perform(action);
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
            Action::SignalK6(signal) => self.signal(unix(signal)),
            Action::KillK6 => self.signal(Signal::SIGKILL),
            Action::Arm {
                start_at,
                late,
                tolerance,
            } => self.arm(start_at, late, tolerance),
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

    fn arm(
        &mut self,
        start_at: chrono::DateTime<chrono::Utc>,
        late: rendezvous::LatePolicy,
        tolerance: Duration,
    ) {
        // Without NTP the machine's clock is the only truth, and all runners of a machine read it at the same
        // moment: when the plan comes. From here on its steps change nothing.
        let stepped = self.clock.anchor_again();
        tracing::debug!(?stepped, "clock read again");
        let armed_written = self.publisher.armed(start_at);
        let Some(owner) = self.api.as_ref().map(Api::owner) else {
            return;
        };
        let order = Order {
            start_at,
            late,
            tolerance,
            owner,
            spin: self.spin,
        };
        let (clock, cancel, events) = (self.clock.clone(), Cancel::new(), self.events.clone());
        let called_off = cancel.clone();
        let thread = std::thread::Builder::new()
            .name("countdown".to_owned())
            .spawn(move || {
                let outgoing = wait_and_resume(&order, &armed_written, &clock, &called_off);
                let _ = events.send(Event::Triggered(outgoing.triggered));
                for disturbance in outgoing.disturbances {
                    tracing::warn!("while waiting: {disturbance}; the instant was kept");
                }
            });
        match thread {
            Ok(thread) => self.countdown = Some(Countdown { cancel, thread }),
            Err(error) => {
                let not_sent = crate::decide::machine::Triggered::NotSent(error.to_string());
                let _ = self.events.send(Event::Triggered(not_sent));
            }
        }
    }

    fn publish(&mut self) {
        if !self.machine.must_not_report() {
            self.publisher
                .publish_if_due(&self.machine, &self.identity, &self.clock, &self.tail);
        }
    }

    async fn end(&mut self, end: End) -> u8 {
        if let Some(Countdown { cancel, thread }) = self.countdown.take() {
            cancel.cancel();
            // It answers a call-off at once, and a resume within its own limit.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        if !self.machine.must_not_report() {
            let last = self
                .publisher
                .last(&self.machine, &self.identity, &self.clock, &self.tail);
            if tokio::time::timeout(LAST_REPORT_WITHIN, last)
                .await
                .is_err()
            {
                tracing::warn!(
                    "the last report could not be written within {LAST_REPORT_WITHIN:?}"
                );
            }
        }
        let Identity {
            run, stage, name, ..
        } = &self.identity;
        let (phase, code) = (end.phase, end.code);
        let what = end.reason.as_deref().unwrap_or("k6 ended");
        if end.reason.is_some() && code != 0 {
            tracing::error!(%run, %stage, runner = %name, %phase, code, "{what}");
        } else {
            tracing::info!(%run, %stage, runner = %name, %phase, code, "{what}");
        }
        end.code
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

/// Milliseconds with their fraction, for people.
#[allow(clippy::cast_precision_loss)]
fn millis(delta: chrono::TimeDelta) -> f64 {
    delta.num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0
}
