//! The words of a result and of a status.

use rendezvous::{LatePolicy, Terms};
use rstest::rstest;

use super::*;
use crate::decide::outcome::DOUBLED;
use crate::show::{table, terms};
use crate::testing::unavailable;

fn last_line(ending: &Ending) -> String {
    let told = table::result(&ended(Vec::new(), ending));
    told.lines().last().unwrap().to_owned()
}

#[rstest]
#[case(Ending::NoMajority, "exit code 71: no agreement on the time")]
#[case(
    Ending::Broken { trouble: unavailable().into(), plan: None },
    "exit code 69: the rendezvous cannot be used"
)]
#[case(
    Ending::Impossible { ended: Vec::new(), why: "the Job was deleted".to_owned() },
    "exit code 75: not started"
)]
fn what_a_code_means(#[case] ending: Ending, #[case] words: &str) {
    assert_eq!(last_line(&ending), words);
}

#[test]
fn a_threshold_that_failed() {
    let mut report = finished("r1", 0);
    report.exit_code = Some(99);
    let told = table::result(&outcome(vec![report]));
    assert!(
        told.contains("exit code 99: a threshold of the test failed"),
        "{told}"
    );
}

#[test]
fn one_clock_alone() {
    let told = table::result(&outcome(vec![measured("r1", 0, 500), finished("r2", 0)]));
    assert!(
        told.contains("truly unknown, as only one clock's error is measured"),
        "{told}"
    );
}

#[test]
fn the_terms_of_a_start() {
    let terms_of = Terms {
        late: Some(LatePolicy::Skip),
        late_tolerance: Some(Duration::from_secs(2)),
        max_clock_error: Some(Duration::from_millis(50)),
    };
    let words = "4 runners, late ones skip, late tolerance 2s, clock error at most 50ms";
    assert_eq!(terms(4, &terms_of), words);
}

#[test]
fn two_processes_under_one_id() {
    assert_eq!(
        DOUBLED,
        "two processes report under this runner id: give each a --runner of its own"
    );
}
