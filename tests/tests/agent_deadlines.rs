//! Nobody waits for ever: a runner ends by itself where no scheduler comes, where one falls silent, and where the
//! store stays unreadable.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    time::{Duration, Instant},
};

use rendezvous::{Phase, Report, RunnerId};
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    moment::Moment,
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// What an agent gives a store that does not get better, and a scheduler that should have been heard of.
const PATIENCE: Duration = Duration::from_secs(30);

const RUNNER: &str = "runner-1";

fn start<'a>(stage: &'a Stage, k6: &FakeK6, options: &[&str]) -> Runner<'a> {
    Launch::new(stage, RUNNER)
        .fake_k6(k6)
        .options(options)
        .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()])
}

fn fake_k6(stage: &Stage) -> FakeK6 {
    FakeK6::new(stage.scratch(), "k6", &Behaviour::default())
}

/// What the runner is waiting for, once it has said so.
fn waits_for(report: &Report, what: &str) -> bool {
    let waiting_for = report.waiting_for.as_deref().unwrap_or_default();
    waiting_for.contains(what)
}

#[rstest]
fn where_no_scheduler_ever_comes_the_runner_gives_up(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let began = Instant::now();
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .options(["--deadline", "2s"])
        .start(k6_run(&k6, &[], "one-iteration"));
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Refused, 75)
        .assert_reason("no plan came within 2s");
    let took = ended.exit.at.monotonic - began;
    println!("gave up after {took:?}");
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(20),
        "{took:?}"
    );
    assert!(target.first_requests().is_empty());
}

#[test]
fn a_scheduler_that_gathers_is_waited_for_beyond_the_deadline() {
    let stage = Stage::new();
    let k6 = fake_k6(&stage);
    stage.gather(Duration::from_secs(600));
    let began = Instant::now();
    let runner = start(&stage, &k6, &["--deadline", "1s"]);
    let ready = runner.wait_for_phase(Phase::Ready, SOON);
    assert!(ready.plan.is_some());
    wait::until("three deadlines", SOON, || {
        (began.elapsed() > Duration::from_secs(3)).then_some(())
    });
    assert!(runner.process().exited().is_none());
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn an_instant_beyond_the_deadline_is_waited_for() {
    let stage = Stage::new();
    let k6 = fake_k6(&stage);
    stage.set_in(Duration::from_secs(3));
    let runner = start(&stage, &k6, &["--deadline", "1s"]);
    runner.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn a_left_over_plan_does_not_keep_the_runner_from_giving_up() {
    let stage = Stage::new();
    let k6 = fake_k6(&stage);
    let others = Stage::new();
    let foreign = others.plan_for(Moment::now().utc);
    stage.write(&foreign);
    let runner = start(&stage, &k6, &["--deadline", "1s"]);
    runner
        .ended(SOON)
        .assert(Phase::Refused, 75)
        .assert_reason("no plan came");
}

/// How a plan cannot be read.
#[derive(Debug)]
enum Unreadable {
    HalfWritten,
    OfAnotherRelease,
    ADirectory,
}

impl Unreadable {
    fn put(&self, stage: &Stage) {
        let file = stage.plan_file();
        let whole = stage.plan_for(Moment::now().utc).to_json();
        match self {
            Self::HalfWritten => fs::write(file, &whole[..whole.len() / 2]).unwrap(),
            Self::OfAnotherRelease => {
                let other = whole.replacen("\"version\":1", "\"version\":2", 1);
                assert_ne!(other, whole);
                fs::write(file, other).unwrap();
            }
            Self::ADirectory => fs::create_dir(file).unwrap(),
        }
    }

    fn take_away(&self, stage: &Stage) {
        match self {
            Self::ADirectory => fs::remove_dir(stage.plan_file()).unwrap(),
            _ => fs::remove_file(stage.plan_file()).unwrap(),
        }
    }
}

#[rstest]
fn a_plan_that_cannot_be_read_is_told_and_obeyed_once_it_can(
    #[values(
        Unreadable::HalfWritten,
        Unreadable::OfAnotherRelease,
        Unreadable::ADirectory
    )]
    how: Unreadable,
) {
    let stage = Stage::new();
    let k6 = fake_k6(&stage);
    how.put(&stage);
    let runner = start(&stage, &k6, &[]);
    let line = runner.process().wait_for_line("cannot be read", SOON);
    let file = stage.plan_file();
    assert!(line.contains(file.to_str().unwrap()), "{line}");
    let starting = runner.wait_for_phase(Phase::Ready, SOON);
    assert!(waits_for(&starting, "cannot be read"), "{starting:#?}");

    how.take_away(&stage);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn an_earlier_report_that_cannot_be_read_is_given_half_a_minute_however_often_the_plan_can() {
    let stage = Stage::new();
    let k6 = fake_k6(&stage);
    let file = stage.report_file(&RunnerId::new(RUNNER).unwrap());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "{").unwrap();
    stage.gather(Duration::from_secs(600));
    let began = Instant::now();
    let runner = start(&stage, &k6, &[]);
    let mut gathered = 0;
    let exit = wait::until("its end", PATIENCE + SOON, || {
        let seconds = began.elapsed().as_secs();
        if seconds > gathered {
            gathered = seconds;
            // It can be read, and is news.
            stage.gather(Duration::from_secs(600 + seconds));
        }
        runner.process().exited()
    });
    let stderr = runner.process().stderr();
    assert_eq!(exit.code, Some(69), "{stderr}");
    assert!(stderr.contains(file.to_str().unwrap()), "{stderr}");
    assert!(began.elapsed() >= PATIENCE);
}

/// Side by side, for each takes half a minute.
#[test]
fn a_fault_that_lasts_for_half_a_minute_is_given_up() {
    let unreadable = Stage::new();
    Unreadable::HalfWritten.put(&unreadable);
    let k6_of_unreadable = fake_k6(&unreadable);
    let began = Instant::now();
    let misled = start(&unreadable, &k6_of_unreadable, &[]);

    let silent = Stage::new();
    let k6_of_silent = fake_k6(&silent);
    silent.gather(Duration::from_secs(1));
    let forgotten = start(&silent, &k6_of_silent, &["--deadline", "1s"]);

    let limit = PATIENCE + SOON;
    let ended = misled.ended(limit);
    ended
        .assert(Phase::Failed, 69)
        .assert_reason(unreadable.plan_file().to_str().unwrap());
    assert!(ended.exit.at.monotonic - began >= PATIENCE);

    let ended = forgotten.ended(limit);
    ended
        .assert(Phase::Refused, 75)
        .assert_reason("fell silent");
    assert!(ended.exit.at.monotonic - began >= PATIENCE);
}
