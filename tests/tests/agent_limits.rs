//! No k6 runs for ever, and nothing that is left to do after its end holds its code up or changes it.
#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File, OpenOptions},
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::fcntl::{Flock, FlockArg};
use rendezvous::{Phase, RunnerId};
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    programs::K6,
    runner::{Launch, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// How long after the end of its time a k6 may live that hears the stop, on a busy machine.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// The last report gets three seconds, the termination message one; and some.
const TOLD_WITHIN: Duration = Duration::from_secs(12);

const RUNNER: &str = "runner-1";

fn last_words(stage: &Stage) -> PathBuf {
    stage.scratch().path().join("last-words")
}

fn launch<'a>(stage: &'a Stage, target: &Target) -> Launch<'a> {
    Launch::new(stage, RUNNER)
        .env("TARGET", target.url())
        .env("TMINUS_TERMINATION_LOG", last_words(stage))
}

#[rstest]
fn a_load_without_end_is_stopped_although_everybody_else_is_gone(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = launch(&stage, &target)
        .env("DURATION", "10h")
        .options(["--max-run", "3s"])
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(Phase::Running, SOON);
    let seen = Instant::now();
    fs::remove_dir_all(stage.directory()).unwrap();
    let exit = runner.process().wait(SOON);
    runner.process().assert_nothing_left();
    assert_eq!(exit.code, Some(124));
    let took = exit.at.monotonic - seen;
    assert!(took < Duration::from_secs(3) + STOPPED_WITHIN, "{took:?}");
    assert_eq!(target.teardown_count(RUNNER), 1);
    let words = fs::read_to_string(last_words(&stage)).unwrap();
    assert!(
        words.starts_with("failed (124): k6 had not ended 3s after the start, so it was stopped"),
        "{words}"
    );
}

#[test]
fn a_k6_that_does_not_hear_that_its_time_is_over_is_killed() {
    let stage = Stage::new();
    let behaviour = Behaviour {
        run: Duration::from_hours(1),
        ignores_stop: true,
        ignores_signals: true,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .options(["--grace", "2s"])
        .env("TMINUS_MAX_RUN", "2s")
        .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner
        .ended(SOON)
        .assert(Phase::Failed, 124)
        .assert_reason("2s after the start")
        .assert_reason("did not end within 2s (--grace) and was killed");
}

/// What becomes of the store while k6 runs.
#[derive(Clone, Copy, Debug)]
enum Becomes {
    Nothing,
    Gone,
    AFile,
    /// Another process that does not go on holds the report.
    Held,
}

impl Becomes {
    fn happen(self, stage: &Stage) -> Option<Flock<File>> {
        let store = stage.directory();
        match self {
            Self::Nothing => {}
            Self::Gone => fs::remove_dir_all(store).unwrap(),
            Self::AFile => {
                fs::rename(&store, store.with_extension("away")).unwrap();
                fs::write(&store, "no directory").unwrap();
            }
            Self::Held => {
                let report = stage.report_file(&RunnerId::new(RUNNER).unwrap());
                let name = report.file_name().unwrap().to_str().unwrap();
                let draft = report.with_file_name(format!(".{name}.tmp"));
                // A writer that has it gives it up within microseconds, and its name with it.
                return Some(wait::until("the report's lock", SOON, || {
                    let file = OpenOptions::new();
                    let file = { file }.create(true).append(true).open(&draft).ok()?;
                    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
                    draft.exists().then_some(lock)
                }));
            }
        }
        None
    }
}

#[rstest]
fn k6s_code_comes_out_in_time_whatever_becomes_of_the_store(
    #[values(Becomes::Nothing, Becomes::Gone, Becomes::AFile, Becomes::Held)] becomes: Becomes,
    #[values(99, 0)] code: u8,
) {
    let stage = Stage::new();
    let behaviour = Behaviour {
        run: Duration::from_secs(4),
        exit_code: code,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = Launch::new(&stage, RUNNER)
        .fake_k6(&k6)
        .env("TMINUS_TERMINATION_LOG", last_words(&stage))
        .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(Phase::Running, SOON);
    let running = Instant::now();
    let _held = becomes.happen(&stage);
    let exit = runner.process().wait(SOON);
    assert_eq!(exit.code, Some(i32::from(code)));
    let took = exit.at.monotonic - running;
    println!("{becomes:?}: ended {took:?} after the start of a load of 4 s");
    assert!(took < Duration::from_secs(4) + TOLD_WITHIN, "{took:?}");
    let words = fs::read_to_string(last_words(&stage)).unwrap();
    assert!(words.starts_with(&format!("finished ({code})")), "{words}");
    let told = runner.process().stderr();
    let is_told = told.contains("the last report could not be written");
    assert_eq!(is_told, !matches!(becomes, Becomes::Nothing), "{told}");
    let is_refused = matches!(becomes, Becomes::Gone | Becomes::AFile);
    let words = "the last report is not written yet: cannot ";
    assert!(!is_refused || told.contains(words), "{told}");
}
