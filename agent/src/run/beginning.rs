//! From the command line to a runner, or to the reason why there is none.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use clock::ntp::NtpSetting;
use clock::{Clock, MachineTimebase, Timekeeper};
use rendezvous::{Hold, Incarnation, LastWords, Phase, code};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::mark::MarkFile;
use super::publishing::Publisher;
use super::starting::Command;
use super::termination::TerminationLog;
use super::{Identity, Runner, moment, place, sources, starting, witness};
use crate::cli::{Cli, SetupMode};
use crate::decide::admission::Rules;
use crate::decide::machine::{Event, Machine, Settings};
use crate::process::orphans::Orphans;
use crate::process::stderr::Tail;

/// Why a runner ends before anything began.
pub struct Refused {
    phase: Phase,
    code: u8,
    faults: Vec<String>,
}

impl Refused {
    /// For one reason.
    pub fn new(phase: Phase, code: u8, fault: impl ToString) -> Self {
        Self {
            phase,
            code,
            faults: vec![fault.to_string()],
        }
    }

    fn cannot(what: &str, error: &io::Error) -> Self {
        Self::new(
            Phase::Failed,
            code::CANNOT_RUN,
            format!("cannot {what}: {error}"),
        )
    }

    /// Tells the log and the pod, and gives the exit code.
    pub fn tell(self, cli: &Cli) -> u8 {
        for fault in &self.faults {
            tracing::error!("{fault}");
        }
        let reason = self.faults.join("; ");
        TerminationLog::of(cli).write(&LastWords {
            reason: Some(&reason),
            stage: Some((&cli.run, &cli.stage)),
            ..LastWords::new(self.phase, self.code)
        });
        self.code
    }
}

/// Makes the runner that the command line describes, with what happens to it, and its place in the stage.
///
/// # Errors
/// [`Refused`].
pub async fn begin(cli: &Cli) -> Result<(Runner, UnboundedReceiver<Event>, Arc<Hold>), Refused> {
    let (events, inbox) = unbounded_channel();
    // First of all: until then the first process of a container hears none.
    let orphans = sources::signals(&events)
        .and_then(|()| Orphans::listen())
        .map_err(|error| Refused::cannot("listen for signals", &error))?;
    let command = starting::read_command(cli).map_err(|faults| Refused {
        phase: Phase::Failed,
        code: code::USAGE,
        faults,
    })?;
    let place::Opened { store, api_server } =
        place::open(cli).map_err(|error| Refused::new(Phase::Failed, code::NO_ACCESS, error))?;
    let place = place::take(&store, cli).await.map_err(|error| {
        let (phase, code) = error.phase_and_code();
        Refused::new(phase, code, error)
    })?;
    let place = Arc::new(place);
    let mark = place::mark(cli, &place)
        .map_err(|error| Refused::new(Phase::Refused, code::USED_UP, error))?;
    let (clock, timekeeper) = start_clock(cli, &events)
        .map_err(|error| Refused::cannot("start to measure the clock", &error))?;
    let settings = settings(cli, &command, &mark);
    let runner = Runner {
        machine: Machine::new(settings, moment(&clock, &clock.knowledge())),
        publisher: Publisher::new(Arc::clone(&store), events.clone()),
        identity: identity(cli),
        command,
        budget: cli.time.max_clock_error,
        is_measured: cli.time.ntp != NtpSetting::None,
        clock,
        timekeeper: Arc::new(timekeeper),
        events,
        k6: None,
        api: None,
        tail: Tail::default(),
        polling: None,
        setup: None,
        countdown: None,
        mark,
        orphans,
        spin: cli.spin,
        last_tick: Instant::now(),
        last_words: TerminationLog::of(cli),
    };
    if let (Some(api_server), true) = (api_server, runner.is_measured) {
        witness::ask(
            api_server,
            runner.clock.clone(),
            Arc::clone(&runner.timekeeper),
        );
    }
    sources::store(&store, &runner.identity, &runner.events);
    Ok((runner, inbox, place))
}

fn identity(cli: &Cli) -> Identity {
    Identity {
        name: cli.shown_name(),
        container: cli.container.clone(),
        node: cli.node.clone(),
        run: cli.run.clone(),
        stage: cli.stage.clone(),
        runner: cli.runner.clone(),
        incarnation: Incarnation::random(),
    }
}

fn settings(cli: &Cli, command: &Command, mark: &MarkFile) -> Settings {
    Settings {
        rules: Rules {
            run: cli.run.clone(),
            stage: cli.stage.clone(),
            late: cli.late,
            late_tolerance: cli.late_tolerance,
        },
        clock: cli.time.terms(),
        mark: mark.found().cloned(),
        early_setup: cli.setup == SetupMode::Early && command.setup_wanted,
        teardown: command.teardown_wanted,
        setup_max_age: cli.setup_max_age,
        deadline: cli.deadline,
        ready_timeout: cli.ready_timeout,
        grace: cli.grace,
        max_run: cli.max_run,
    }
}

fn start_clock(cli: &Cli, events: &UnboundedSender<Event>) -> io::Result<(Clock, Timekeeper)> {
    let events = events.clone();
    let measured = move || {
        // At the end nobody listens any more.
        let _ = events.send(Event::ClockMeasured);
    };
    let time = &cli.time;
    clock::start(MachineTimebase, &time.ntp, time.max_clock_error, measured)
}
