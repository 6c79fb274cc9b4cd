//! Stores that cannot be written to, are full, or are removed under those who use them. A runner that is armed needs
//! none, and everybody else says what is wrong and goes on when it is mended.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    mounts,
    process::Running,
    runner::{Launch, Runner, SOON},
    scheduler::command_for,
    stage::Stage,
    wait,
};

use crate::told::{assert_says, one_line};

/// Long enough for whatever is done to the store once the runner is armed.
const LEAD: Duration = Duration::from_secs(5);

const READ_ONLY: &str = "Choose a directory on a file system that can be written to";
const FULL: &str = "No space left on device";
const GONE: &str = "there is no such directory";

/// So much that a few documents fit.
const SMALL: u32 = 64;

/// A stage whose store is a small file system, and a stand-in for k6 whose record is elsewhere.
fn on_a_small_file_system() -> (Stage, FakeK6) {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    mounts::small(&stage.directory(), SMALL);
    (stage, k6)
}

/// Leaves no room in the file system of a directory.
fn fill(directory: &Path) {
    let filler = directory.join("filler");
    let error = fs::write(&filler, vec![0; 4 * 1024 * SMALL as usize]).unwrap_err();
    assert!(error.to_string().contains(FULL), "{error}");
}

fn empty(directory: &Path) {
    fs::remove_file(directory.join("filler")).unwrap();
}

fn launch<'a>(stage: &'a Stage, k6: &FakeK6, options: &[&str]) -> Runner<'a> {
    let launch = Launch::new(stage, "a").fake_k6(k6).options(options);
    launch.start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()])
}

fn scheduler(stage: &Stage, command: &str, options: &[&str]) -> Running {
    command_for(stage, command).args(options).start()
}

/// Waits for the end of a program, and checks its code and what it said.
fn assert_ended(process: &Running, code: i32, words: &[&str]) {
    let exit = process.wait(SOON);
    let stderr = one_line(&process.stderr());
    assert_eq!(exit.code, Some(code), "{stderr}");
    words.iter().for_each(|words| assert_says(&stderr, words));
    assert!(!stderr.contains("panicked"), "{stderr}");
    process.assert_nothing_left();
}

#[test]
fn a_read_only_store_is_refused_by_both_before_anything_is_started() {
    mounts::alone(|| {
        let stage = Stage::new();
        let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
        mounts::read_only(&stage.directory());
        let words = ["may not", stage.directory().to_str().unwrap(), READ_ONLY].map(str::to_owned);
        let words = [&*words[0], &*words[1], &*words[2]];
        let runner = launch(&stage, &k6, &[]);
        assert_ended(runner.process(), 69, &words);
        assert!(k6.record().is_empty(), "k6 was started");
        assert_ended(&scheduler(&stage, "start", &["--runners", "1"]), 69, &words);
        assert_ended(&scheduler(&stage, "abort", &[]), 69, &["may not"]);
    });
}

#[test]
fn a_store_that_becomes_read_only_keeps_no_armed_runner_from_its_start() {
    mounts::alone(|| {
        let stage = Stage::new();
        let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
        let runner = launch(&stage, &k6, &[]);
        runner.wait_for_phase(Phase::Ready, SOON);
        stage.set_in(LEAD);
        let armed = runner.wait_for_phase(Phase::Armed, SOON);
        mounts::read_only(&stage.directory());
        // The process was there before the mount, and sees the store by its path.
        assert_ended(runner.process(), 0, &[READ_ONLY, "the last report"]);
        assert_eq!(
            runner.report().unwrap().plan,
            armed.plan,
            "what stood there is lost"
        );
    });
}

#[test]
fn a_full_store_makes_a_runner_wait_and_nothing_in_it_is_lost() {
    mounts::alone(|| {
        let (stage, k6) = on_a_small_file_system();
        let runner = launch(&stage, &k6, &[]);
        let ready = runner.wait_for_phase(Phase::Ready, SOON);
        stage.gather(Duration::from_secs(600));
        let plan = fs::read(stage.plan_file()).unwrap();
        fill(&stage.directory());
        // Its renewal, which comes every few seconds, finds no room.
        runner.process().wait_for_line(FULL, SOON);
        assert_eq!(runner.report().unwrap().incarnation, ready.incarnation);
        assert_eq!(fs::read(stage.plan_file()).unwrap(), plan);
        empty(&stage.directory());
        stage.set_in(LEAD);
        runner.ended(SOON).assert(Phase::Finished, 0);
    });
}

