//! One agent with its k6, in a stage that the test schedules.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use nix::sys::signal::{Signal, kill};
use procfs::net::TcpState;
use rendezvous::{Phase, Report, RunnerId};

use crate::{
    fake_k6::FakeK6,
    mark::Marked,
    process::{Exit, Program, Running},
    programs,
    stage::Stage,
    wait,
};

/// How long anything may take that is there in well under a second on an idle machine.
pub const SOON: Duration = Duration::from_secs(30);

/// An agent that is about to be started.
pub struct Launch<'a> {
    stage: &'a Stage,
    runner: RunnerId,
    options: Vec<OsString>,
    variables: Vec<(String, OsString)>,
    input: Option<Vec<u8>>,
    shell: Option<&'static str>,
}

impl<'a> Launch<'a> {
    /// The runner of this name in a stage. Its k6 finds the name in `__ENV.TMINUS_RUNNER`.
    pub fn new(stage: &'a Stage, runner: &str) -> Self {
        Self {
            stage,
            runner: RunnerId::new(runner).unwrap(),
            options: Vec::new(),
            variables: Vec::new(),
            input: None,
            shell: None,
        }
    }

    /// Adds options of the agent's.
    pub fn options(mut self, options: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let options = options.into_iter().map(|it| it.as_ref().to_owned());
        self.options.extend(options);
        self
    }

    /// Sets a variable, for the agent and for its k6.
    pub fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables
            .push((variable.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Lets its k6 be this stand-in.
    pub fn fake_k6(self, k6: &FakeK6) -> Self {
        let variables = k6.variables();
        variables
            .into_iter()
            .fold(self, |launch, (variable, value)| {
                launch.env(variable, value)
            })
    }

    /// What it reads from its standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Starts it from a shell, beside the store, which finds the agent with all its arguments in `"$0" "$@"`.
    pub fn in_shell(mut self, script: &'static str) -> Self {
        self.shell = Some(script);
        self
    }

    /// Starts it with this command for k6.
    pub fn start(self, command: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Runner<'a> {
        let store = format!("dir:{}", self.stage.directory().display());
        let program = match self.shell {
            None => Program::new(programs::agent()),
            Some(script) => Program::new("/bin/sh")
                .args(["-c", script])
                .args([programs::agent()]),
        };
        let mut program = program
            .args(["--store", &store])
            .args(["--run", self.stage.run().as_str()])
            .args(["--stage", self.stage.name().as_str()])
            .args(["--runner", self.runner.as_str()])
            .args(self.options)
            .args(["--"])
            .args(command)
            // Where k6 writes what it is not told where to write.
            .current_dir(self.stage.scratch().path());
        for (variable, value) in self.variables {
            program = program.env(&variable, value);
        }
        if let Some(input) = self.input {
            program = program.input(input);
        }
        Runner {
            stage: self.stage,
            id: self.runner,
            process: program.start(),
        }
    }
}

/// An agent that was started. Dropping it kills it and its k6.
pub struct Runner<'a> {
    stage: &'a Stage,
    id: RunnerId,
    process: Running,
}

/// The end of a runner that left nothing behind.
#[derive(Debug)]
pub struct Ended {
    /// What it exited with.
    pub code: i32,
    /// How it ended.
    pub exit: Exit,
    /// Its last report.
    pub report: Report,
}

impl Runner<'_> {
    /// The agent's process.
    pub fn process(&self) -> &Running {
        &self.process
    }

    /// Its report, if it has published one.
    pub fn report(&self) -> Option<Report> {
        self.stage.report(&self.id)
    }

    /// Waits until its report says this phase, and gives it.
    ///
    /// # Panics
    /// If it does not within `limit`, or when the agent has ended without.
    pub fn wait_for_phase(&self, phase: Phase, limit: Duration) -> Report {
        let what = format!("the phase {phase}");
        self.wait_for_report(&what, limit, |report| report.phase == phase)
    }

