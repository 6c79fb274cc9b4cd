//! k6 v2 becomes a launcher where a script wants what it has not: it gets another k6 from a build service, and that is its
//! child. The launcher keeps SIGTERM and SIGINT from itself, and any other signal ends it alone.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::{Signal, kill};
use procfs::process::Process;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    build_service::{Answers, BuildService},
    mark::Marked,
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

/// The gate that teardown() may wait at.
const GATE: &str = "/gate/teardown";

struct Bench {
    stage: Stage,
    target: Target,
    service: BuildService,
    k6: PathBuf,
}

impl Bench {
    fn new(answers: Answers) -> Option<Self> {
        let k6 = K6::V2.program()?;
        let stage = Stage::new();
        Some(Self {
            service: BuildService::start(&stage, &k6, answers),
            stage,
            target: Target::start(),
            k6,
        })
    }

    fn launch(&self) -> Launch<'_> {
        self.service
            .environment(Launch::new(&self.stage, RUNNER))
            .env("TARGET", self.target.url())
            .env("DURATION", "5m")
    }

    fn start(&self, script: &str) -> Runner<'_> {
        self.launch().start(k6_run(&self.k6, &[], script))
    }

    /// One whose child makes load.
    fn loading<'a>(&'a self, launch: Launch<'a>) -> (Runner<'a>, Family) {
        let runner = launch.start(k6_run(&self.k6, &[], "setup"));
        runner.wait_for_phase(Phase::Ready, SOON);
        let family = self.family(&runner);
        self.stage.set_in(LEAD);
        runner.wait_for_phase(Phase::Running, SOON);
        self.wait_for("load", || self.target.load_count(RUNNER) > 0);
        (runner, family)
    }

    fn family(&self, runner: &Runner) -> Family {
        let mut all = runner.process().descendants();
        all.retain(|process| process.name == "k6");
        assert_eq!(all.len(), 2, "a launcher and its child: {all:?}");
        // The child is the same file, by another name.
        let k6 = self.k6.canonicalize().unwrap();
        assert!(all.iter().all(|it| program(it) == k6), "{all:?}");
        let (child, launcher) = all.into_iter().partition::<Vec<_>, _>(parent_is_k6);
        let one = |mut found: Vec<Marked>| {
            assert_eq!(found.len(), 1, "{found:?}");
            found.remove(0)
        };
        Family {
            launcher: one(launcher),
            child: one(child),
        }
    }

    fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        wait::until(what, SOON, || is_so().then_some(()));
    }

    fn assert_torn_down(&self, times: u64) {
        assert_eq!(self.target.teardown_count(RUNNER), times, "teardown()");
    }
}

struct Family {
    launcher: Marked,
    child: Marked,
}

fn program(process: &Marked) -> PathBuf {
    fs::read_link(Path::new("/proc").join(process.id.to_string()).join("exe")).unwrap()
}

fn parent_is_k6(process: &Marked) -> bool {
    let stat = |id| Process::new(id).unwrap().stat().unwrap();
    stat(stat(process.id.as_raw()).ppid).comm == "k6"
}

#[rstest]
#[case::until_it_is_aborted(None, 76, 1)]
#[case::until_sigterm_comes(Some(Signal::SIGTERM), 105, 1)]
#[case::until_sigint_comes(Some(Signal::SIGINT), 105, 1)]
#[case::until_sighup_comes(Some(Signal::SIGHUP), 129, 0)]
#[case::until_sigquit_comes(Some(Signal::SIGQUIT), 2, 0)]
fn the_child_of_a_launcher_is_ours(
    #[case] signal: Option<Signal>,
    #[case] code: i32,
    #[case] teardowns: u64,
) {
    let Some(bench) = Bench::new(Answers::ABuild) else {
        return;
    };
    let (runner, _) = bench.loading(bench.launch());
    match signal {
        None => bench.stage.abort("enough"),
        Some(signal) => runner.process().signal(signal),
    }
    // It checks that nobody is left.
    runner.ended(SOON).assert(Phase::Aborted, code);
    bench.assert_torn_down(teardowns);
}

