//! One cell: a runner is brought to where it should be, something happens to it, and it ends.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use rendezvous::Phase;
use support::{
    client::ask,
    moment::Moment,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::{Target, UNNAMED},
    wait,
};

use crate::table::{End, What, When, end};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

/// How long reading the script takes where it has to come to its end, and where it does not.
const READS: Duration = Duration::from_secs(3);
const READS_FOR_EVER: Duration = Duration::from_mins(5);

/// How long an output takes to take the last samples.
const FLUSH: &str = "/delay/4s";

/// The gate that setup() or teardown() waits at.
const GATE: &str = "gate";

/// How long it may all take on a machine that runs a dozen of them at once. On an idle one, nearly all take some
/// ten milliseconds; teardown() of an early setup(), and whatever k6 does about its API's connections, up to a second.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// The same where k6 has to come to an end of its own: with reading, building two VUs, flushing.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

pub struct Cell<'a> {
    when: When,
    what: What,
    stage: &'a Stage,
    target: &'a Target,
    runner: Runner<'a>,
}

/// Lets it happen, and gives how long it took until k6 was gone.
pub fn check(when: When, what: What, k6: &Path) -> Option<Duration> {
    let expected = end(when, what);
    if matches!(expected, End::Impossible) {
        return None;
    }
    let (stage, target) = (Stage::new(), Target::start());
    let cell = Cell {
        when,
        what,
        stage: &stage,
        target: &target,
        runner: start(when, what, k6, &stage, &target),
    };
    cell.reach();
    let acted = Instant::now();
    cell.act();
    cell.release();
    let took = match expected {
        End::With(phase, codes) => cell.ended(acted, phase, codes),
        End::Silent | End::Impossible => cell.was_killed(acted),
    };
    let waits_for_k6 = matches!(when, When::Reading | When::Building | When::Flushing);
    let limit = if waits_for_k6 {
        ENDS_WITHIN
    } else {
        GONE_WITHIN
    };
    assert!(took < limit, "it took {took:?}");
    Some(took)
}

/// How often teardown() is begun; `None` where k6 leaves it to chance.
fn teardowns(when: When, what: What) -> Option<u64> {
    let at_once = matches!(what, What::HangUp | What::Quit | What::KillK6);
    match when {
        When::Teardown | When::Flushing | When::Summary => Some(1),
        _ if at_once => Some(0),
        When::K6Setup => None,
        When::Running => Some(1),
        // By the agent, which is not asked where k6 is stopped behind its back.
        When::Ready | When::Armed => Some(u64::from(what != What::Stop)),
        When::Reading | When::Building | When::EarlySetup => Some(0),
    }
}

fn summary(stage: &Stage) -> PathBuf {
    stage.scratch().path().join("summary")
}

fn start<'a>(when: When, what: What, k6: &Path, stage: &'a Stage, target: &Target) -> Runner<'a> {
    let gate = format!("/gate/{GATE}");
    let mut launch = Launch::new(stage, RUNNER).env("TARGET", target.url());
    let mut arguments: &[&str] = &[];
    if when >= When::Teardown {
        launch = launch.env("DURATION", "1s");
    }
    // What the second signal cuts short.
    let stays_in_teardown = what == What::TerminateTwice && when < When::Flushing;
    if when == When::Teardown || stays_in_teardown {
        launch = launch.env("TEARDOWN", &gate);
    }
    match when {
        When::Reading => {
            let comes_to_its_end = matches!(what, What::Terminate | What::Interrupt);
            let reads = if comes_to_its_end {
                READS
            } else {
                READS_FOR_EVER
            };
            let until = (Moment::now().utc + reads).timestamp_millis();
            launch = launch.env("READ_UNTIL", until.to_string());
        }
        When::Building => launch = launch.env("BUILD", "2000"),
        When::EarlySetup => launch = launch.env("SETUP", &gate),
        When::K6Setup => launch = launch.env("SETUP", &gate).options(["--setup", "k6"]),
        When::Flushing => {
            let url = format!("{}{FLUSH}", target.url());
            launch = launch
                .env("K6_PROMETHEUS_RW_SERVER_URL", url)
                // Not before the end.
                .env("K6_PROMETHEUS_RW_PUSH_INTERVAL", "10m");
            arguments = &["--out", "experimental-prometheus-rw"];
        }
        When::Summary => {
            mkfifo(&summary(stage), Mode::S_IRWXU).unwrap();
            launch = launch.env("SUMMARY", summary(stage));
        }
        When::Ready | When::Armed | When::Running | When::Teardown => {}
    }
    launch.start(k6_run(k6, arguments, "phases"))
}