    /// Waits until its report is as it should be, and gives it.
    ///
    /// # Panics
    /// If it is not within `limit`, or when the agent has ended without.
    pub fn wait_for_report(
        &self,
        what: &str,
        limit: Duration,
        is_it: impl Fn(&Report) -> bool,
    ) -> Report {
        wait::until_ok(&format!("{what} of {}", self.id), limit, || {
            // In this order: nothing is published after the end.
            let over = self.process.exited();
            let report = self.report();
            if let Some(report) = report.as_ref().filter(|report| is_it(report)) {
                return Ok(report.clone());
            }
            if let Some(exit) = over {
                let stderr = self.process.stderr();
                panic!(
                    "ended without {what}: {exit:?}\nlast report: {report:#?}\nstandard error:\n{stderr}"
                );
            }
            let stderr = self.process.stderr();
            Err(format!("{report:#?}\nstandard error:\n{stderr}"))
        })
    }

    /// Its k6 as a process, once it is there.
    pub fn k6(&self) -> Marked {
        wait::until("k6 as a process", SOON, || {
            let mut found = self.process.descendants();
            // Before its exec, the child still is the agent; a wrapper is a shell.
            found.retain(|process| process.name == "k6" || process.name == "fake-k6");
            found.into_iter().next()
        })
    }

    /// Sends a signal to its k6, and to it alone.
    pub fn signal_k6(&self, signal: Signal) {
        kill(self.k6().id, signal).unwrap();
    }

    /// The address that its k6 was given for its API.
    pub fn api(&self) -> SocketAddr {
        address_in(&self.k6().command_line).expect("k6 was given an address")
    }

    /// The connections that k6's API has now, by the ports of their other ends.
    pub fn connections(&self) -> BTreeSet<u16> {
        let api = self.api();
        let all = procfs::net::tcp().unwrap().into_iter();
        all.filter(|it| it.state == TcpState::Established && it.remote_address == api)
            .map(|it| it.local_address.port())
            .collect()
    }

    /// Waits until an armed agent has opened the connection that the resume is to go over, beside the one that it
    /// has had since k6 came up; gives both.
    pub fn wait_until_connected(&self) -> BTreeSet<u16> {
        wait::until("the agent's connections to k6", SOON, || {
            Some(self.connections()).filter(|ports| ports.len() >= 2)
        })
    }

    /// Waits for its end, and checks that it left nothing behind and that its last report says the code that it
    /// exited with.
    ///
    /// # Panics
    /// If it does not end within `limit`, is killed by a signal, or leaves anything behind.
    pub fn ended(&self, limit: Duration) -> Ended {
        let exit = self.process.wait(limit);
        self.process.assert_nothing_left();
        let stderr = self.process.stderr();
        let code = exit
            .code
            .unwrap_or_else(|| panic!("{exit:?}, standard error:\n{stderr}"));
        let report = self
            .report()
            .unwrap_or_else(|| panic!("no report, standard error:\n{stderr}"));
        assert!(report.phase.is_final(), "{report:#?}\n{stderr}");
        assert_eq!(
            report.exit_code.map(i32::from),
            Some(code),
            "{report:#?}\n{stderr}"
        );
        Ended { code, exit, report }
    }
}

impl Ended {
    /// # Panics
    /// If it did not end in this phase and with this code.
    pub fn assert(&self, phase: Phase, code: i32) -> &Self {
        assert_eq!(
            (self.report.phase, self.code),
            (phase, code),
            "{:#?}",
            self.report
        );
        self
    }

    /// # Panics
    /// If its reason does not contain this.
    pub fn assert_reason(&self, part: &str) -> &Self {
        let reason = self.report.reason.as_deref().unwrap_or_default();
        assert!(reason.contains(part), "no {part:?} in {:#?}", self.report);
        self
    }
}

/// The command `K6 run -q ARGUMENTS… SCRIPT`, the script being one of the tests' own, by its name without `.js`.
pub fn k6_run(k6: &Path, arguments: &[&str], script: &str) -> Vec<OsString> {
    let path = programs::repository().join(format!("tests/scripts/{script}.js"));
    assert!(path.is_file(), "no script {}", path.display());
    let mut command = vec![k6.into(), "run".into(), "-q".into()];
    command.extend(arguments.iter().map(OsString::from));
    command.push(path.into());
    command
}

/// The value of the last `--address` in a command line.
pub fn address_in(command_line: &[String]) -> Option<SocketAddr> {
    let at = command_line.iter().rposition(|word| word == "--address")?;
    command_line.get(at + 1)?.parse().ok()
}