#[test]
fn a_store_that_is_full_from_the_first_ends_a_runner_at_its_deadline() {
    mounts::alone(|| {
        let (stage, k6) = on_a_small_file_system();
        fill(&stage.directory());
        let runner = launch(&stage, &k6, &["--deadline", "3s"]);
        assert_ended(
            runner.process(),
            69,
            &[FULL, stage.directory().to_str().unwrap()],
        );
    });
}

#[test]
fn a_store_that_fills_up_keeps_no_armed_runner_from_its_start() {
    mounts::alone(|| {
        let (stage, k6) = on_a_small_file_system();
        let runner = launch(&stage, &k6, &[]);
        runner.wait_for_phase(Phase::Ready, SOON);
        stage.set_in(LEAD);
        let armed = runner.wait_for_phase(Phase::Armed, SOON);
        fill(&stage.directory());
        let last = "the last report could not be written within";
        assert_ended(runner.process(), 0, &[FULL, last]);
        assert_eq!(
            runner.report().unwrap().plan,
            armed.plan,
            "what stood there is lost"
        );
    });
}

#[test]
fn a_scheduler_goes_on_when_there_is_room_again() {
    mounts::alone(|| {
        let (stage, k6) = on_a_small_file_system();
        let runner = launch(&stage, &k6, &[]);
        runner.wait_for_phase(Phase::Ready, SOON);
        fill(&stage.directory());
        let start = scheduler(
            &stage,
            "start",
            &["--runners", "1", "--lead", "1s", "--wait"],
        );
        let line = start.wait_for_line("trying again", SOON);
        assert_says(&line, FULL);
        empty(&stage.directory());
        assert_ended(&start, 0, &["the store is back after"]);
        runner.ended(SOON).assert(Phase::Finished, 0);
    });
}

/// Removes a store. Who writes to it meanwhile may make it fail once or twice.
fn remove(directory: &Path) {
    wait::until("the store to be removed", SOON, || {
        let _ = fs::remove_dir_all(directory);
        (!directory.exists()).then_some(())
    });
}

#[test]
fn a_store_that_is_removed_while_runners_gather_is_waited_for_by_both() {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = launch(&stage, &k6, &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    let start = scheduler(
        &stage,
        "start",
        &["--runners", "2", "--min-runners", "2", "--wait"],
    );
    start.wait_for_line("1/2 ready", SOON);
    remove(&stage.directory());
    let line = start.wait_for_line("trying again", SOON);
    assert_says(&line, GONE);
    assert_says(
        &runner.process().wait_for_line(GONE, SOON),
        "use the store in",
    );
    assert!(!stage.directory().exists(), "somebody made it again");

    fs::create_dir(stage.directory()).unwrap();
    let told = start.wait_for_line("the store is back after", SOON);
    assert!(!told.contains("panicked"));
    let other_k6 = FakeK6::new(stage.scratch(), "other-k6", &Behaviour::default());
    let other = Launch::new(&stage, "b").fake_k6(&other_k6);
    let other = other.start([
        other_k6.program().as_os_str(),
        "run".as_ref(),
        "x.js".as_ref(),
    ]);
    assert_ended(&start, 0, &["start set for"]);
    runner.ended(SOON).assert(Phase::Finished, 0);
    other.ended(SOON).assert(Phase::Finished, 0);
}

#[rstest]
#[case::armed(Phase::Armed)]
#[case::running(Phase::Running)]
fn a_store_that_is_removed_after_the_instant_was_set_changes_no_start(#[case] phase: Phase) {
    let stage = Stage::new();
    let behaviour = Behaviour {
        run: Duration::from_secs(2),
        exit_code: 99,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = launch(&stage, &k6, &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(phase, SOON);
    remove(&stage.directory());
    assert_ended(runner.process(), 99, &[GONE]);
    assert!(!stage.directory().exists(), "it made the store again");
}

#[test]
fn a_store_that_stays_away_ends_a_runner_at_its_deadline() {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = launch(&stage, &k6, &["--deadline", "4s"]);
    runner.wait_for_phase(Phase::Ready, SOON);
    remove(&stage.directory());
    assert_ended(runner.process(), 69, &[GONE]);
}