impl Cell<'_> {
    fn reach(&self) {
        let runner = &self.runner;
        if self.when >= When::Ready {
            runner.wait_for_phase(Phase::Ready, SOON);
        }
        if self.when == When::Armed {
            self.stage.set_in(Duration::from_secs(600));
        } else if self.when > When::Armed {
            self.stage.set_in(LEAD);
        }
        match self.when {
            When::Reading => {
                runner.k6();
                assert!(TcpStream::connect(runner.api()).is_err(), "it is too fast");
            }
            When::Building => {
                let api = runner.api();
                wait::until("k6 to build its VUs", SOON, || {
                    let status = self.status(api)?;
                    status.contains(r#""status":1"#).then_some(())
                });
            }
            When::EarlySetup | When::K6Setup => {
                self.wait_for("setup()", || self.target.setup_count(RUNNER) == 1)
            }
            When::Ready => {}
            When::Armed => drop(runner.wait_for_phase(Phase::Armed, SOON)),
            When::Running => drop(runner.wait_for_phase(Phase::Running, SOON)),
            When::Teardown => {
                self.wait_for("teardown()", || self.target.teardown_count(RUNNER) == 1)
            }
            When::Flushing => {
                self.wait_for("the flush", || self.target.hits(UNNAMED, FLUSH).is_some())
            }
            When::Summary => {
                drop(runner.process().wait_for_line("the summary is made", SOON));
            }
        }
    }

    fn act(&self) {
        let agent = self.runner.process();
        match self.what {
            What::Terminate => agent.signal(Signal::SIGTERM),
            What::Interrupt => agent.signal(Signal::SIGINT),
            What::HangUp => agent.signal(Signal::SIGHUP),
            What::Quit => agent.signal(Signal::SIGQUIT),
            What::Abort => self.stage.abort("enough"),
            What::KillK6 => self.runner.signal_k6(Signal::SIGKILL),
            What::KillAgent => agent.signal(Signal::SIGKILL),
            What::TerminateTwice => {
                agent.signal(Signal::SIGTERM);
                self.wait_for_effect();
                agent.signal(Signal::SIGTERM);
            }
            What::Stop => {
                let body =
                    r#"{"data":{"type":"status","id":"default","attributes":{"stopped":true}}}"#;
                let json = "Content-Type: application/json\r\n";
                // It may end before it has answered.
                let _ = ask(self.runner.api(), "PATCH", "/v1/status", json, body);
            }
        }
    }

    /// Lets k6 go on, where its own end is to be seen.
    fn release(&self) {
        if matches!(
            self.what,
            What::KillAgent | What::KillK6 | What::HangUp | What::Quit
        ) {
            return;
        }
        match self.when {
            When::Teardown => {
                self.wait_for_effect();
                self.target.open(GATE);
            }
            When::Summary if self.what != What::TerminateTwice => {
                self.wait_for_effect();
                assert_eq!(fs::read_to_string(summary(self.stage)).unwrap(), "summary");
            }
            _ => {}
        }
    }

    /// Waits until what was done first has had its effect on k6, or none for a reason.
    fn wait_for_effect(&self) {
        let runs_teardown_first = matches!(self.when, When::Ready | When::Armed);
        self.wait_for("the effect", || {
            if self.runner.process().exited().is_some() {
                return true;
            }
            if runs_teardown_first {
                return self.target.teardown_count(RUNNER) == 1;
            }
            let said = self.runner.process().stderr();
            let mut k6 = self.runner.process().descendants().into_iter();
            let k6 = k6.find(|process| process.name == "k6");
            let api = k6.and_then(|k6| support::runner::address_in(&k6.command_line));
            let is_stopped = api
                .and_then(|api| self.status(api))
                .is_some_and(|status| status.contains(r#""stopped":true"#));
            is_stopped || said.contains("k6's run is over") || said.contains("k6 cannot handle")
        });
    }

    fn status(&self, api: std::net::SocketAddr) -> Option<String> {
        TcpStream::connect(api).ok()?;
        Some(ask(api, "GET", "/v1/status", "", "")?.1)
    }

    fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        wait::until(what, SOON, || is_so().then_some(()));
    }

    fn ended(&self, acted: Instant, phase: Phase, codes: &[u8]) -> Duration {
        let ended = self.runner.ended(SOON);
        let code = u8::try_from(ended.code).unwrap();
        assert!(
            ended.report.phase == phase && codes.contains(&code),
            "not {phase} with one of {codes:?}, but {code}: {:#?}\n{}",
            ended.report,
            self.runner.process().stderr()
        );
        match self.what {
            What::Terminate | What::TerminateTwice => ended.assert_reason("SIGTERM received"),
            What::Interrupt => ended.assert_reason("SIGINT received"),
            What::HangUp => ended.assert_reason("SIGHUP received"),
            What::Quit => ended.assert_reason("SIGQUIT received"),
            What::Abort => ended.assert_reason("aborted by the test: enough"),
            What::KillK6 => ended.assert_reason("signal 9"),
            What::Stop if phase == Phase::Failed => ended.assert_reason("exit code 103"),
            What::Stop | What::KillAgent => {
                assert_eq!(ended.report.reason, None);
                &ended
            }
        };
        assert_eq!(
            self.target.load_count(RUNNER) > 0,
            self.when >= When::Running
        );
        if let Some(teardowns) = teardowns(self.when, self.what) {
            assert_eq!(self.target.teardown_count(RUNNER), teardowns, "teardown()");
        }
        ended.exit.at.monotonic - acted
    }

    fn was_killed(&self, acted: Instant) -> Duration {
        let exit = self.runner.process().wait(SOON);
        assert_eq!(exit.signal, Some(Signal::SIGKILL));
        self.runner.process().assert_nothing_left();
        let took = acted.elapsed();
        let report = self.runner.report().unwrap();
        assert!(!report.phase.is_final(), "{report:#?}");
        took
    }
}
