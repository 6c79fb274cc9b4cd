//! What the agent exits with, and what its last report says, when the real k6 ends by itself.
#![allow(clippy::unwrap_used)]

use std::{
    ffi::OsString,
    fs::File,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc::O_NONBLOCK,
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    client::ask,
    programs::K6,
    runner::{Ended, Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// How long the code of an ended k6 may take to come out, the agent's last report included. On an idle machine it
/// takes some 10 ms.
const CODE_TAKES: Duration = Duration::from_millis(2500);

const RUNNER: &str = "runner-1";

fn start<'a>(stage: &'a Stage, target: &Target, command: Vec<OsString>) -> Runner<'a> {
    Launch::new(stage, RUNNER)
        .env("TARGET", target.url())
        .start(command)
}

/// Waits for the end, and checks that the agent did not hold up k6's code.
fn ended_at_once(runner: &Runner) -> Ended {
    let mut k6_seen = Instant::now();
    let deadline = Instant::now() + SOON;
    while runner.process().exited().is_none() && Instant::now() < deadline {
        let looked = Instant::now();
        let mut found = runner.process().descendants().into_iter();
        if found.any(|process| process.name != "tminus-guard") {
            k6_seen = looked;
        }
        sleep(Duration::from_millis(5));
    }
    let ended = runner.ended(Duration::ZERO);
    let took = ended.exit.at.monotonic.saturating_duration_since(k6_seen);
    println!("the code came out {took:?} after k6 was last seen");
    assert!(took < CODE_TAKES, "{took:?}");
    ended
}

#[rstest]
#[case::syntax_error("syntax-error", "Unexpected token")]
#[case::exception_in_init("init-throws", "no luck")]
#[case::exception_in_the_init_of_some_vus("init-throws-for-some-vus", "no luck for VU")]
fn a_script_that_cannot_start_gives_k6s_own_code_and_its_last_words(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
    #[case] words: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start(&stage, &target, k6_run(&k6, &[], script));
    let ended = ended_at_once(&runner);
    ended.assert(Phase::Failed, 107);
    let errors = ended.report.k6_errors.join("\n");
    assert!(errors.contains(words), "no {words:?} in {errors}");
    assert!(runner.process().stderr().contains(words));
    assert!(target.first_requests().is_empty());
}

#[rstest]
#[case::that_is_not_there("nowhere.js")]
#[case::that_is_a_directory("/")]
fn a_script_gives_k6s_own_code(#[values(K6::V1, K6::V2)] k6: K6, #[case] script: &str) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let command = [k6.as_os_str(), "run".as_ref(), script.as_ref()];
    let runner = start(&stage, &target, command.map(OsString::from).to_vec());
    let ended = ended_at_once(&runner);
    ended.assert(Phase::Failed, 255);
    assert!(!ended.report.k6_errors.is_empty(), "{:#?}", ended.report);
}

#[rstest]
#[case::threshold("threshold-fails", 99)]
#[case::abort("aborts-the-test", 108)]
#[case::marked_as_failed("fails-the-test", 110)]
#[case::exception_in_default("default-throws", 0)]
#[case::exception_in_teardown("teardown-throws", 107)]
#[case::slow_teardown("teardown-times-out", 101)]
fn a_run_gives_k6s_own_code(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] script: &str,
    #[case] code: i32,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = start(&stage, &target, k6_run(&k6, &[], script));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    let ended = ended_at_once(&runner);
    ended.assert(Phase::Finished, code);
    assert_eq!(target.load_count(RUNNER), 1);
    if code != 0 {
        assert!(!ended.report.k6_errors.is_empty(), "{:#?}", ended.report);
    }
}

#[rstest]
fn a_setup_left_to_k6_that_throws_gives_k6s_own_code(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--setup", "k6"])
        .start(k6_run(&k6, &[], "setup-throws"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    ended_at_once(&runner).assert(Phase::Finished, 107);
    assert_eq!(target.load_count(RUNNER), 0);
}

#[rstest]
fn a_k6_that_is_killed_gives_the_code_of_a_shell(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(Phase::Ready, Phase::Armed, Phase::Running)] phase: Phase,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env("DURATION", "1m")
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    match phase {
        Phase::Armed => drop(stage.set_in(Duration::from_secs(600))),
        Phase::Running => drop(stage.set_in(LEAD)),
        _ => {}
    }
    runner.wait_for_phase(phase, SOON);
    runner.signal_k6(Signal::SIGKILL);
    let ended = ended_at_once(&runner);
    let expected = match phase {
        Phase::Running => Phase::Finished,
        _ => Phase::Failed,
    };
    ended.assert(expected, 137).assert_reason("signal 9");
}

/// How long an output's sink takes nothing, once the run is over.
const FLUSH_TAKES: Duration = Duration::from_secs(20);

/// What k6 writes its samples to: a pipe that takes one page, and no more before it is read from.
struct Sink(File);

impl Sink {
    fn beside(stage: &Stage) -> (Self, String) {
        let path = stage.scratch().path().join("sink");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        // For writing as well: so nobody has to wait for the other end.
        let mut both = File::options();
        let sink = both.read(true).write(true).custom_flags(O_NONBLOCK);
        let sink = sink.open(&path).unwrap();
        fcntl(&sink, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        (Self(sink), format!("json={}", path.display()))
    }

    fn take_all(&mut self) {
        let mut page = [0; 4096];
        while self.0.read(&mut page).is_ok() {}
    }
}

/// One whose k6 has ended its run, crossed its threshold, and cannot get rid of its last samples.
fn flushing<'a>(
    options: &[&str],
    stage: &'a Stage,
    target: &Target,
    k6: &Path,
) -> (Runner<'a>, Sink) {
    let (sink, out) = Sink::beside(stage);
    // Some samples are more than a page then.
    let tag = format!("long={}", "x".repeat(500));
    let arguments = ["--out", &out, "--tag", &tag];
    let runner = Launch::new(stage, RUNNER)
        .env("TARGET", target.url())
        .options(options)
        .start(k6_run(k6, &arguments, "threshold-fails"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    wait::until("the end of the run", SOON, || {
        let (_, status) = ask(runner.api(), "GET", "/v1/status", "", "")?;
        status.contains(r#""status":9"#).then_some(())
    });
    (runner, sink)
}

#[rstest]
#[case::and_nothing_happens(None)]
// It would kill k6, whose run is over, and replace its code.
#[case::and_sigterm_comes(Some(Signal::SIGTERM))]
fn a_k6_whose_outputs_take_their_time_is_waited_for(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] signal: Option<Signal>,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let (runner, mut sink) = flushing(&[], &stage, &target, &k6);
    if let Some(signal) = signal {
        runner.process().signal(signal);
    }
    sleep(FLUSH_TAKES);
    assert!(runner.process().exited().is_none(), "it did not wait");
    assert!(!runner.report().unwrap().phase.is_final());
    wait::until("the end", SOON, || {
        sink.take_all();
        runner.process().exited()
    });
    runner.ended(Duration::ZERO).assert(Phase::Finished, 99);
}

#[test]
fn an_output_that_takes_longer_than_the_grace_is_cut_off_where_a_signal_came() {
    let Some(k6) = K6::V1.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let (runner, _sink) = flushing(&["--grace", "2s"], &stage, &target, &k6);
    runner.process().signal(Signal::SIGTERM);
    runner
        .ended(SOON)
        .assert(Phase::Aborted, 137)
        .assert_reason("k6 did not end within 2s (--grace) and was killed");
}
