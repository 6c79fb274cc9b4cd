//! Aborts in each phase, and who does not wait, with the real k6: it is gone at once, and nothing is left.
//! `agent_matrix` has all phases and all that can happen, with the code of each.
#![allow(clippy::unwrap_used)]

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rendezvous::Phase;
use rstest::rstest;
use support::{
    client::ask,
    moment::Moment,
    programs::K6,
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// How long k6 may live after it was told to end, where it does not run. On an idle machine it is well under a second.
const GONE_WITHIN: Duration = Duration::from_secs(10);

const RUNNER: &str = "runner-1";

/// How far a runner has got when it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// k6 reads its script, and its API is not up.
    Reading,
    /// k6 builds its VUs, and its API is up.
    Building,
    /// No scheduler has come.
    Ready,
    /// The scheduler gathers.
    Gathering,
    /// The instant is ten minutes ahead.
    Armed,
    /// The load runs.
    Running,
}

impl When {
    /// Brings a runner there.
    fn reach<'a>(self, stage: &'a Stage, target: &Target, k6: &Path) -> Runner<'a> {
        let script = match self {
            Self::Reading => "slow-init",
            Self::Building => "slow-vus",
            Self::Ready | Self::Gathering | Self::Armed | Self::Running => "setup",
        };
        if self == Self::Gathering {
            stage.gather(Duration::from_secs(600));
        }
        let in_a_minute = Moment::now().utc + Duration::from_secs(60);
        let in_a_minute = in_a_minute.timestamp_millis().to_string();
        let runner = Launch::new(stage, RUNNER)
            .env("TARGET", target.url())
            .env("DURATION", "5m")
            .env("READ_UNTIL", in_a_minute)
            .start(k6_run(k6, &[], script));
        match self {
            Self::Reading => {
                runner.k6();
                assert!(TcpStream::connect(runner.api()).is_err());
            }
            Self::Building => {
                let api = runner.api();
                wait::until("k6's API", SOON, || {
                    TcpStream::connect(api).ok()?;
                    let (_, status) = ask(api, "GET", "/v1/status", "", "")?;
                    assert!(
                        !status.contains(r#""status":4"#),
                        "it is too fast: {status}"
                    );
                    Some(())
                });
            }
            Self::Ready | Self::Gathering => drop(runner.wait_for_phase(Phase::Ready, SOON)),
            Self::Armed => {
                runner.wait_for_phase(Phase::Ready, SOON);
                stage.set_in(Duration::from_secs(600));
                runner.wait_for_phase(Phase::Armed, SOON);
            }
            Self::Running => {
                runner.wait_for_phase(Phase::Ready, SOON);
                stage.set_in(LEAD);
                runner.wait_for_phase(Phase::Running, SOON);
            }
        }
        runner
    }
}

fn files() -> Vec<PathBuf> {
    let names = [
        "abort.json",
        "places/main/runner-1.lock",
        "plan-main.json",
        "reports/main/runner-1.json",
    ];
    names.map(PathBuf::from).to_vec()
}

#[rstest]
fn an_abort_ends_the_runner_at_once_whatever_it_does(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(
        When::Reading,
        When::Building,
        When::Ready,
        When::Gathering,
        When::Armed,
        When::Running
    )]
    when: When,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = when.reach(&stage, &target, &k6);
    let asked = Instant::now();
    stage.abort("the shop is on fire");
    let ended = runner.ended(SOON);
    let took = ended.exit.at.monotonic - asked;
    println!("{when:?}: gone after {took:?}");
    ended
        .assert(Phase::Aborted, 76)
        .assert_reason("aborted by the test: the shop is on fire");
    if when == When::Running {
        assert!(target.load_count(RUNNER) > 0);
    } else {
        assert!(took < GONE_WITHIN, "{took:?}");
        assert_eq!(target.load_count(RUNNER), 0);
    }
    assert_eq!(target.teardown_count(RUNNER), target.setup_count(RUNNER));

    // Nor is there anything in the store that is none of its documents.
    let all = files();
    assert!(
        stage.files().iter().all(|file| all.contains(file)),
        "{:?}",
        stage.files()
    );
}

#[rstest]
fn a_signal_that_k6_cannot_handle_yet_is_held_back_and_k6_is_killed_when_the_grace_is_over(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let until = (Moment::now().utc + Duration::from_mins(5)).timestamp_millis();
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env("READ_UNTIL", until.to_string())
        .options(["--grace", "2s"])
        .start(k6_run(&k6, &[], "slow-init"));
    runner.k6();
    let asked = Instant::now();
    runner.process().signal(Signal::SIGTERM);
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Aborted, 128 + 9)
        .assert_reason("SIGTERM received; k6 did not end within 2s (--grace) and was killed");
    let took = ended.exit.at.monotonic - asked;
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!(took < Duration::from_secs(2) + GONE_WITHIN, "{took:?}");
}

#[rstest]
fn who_asks_twice_does_not_wait_for_what_k6_still_does(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env("DURATION", "5m")
        .env("TEARDOWN", "/delay/60s")
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.wait_for_phase(Phase::Running, SOON);
    runner.process().signal(Signal::SIGTERM);
    wait::until("teardown() to run", SOON, || {
        (target.teardown_count(RUNNER) == 1).then_some(())
    });
    let asked = Instant::now();
    runner.process().signal(Signal::SIGTERM);
    let ended = runner.ended(SOON);
    let took = ended.exit.at.monotonic - asked;
    println!("gone {took:?} after the second signal");
    assert!(took < GONE_WITHIN, "{took:?}");
    ended.assert(Phase::Aborted, 105);
}

#[rstest]
fn who_asks_twice_does_not_wait_for_the_teardown_of_an_early_setup(
    #[values(K6::V1, K6::V2)] k6: K6,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .env("TEARDOWN", "/delay/60s")
        .start(k6_run(&k6, &[], "setup"));
    runner.wait_for_phase(Phase::Ready, SOON);
    runner.process().signal(Signal::SIGTERM);
    wait::until("teardown() to run", SOON, || {
        (target.teardown_count(RUNNER) == 1).then_some(())
    });
    let asked = Instant::now();
    runner.process().signal(Signal::SIGTERM);
    let ended = runner.ended(SOON);
    let took = ended.exit.at.monotonic - asked;
    println!("gone {took:?} after the second signal");
    assert!(took < GONE_WITHIN, "{took:?}");
    assert_eq!(ended.report.phase, Phase::Aborted);
}
