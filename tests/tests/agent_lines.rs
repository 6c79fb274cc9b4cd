//! The lines that an agent logs on its way, and what it says of a k6 whose API is not as it should be.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Answer, Behaviour, FakeK6},
    process::{Program, Running},
    programs,
    runner::{Launch, Runner, SOON},
    stage::Stage,
};

const LEAD: Duration = Duration::from_secs(1);

fn start<'a>(stage: &'a Stage, k6: &FakeK6, runner: &str, flags: &[&str]) -> Runner<'a> {
    let program = k6.program();
    let mut command = vec![program.to_str().unwrap(), "run"];
    command.extend(flags);
    command.push("x.js");
    Launch::new(stage, runner).fake_k6(k6).start(command)
}

/// A stand-in for k6 of a behaviour, and a stage for it.
fn behaving(behaviour: &Behaviour) -> (Stage, FakeK6) {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", behaviour);
    (stage, k6)
}

fn assert_logged(process: &Running, lines: &[&str]) {
    let stderr = process.stderr();
    let mut rest = stderr.as_str();
    for line in lines {
        let at = rest.find(line);
        rest = &rest[at.unwrap_or_else(|| panic!("no {line:?} in its place in {stderr}"))..];
    }
}

#[test]
fn the_steps_to_a_start_are_logged_in_their_order() {
    let (stage, k6) = behaving(&Behaviour::default());
    let runner = start(&stage, &k6, "a", &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_logged(
        runner.process(),
        &["k6 started, paused", "running setup()", "k6 ended"],
    );
}

#[test]
fn a_setup_that_is_left_out_is_logged() {
    let (stage, k6) = behaving(&Behaviour::default());
    let runner = start(&stage, &k6, "a", &["--no-setup"]);
    runner.wait_for_phase(Phase::Ready, SOON);
    assert_logged(
        runner.process(),
        &["setup() is left out, as `--no-setup` says"],
    );
}

#[test]
fn a_signal_and_what_comes_of_it_are_logged() {
    let (stage, k6) = behaving(&Behaviour::default());
    let runner = start(&stage, &k6, "a", &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    runner.process().signal(nix::sys::signal::Signal::SIGTERM);
    runner.ended(SOON).assert_reason("SIGTERM received");
    assert_logged(
        runner.process(),
        &["running teardown()", "sending SIGTERM to k6"],
    );
}

#[rstest]
#[case::an_error(Answer::Error(500, "no luck".to_owned()), "it answered 500 Internal Server Error to a question for its status")]
#[case::no_json(Answer::Garbage, "its status cannot be read (")]
#[case::too_much(Answer::Huge(10_000_000), "its answer is longer than ")]
fn an_api_that_is_not_as_it_should_be_is_told_in_the_report(
    #[case] status: Answer,
    #[case] words: &str,
) {
    let (stage, k6) = behaving(&Behaviour {
        status,
        ..Behaviour::default()
    });
    let runner = start(&stage, &k6, "a", &[]);
    let told = format!("k6's API: {words}");
    runner.wait_for_report("the trouble with the API", SOON, |report| {
        report
            .waiting_for
            .as_deref()
            .unwrap_or_default()
            .contains(&told)
    });
}

#[test]
fn a_program_that_is_not_there_is_named_with_what_to_look_at() {
    let stage = Stage::new();
    let runner = Launch::new(&stage, "a").start(["no-such-k6", "run", "x.js"]);
    runner
        .ended(SOON)
        .assert(Phase::Failed, 127)
        .assert_reason("no-such-k6 cannot be run: ")
        .assert_reason("; is k6 installed, and on the PATH?");
}

#[test]
fn a_second_process_of_a_runner_is_told_what_to_do() {
    let (stage, k6) = behaving(&Behaviour::default());
    let first = start(&stage, &k6, "a", &[]);
    first.wait_for_phase(Phase::Ready, SOON);
    let second = start(&stage, &k6, "a", &[]);
    assert_eq!(second.process().wait(SOON).code, Some(77));
    let words = "another process is running a in stage main of this store: \
                 give each runner an id of its own with --runner";
    assert_logged(second.process(), &[words]);
}

#[test]
fn an_agent_outside_of_a_pod_is_told_what_it_lacks() {
    let words = "--store kubernetes:load --run r --runner a --name a -- k6 run x.js";
    let agent = Program::new(programs::agent())
        .args(words.split(' '))
        // As if no pod were round it, also where one is.
        .env("KUBERNETES_SERVICE_HOST", "")
        .start();
    assert_eq!(agent.wait(SOON).code, Some(69));
    let words = [
        "may not speak to the API server from within this pod: ",
        ". Run the agent in a pod whose service account's token is mounted (automountServiceAccountToken: true)",
    ];
    assert_logged(&agent, &words);
}
