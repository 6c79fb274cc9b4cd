//! Signals to a scheduler before its runners are there, between two stages, and while the API server does not answer.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use serde_json::Value;
use support::{cluster, process::Running, scratch::Scratch};

use crate::{
    access::{token, with_program},
    agent::Manner,
    load::{Load, SOON, ended},
};

/// It takes 3 s at the most; the rest is a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3 + 10);

/// That the signals end the scheduler, with 76 and without delay.
pub fn assert_ends_at_once(scheduler: &Running, signals: &[Signal]) {
    let since = Instant::now();
    for signal in signals {
        scheduler.signal(*signal);
    }
    ended(scheduler).assert(76);
    let took = since.elapsed();
    println!("it was over after {took:?}");
    assert!(took < AT_ONCE, "{took:?}");
}

#[rstest]
fn one_that_waits_for_its_job_ends(
    #[values(Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP)] signal: Signal,
) {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    let scheduler = load.start("k6", ["--wait"]);
    scheduler.wait_for_line("does not exist; waiting", SOON);
    assert_ends_at_once(&scheduler, &[signal]);
    assert!(
        scheduler
            .stderr()
            .contains(&format!("cancelled by {signal}"))
    );
}

#[test]
fn one_that_waits_for_its_credentials_ends() {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let (load, scratch) = (Load::new(cluster), Scratch::new());
    let began = scratch.path().join("began");
    let script = format!("#!/bin/sh\n: >{}\nexec sleep 20\n", began.display());
    let kubeconfig = with_program(&load, &scratch, &script);
    let scheduler = load
        .command("start", ["--job", "k6"])
        .env("KUBECONFIG", &kubeconfig)
        .start();
    support::wait::until("the program", SOON, || began.exists().then_some(()));
    let since = Instant::now();
    scheduler.signal(Signal::SIGTERM);
    let exit = scheduler.wait(SOON);
    assert_eq!(exit.code, Some(76), "{}", scheduler.stderr());
    assert!(since.elapsed() < AT_ONCE);
}

#[rstest]
fn one_that_is_between_two_stages_ends_and_the_second_does_not_start(
    #[values(Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP)] signal: Signal,
) {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    let pods = load.pods("k6", 1);
    let scheduler = load.start("k6", ["--stage", "warmup", "--stage", "main", "--wait"]);
    let _warmup = load.agents("k6", &pods, "warmup", Manner::default());
    scheduler.wait_for_line("stage main", Duration::from_secs(120));
    assert_ends_at_once(&scheduler, &[signal]);
    let results = scheduler.stdout();
    let results: Vec<Value> = results
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told = results
        .iter()
        .map(|result| (&result["stage"], &result["exit_code"]));
    let expected =
        [("warmup", 0), ("main", 76)].map(|(stage, code)| (Value::from(stage), Value::from(code)));
    assert!(
        told.eq(expected.iter().map(|(stage, code)| (stage, code))),
        "{results:#?}"
    );
    // A runner that comes to it now is told.
    let main = load.agent("k6", &pods[0], "main", Manner::default());
    assert_eq!(main.ended().phase, Phase::Aborted);
}

#[rstest]
#[case::alone(&[Signal::SIGTERM])]
// Two of a kind may come as one.
#[case::twice(&[Signal::SIGINT, Signal::SIGTERM])]
fn one_whose_api_server_does_not_answer_any_more_ends(#[case] signals: &[Signal]) {
    let Some(cluster) = cluster::controllers() else {
        return;
    };
    let load = Load::new(cluster);
    load.make_job("k6", 1);
    let proxy = cluster.proxy();
    let kubeconfig = cluster.kubeconfig_through(&proxy, &token(&load), load.namespace.name());
    let scheduler = load
        .command("start", ["--job", "k6", "--wait"])
        .env("KUBECONFIG", &kubeconfig)
        .start();
    scheduler.wait_for_line("0/1 ready", SOON);
    proxy.swallow_all();
    assert_ends_at_once(&scheduler, signals);
    let told = scheduler.stderr();
    if signals.len() > 1 {
        assert!(
            told.contains(": the runners may not have been told"),
            "{told}"
        );
    } else {
        assert!(told.contains("the runners could not be told"), "{told}");
    }
}
