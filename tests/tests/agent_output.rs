//! What k6 writes comes out as it was written.
#![allow(clippy::unwrap_used)]

use std::{fs, time::Duration};

use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, FakeK6},
    programs::{self, K6},
    runner::{Launch, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
    wrapped_k6::WrappedK6,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

const RUNNER: &str = "runner-1";

#[test]
fn both_outputs_pass_byte_for_byte() {
    let stage = Stage::new();
    // Megabytes of any bytes, which end in the middle of a line.
    let k6 = WrappedK6::new(&stage, &programs::fake_k6()).before(
        "for it in out err; do head -c 3000000 /dev/urandom >$it; done
        cat out; cat err >&2",
    );
    let fake = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = k6
        .environment(Launch::new(&stage, RUNNER))
        .fake_k6(&fake)
        .env("TMINUS_LOG", "off")
        .in_shell(r#"exec "$0" "$@" >agents-out 2>agents-err"#)
        .start([k6.path().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    let read = |name: &str| fs::read(stage.scratch().path().join(name)).unwrap();
    for stream in ["out", "err"] {
        let (written, passed) = (read(stream), read(&format!("agents-{stream}")));
        assert_eq!(written.len(), 3_000_000);
        assert!(
            written == passed,
            "{stream}: {} bytes came out",
            passed.len()
        );
    }
}

#[rstest]
fn the_agents_own_lines_stand_beside_k6s(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .start(k6_run(&k6, &[], "logs"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    let stderr = runner.process().stderr();
    assert_eq!(stderr.matches("one more").count(), 10, "{stderr}");
    for phase in ["ready", "armed", "running"] {
        assert!(stderr.contains(&format!("phase={phase}")), "{stderr}");
    }
    // The summary.
    assert!(runner.process().stdout().contains("iterations"));
}

#[rstest]
fn a_reader_that_has_gone_does_not_end_the_run(#[values(K6::V1, K6::V2)] k6: K6) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let runner = Launch::new(&stage, RUNNER)
        .env("TARGET", target.url())
        .in_shell(r#""$0" "$@" 2>&1 >/dev/null | true"#)
        .start(k6_run(&k6, &[], "logs"));
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    let report = runner.wait_for_report("a last report", SOON, |report| report.phase.is_final());
    assert_eq!(
        (report.phase, report.exit_code),
        (Phase::Finished, Some(0)),
        "{report:#?}"
    );
    assert_eq!(target.load_count(RUNNER), 10);
    wait::until("the end of all", SOON, || runner.process().exited());
    runner.process().assert_nothing_left();
}
