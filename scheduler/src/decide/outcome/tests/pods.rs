//! Runners that are pods: they go, come late and are replaced.

use super::*;

/// Two runners that started well and ended well, and one of which only its pod is known.
fn with_a_pod(state: Seen) -> Scenario {
    let reports = ["r1", "r2"].map(|name| ended(name, Phase::Finished, 0));
    let mut scenario = Scenario::of(reports.to_vec());
    let pod = Sighting {
        runner: runner("a-uid"),
        name: Some("k6-2-x7".to_owned()),
        state,
    };
    scenario.roster.sighting(pod, scenario.began);
    scenario.waited()
}

fn gone() -> Seen {
    Seen::Gone("Evicted: the node was low on memory".to_owned())
}

#[test]
fn a_pod_that_went_without_a_code_is_told_by_its_name_with_its_reason() {
    let outcome = with_a_pod(gone()).judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    let fault = "k6-2-x7 has no final code: Evicted: the node was low on memory";
    assert_eq!(outcome.faults, [fault]);
}

#[rstest]
#[case::without_a_word(gone())]
#[case::killed(Seen::Ended(143, None))]
fn one_that_was_replaced_before_the_instant_is_none_of_the_start(#[case] state: Seen) {
    let mut scenario = with_a_pod(state);
    scenario.replaced.insert(runner("a-uid"));
    let outcome = scenario.judge(&followed());
    assert_eq!(outcome.code, Code::Well, "{:?}", outcome.faults);
    assert_eq!(outcome.rows.len(), 3, "but it is shown");
}

#[rstest]
#[case::held(Seen::Held("Pending: 0/12 nodes".to_owned()))]
#[case::on_its_way_out(Seen::Leaving("terminating".to_owned()))]
fn one_that_has_not_come_is_none_of_the_start_either(#[case] state: Seen) {
    let outcome = with_a_pod(state).judge(&followed());
    assert_eq!(outcome.code, Code::Well, "{:?}", outcome.faults);
}

#[test]
fn one_whose_pod_was_deleted_while_its_load_ran_is_missed() {
    let mut scenario = Scenario::of(vec![running("r1", 0), running("r2", 0)]);
    let deleted = Sighting {
        runner: runner("r2"),
        name: None,
        state: Seen::Gone("its pod was deleted".to_owned()),
    };
    scenario.roster.sighting(deleted, scenario.began);
    let outcome = scenario.judge(&followed());
    assert_eq!(outcome.code, Code::NotWell);
    assert_eq!(
        outcome.faults,
        [
            "1 of 2 runners lost 0 s after the start: 50 % of the load from then on",
            "r2: ended without a word: its pod was deleted (0 s after the start)"
        ]
    );
}

#[test]
fn a_stage_that_was_over_before_and_that_another_follows_is_nothing_to_complain_of() {
    let reports = ["r1", "r2"].map(|name| ended(name, Phase::Finished, 0));
    let mut scenario = Scenario {
        roster: Roster::default(),
        ..Scenario::of(Vec::new()).waited()
    };
    for report in reports {
        scenario.roster.report(report, false, scenario.began);
    }
    let ending = followed_for(a_set_plan(), Expected::Number(2));
    assert_eq!(scenario.judge(&ending).code, Code::NotWell);
    scenario.followed = true;
    let outcome = scenario.judge(&ending);
    assert_eq!(outcome.code, Code::Well, "{:?}", outcome.faults);
    assert!(
        outcome.warnings[0].ends_with("its result is shown again"),
        "{:?}",
        outcome.warnings
    );
}