#[test]
fn a_second_signal_reaches_the_child_too() {
    let Some(bench) = Bench::new(Answers::ABuild) else {
        return;
    };
    let (runner, _) = bench.loading(bench.launch().env("TEARDOWN", GATE));
    runner.process().signal(Signal::SIGTERM);
    bench.wait_for("teardown()", || bench.target.teardown_count(RUNNER) == 1);
    assert!(runner.process().exited().is_none());
    runner.process().signal(Signal::SIGTERM);
    runner.ended(SOON).assert(Phase::Aborted, 105);
}

#[test]
fn the_childs_own_code_comes_out() {
    let Some(bench) = Bench::new(Answers::ABuild) else {
        return;
    };
    let runner = bench.start("threshold-fails");
    runner.wait_for_phase(Phase::Ready, SOON);
    bench.stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 99);
}

#[test]
fn no_load_is_left_where_a_launcher_is_killed() {
    let Some(bench) = Bench::new(Answers::ABuild) else {
        return;
    };
    let (runner, family) = bench.loading(bench.launch());
    kill(family.launcher.id, Signal::SIGKILL).unwrap();
    runner.ended(SOON).assert(Phase::Finished, 137);
}

#[test]
fn nobody_waits_for_a_child_that_is_killed() {
    let Some(bench) = Bench::new(Answers::ABuild) else {
        return;
    };
    let (runner, family) = bench.loading(bench.launch());
    kill(family.child.id, Signal::SIGKILL).unwrap();
    // So k6 itself says it: the -1 that Go has for a process without a code.
    runner.ended(SOON).assert(Phase::Finished, 255);
}

#[rstest]
fn an_agent_that_is_killed_takes_launcher_and_child_along(
    #[values(Phase::Ready, Phase::Running)] phase: Phase,
) {
    let Some(bench) = Bench::new(Answers::ABuild) else {
        return;
    };
    let runner = bench.start("setup");
    runner.wait_for_phase(Phase::Ready, SOON);
    bench.family(&runner);
    if phase == Phase::Running {
        bench.stage.set_in(LEAD);
        runner.wait_for_phase(phase, SOON);
    }
    runner.process().signal(Signal::SIGKILL);
    assert_eq!(runner.process().wait(SOON).signal, Some(Signal::SIGKILL));
    runner.process().assert_nothing_left();
}

#[test]
fn a_build_service_that_never_answers_is_not_waited_for_for_ever() {
    let Some(bench) = Bench::new(Answers::Never) else {
        return;
    };
    let launch = bench.launch().options(["--ready-timeout", "3s"]);
    let runner = launch
        .options(["--grace", "2s"])
        .start(k6_run(&bench.k6, &[], "setup"));
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Failed, 73)
        .assert_reason("k6 did not become ready within 3s; it waited for ");
    assert!(bench.target.first_requests().is_empty());
}

#[test]
fn a_build_service_that_cannot_is_told_with_k6s_own_words_and_code() {
    let Some(bench) = Bench::new(Answers::Unavailable) else {
        return;
    };
    let runner = bench.start("setup");
    let ended = runner.ended(SOON);
    ended.assert(Phase::Failed, 107);
    let said = ended.report.k6_errors.join("\n");
    assert!(said.contains("503 Service Unavailable"), "{said}");
    assert!(bench.target.first_requests().is_empty());
}

#[test]
fn a_signal_ends_a_launcher_that_waits_for_its_build() {
    let Some(bench) = Bench::new(Answers::Never) else {
        return;
    };
    let launch = bench.launch().options(["--grace", "2s"]);
    let runner = launch.start(k6_run(&bench.k6, &[], "setup"));
    runner.k6();
    runner.process().signal(Signal::SIGTERM);
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Aborted, 137)
        .assert_reason("SIGTERM received; k6 did not end within 2s (--grace) and was killed");
    assert!(bench.target.first_requests().is_empty());
}
