//! How runners end, and runs.

use super::*;

#[test]
fn a_runner_that_fell_silent_is_lost() {
    let mut scenario = Scenario::of(vec![running("r1", 0), ended("r2", Phase::Finished, 0)]);
    scenario.after = seconds(40);
    let outcome = scenario.waited().judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(
        outcome.faults,
        [
            "1 of 2 runners lost 0 s after the start: 50 % of the load from then on",
            "r1: lost: silent for 40 s; heard of last (0 s after the start)"
        ]
    );
}

#[test]
fn without_waiting_how_k6_ended_does_not_matter() {
    let scenario = Scenario::of(vec![
        ended("r1", Phase::Finished, 99),
        ended("r2", Phase::Finished, 0),
    ]);
    assert_eq!(scenario.judge(&followed()).code, Code::Well);
    assert_eq!(scenario.waited().judge(&followed()).code, Code::Runner(99));
}

#[rstest]
#[case::all_well(&[0, 0], 0)]
#[case::a_threshold(&[99, 0], 99)]
#[case::a_script_error_is_worse(&[99, 107], 107)]
#[case::stopped_by_hand_is_worse(&[107, 76], 76)]
#[case::killed_is_worst(&[137, 76], 137)]
fn with_waiting_the_worst_code_counts(#[case] codes: &[u8], #[case] expected: u8) {
    let reports = vec![
        ended("r1", Phase::Finished, codes[0]),
        ended("r2", Phase::Finished, codes[1]),
    ];
    let outcome = Scenario::of(reports).waited().judge(&followed());
    assert_eq!(outcome.code.number(), expected);
}

#[test]
fn a_witness_tells_the_code_of_one_that_died_silently() {
    let mut scenario = Scenario::of(vec![running("r1", 0), ended("r2", Phase::Finished, 0)]);
    let killed = Sighting {
        runner: runner("r1"),
        name: None,
        state: Seen::Ended(137, None),
    };
    scenario.roster.sighting(killed, scenario.began);
    let outcome = scenario.waited().judge(&followed());
    assert_eq!(outcome.code, Code::Runner(137));
    assert_eq!(outcome.rows[0].fate.to_string(), "ended without a word");
}

#[rstest]
#[case::of_k6(Phase::Failed, 107, true, 107)]
#[case::not_waiting(Phase::Failed, 107, false, 75)]
#[case::of_the_agent(Phase::Failed, 73, true, 75)]
#[case::threshold_while_waiting(Phase::Failed, 99, true, 99)]
#[case::stopped_by_a_signal(Phase::Aborted, 105, true, 75)]
fn a_quorum_that_cannot_come_gives_the_code_of_those_that_failed(
    #[case] phase: Phase,
    #[case] code: u8,
    #[case] waited: bool,
    #[case] expected: u8,
) {
    let mut scenario = Scenario::of(vec![
        ended("r1", phase, code),
        // Told to end in consequence, and killed for not doing so.
        ended("r2", Phase::Aborted, 137),
    ]);
    scenario.waited = waited;
    let outcome = scenario.judge(&impossible(&["r1"]));
    assert_eq!(outcome.code.number(), expected);
    assert_eq!(outcome.start_at, None);
}

#[rstest]
#[case::by_a_signal(Phase::Aborted, 105, " (0 s after the start)")]
#[case::and_was_run_again(Phase::Refused, 77, "")]
fn a_runner_that_was_cut_off_is_named_and_its_code_is_not_the_runs(
    #[case] phase: Phase,
    #[case] code: u8,
    #[case] when: &str,
) {
    let mut cut_off = running("r1", 0);
    (cut_off.phase, cut_off.exit_code) = (phase, Some(code));
    cut_off.reason = Some("why".to_owned());
    let scenario = Scenario::of(vec![cut_off, ended("r2", Phase::Finished, 0)]);
    let outcome = scenario.waited().judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    let fault = format!("r1 started, but ended before its time{when}: {phase}: why");
    assert_eq!(outcome.faults.last(), Some(&fault));
}

#[test]
fn every_other_ending_has_its_code() {
    let abort = Abort::new(run_id(), "somebody", "enough");
    let trouble = crate::trouble::Trouble::TakenOver(RunId::random());
    let plan = || Some(a_set_plan());
    let endings = [
        (
            Ending::TimedOut {
                after: seconds(900),
                missing: "1/2 ready".to_owned(),
            },
            75,
        ),
        (Ending::NoMajority, 71),
        (Ending::Aborted { abort, plan: None }, 76),
        (
            Ending::Cancelled {
                signal: "SIGINT",
                plan: plan(),
            },
            76,
        ),
        (
            Ending::Broken {
                trouble,
                plan: plan(),
            },
            69,
        ),
    ];
    for (ending, code) in endings {
        let scenario = Scenario::of(vec![running("r1", 0), a_report("r2", Phase::Ready)]);
        let outcome = scenario.waited().judge(&ending);
        assert_eq!(outcome.code.number(), code, "{ending}");
        assert_eq!(outcome.faults, [""; 0], "the ending says it");
    }
}
