//! What the scheduler says, word by word.
#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;
use k8s_openapi::api::core::v1::Pod;
use rendezvous::{Abort, Phase};
use rstest::rstest;

use super::absence::why_over;
use super::ending::Ending;
use super::flaw::Flaw;
use super::instant::CannotSet;
use super::job::Standing;
use super::muster::Why;
use super::outcome::Fate;
use crate::cluster::ClusterError;
use crate::testing::{a_set_plan, noon, run_id, seconds, unavailable};
use crate::trouble::Trouble;

fn text(text: &str) -> String {
    text.to_owned()
}

#[rstest]
#[case(Why::NoReport, "has not reported yet")]
#[case(Why::StartedAnew, "was started again and has not reported since")]
#[case(Why::Removed, "its report was removed from the store")]
#[case(
    Why::AgeUnknown,
    "ready by a report of unknown age; waiting for a new one"
)]
#[case(Why::Silent(seconds(7)), "silent for 7 s")]
#[case(
    Why::AtOdds(TimeDelta::seconds(2)),
    "its clock is 2.0 s ahead of the others'"
)]
#[case(Why::Elsewhere, "has started already, under another plan")]
fn why_a_runner_does_not_count(#[case] why: Why, #[case] words: &str) {
    assert_eq!(why.to_string(), words);
}

#[rstest]
#[case(Fate::Fired, "fired, but k6 was not seen running")]
#[case(Fate::Ended(None, None), "ended without a word")]
#[case(
    Fate::Ended(None, Some(text("OOMKilled"))),
    "ended without a word: OOMKilled"
)]
#[case(
    Fate::Ended(Some(Phase::Failed), Some(text("no luck"))),
    "failed: no luck"
)]
#[case(Fate::Lost(seconds(7)), "lost: silent for 7 s")]
#[case(Fate::Removed, "lost: its report was removed from the store")]
fn what_became_of_a_runner(#[case] fate: Fate, #[case] words: &str) {
    assert_eq!(fate.to_string(), words);
}

#[rstest]
#[case(Flaw::ClockJumped, "its clock jumped")]
#[case(Flaw::FiredOff(TimeDelta::seconds(-1)), "fired early")]
#[case(Flaw::FiredOff(TimeDelta::seconds(1)), "fired late")]
#[case(Flaw::RanLate(TimeDelta::seconds(1)), "k6 ran late")]
fn what_was_wrong_with_a_start(#[case] flaw: Flaw, #[case] words: &str) {
    assert_eq!(flaw.to_string(), words);
}

#[rstest]
#[case(Standing::Absent, "does not exist")]
#[case(
    Standing::Idle("wants no pods (parallelism 0)"),
    "wants no pods (parallelism 0)"
)]
#[case(Standing::Brings(4), "wants 4 runners")]
fn how_it_is_with_a_job(#[case] standing: Standing, #[case] words: &str) {
    assert_eq!(standing.to_string(), words);
}

#[test]
fn a_pod_that_is_over_without_a_reason() {
    let mut pod = Pod::default();
    pod.status.get_or_insert_default().phase = Some(text("Failed"));
    assert_eq!(why_over(&pod), "its pod is over (Failed)");
}

#[test]
fn an_instant_that_cannot_be_set() {
    let (at, least) = (noon(), seconds(3));
    let told = |error: CannotSet| error.to_string();
    let too_soon = told(CannotSet::TooSoon {
        at,
        left: TimeDelta::seconds(-90),
        least,
    });
    let begin = "the instant that was asked for (";
    let end = ") is 1m 30s past by the runners' clocks, and 3s are needed to reach them all: ask for a later one";
    assert!(
        too_soon.starts_with(begin) && too_soon.ends_with(end),
        "{too_soon}"
    );
    let too_far = told(CannotSet::TooFar {
        at,
        left: TimeDelta::days(2),
    });
    let end = ") is 2days away by the runners' clocks, more than a day: ask for an earlier one";
    assert!(too_far.ends_with(end), "{too_far}");
}

#[test]
fn how_a_start_ended() {
    let by_others = Ending::Aborted {
        abort: Abort::new(run_id(), "somebody", "enough"),
        plan: None,
    };
    let told = [
        (
            Ending::NoMajority,
            "no majority of the runners agrees on the time: no instant would be the same for all. Set the clocks of their machines, or name a time server to the agents with --ntp",
        ),
        (by_others, "the run was aborted by somebody: enough"),
        (
            Ending::Cancelled {
                signal: "SIGTERM",
                plan: None,
            },
            "cancelled by SIGTERM",
        ),
        (
            Ending::Impossible {
                ended: Vec::new(),
                why: text("a, b ended"),
            },
            "the quorum cannot come any more: a, b ended",
        ),
        (
            Ending::Unarmed {
                plan: a_set_plan(),
                who: text("a not yet"),
            },
            "not all were armed shortly before the instant: a not yet",
        ),
    ];
    for (ending, words) in told {
        assert_eq!(ending.to_string(), words);
    }
    let lost = Ending::LostSight {
        trouble: unavailable().into(),
        plan: a_set_plan(),
    };
    let words = "the runners that have started go on, but cannot be followed any more: cannot ";
    assert!(lost.to_string().starts_with(words), "{lost}");
}

#[test]
fn why_the_rendezvous_cannot_be_used() {
    let at = noon();
    let location = "dir:/s".parse().unwrap();
    let told = [
        (
            Trouble::NoStore(location),
            "there is no store at dir:/s: name the one that the run's scheduler and runners use"
                .to_owned(),
        ),
        (
            Trouble::NoRun {
                run: run_id(),
                location: text("/s"),
            },
            format!(
                "no plan or report of run {} stands in /s: nothing was aborted. Name the run that its scheduler and runners were given",
                run_id()
            ),
        ),
        (
            Trouble::Signals(text("no luck")),
            "cannot catch signals: no luck".to_owned(),
        ),
        (
            Trouble::TooFar(at),
            format!(
                "this run's instant is set for {at}, more than a day from now by the runners' clocks: nobody waits that long, and no instant can be moved. Start again with a new --run"
            ),
        ),
        (
            Trouble::TakenOver(run_id()),
            format!(
                "run {} has taken this stage's place in the store while it was used here: give each run a store of its own, and start again",
                run_id()
            ),
        ),
    ];
    for (trouble, words) in told {
        assert_eq!(trouble.to_string(), words);
    }
}

#[test]
fn why_the_cluster_cannot_be_used() {
    let (action, detail) = (text("watch the Job"), text("no luck"));
    let told = [
        (
            ClusterError::Configuration(text("no file")),
            "no Kubernetes cluster to speak to: no file. Give a kubeconfig by KUBECONFIG and its --context, or run in a pod",
        ),
        (
            ClusterError::NoJob {
                name: text("k6"),
                namespace: text("load"),
            },
            "there is no Job k6 in namespace load",
        ),
        (
            ClusterError::Forbidden {
                action: action.clone(),
                detail: detail.clone(),
            },
            "may not watch the Job: no luck",
        ),
        (
            ClusterError::Failed { action, detail },
            "cannot watch the Job: no luck",
        ),
    ];
    for (error, words) in &told {
        assert_eq!(error.to_string(), *words);
    }
    let as_store_error = |at: usize| told[at].0.as_store_error().to_string();
    assert_eq!(
        as_store_error(1),
        "cannot use the cluster: there is no Job k6 in namespace load"
    );
    assert_eq!(
        as_store_error(2),
        "may not watch the Job: no luck. Ask for a Role that lets you"
    );
}
