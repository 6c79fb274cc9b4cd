//! When the load of pods came.

use chrono::{DateTime, TimeDelta, Utc};
use support::{
    load_test::{LoadTest, Pod},
    scheduler::Outcome,
};

/// How early a request may seem: the clock is read at two places.
const READING: TimeDelta = TimeDelta::milliseconds(1);

/// How late a first request may be on two cores with more to do than they can: k6 itself was seen to take a second from
/// the resume to its first request. The start is held to its tolerance by the scheduler's exit code.
const LATE: TimeDelta = TimeDelta::seconds(5);

/// When a stage's first requests for a path came, from the first pod's to the last's.
///
/// # Panics
/// If any of these pods' came early or late, or never.
pub fn assert_together(
    load_test: &LoadTest<'_>,
    pods: &[Pod],
    path: &str,
    outcome: &Outcome,
) -> TimeDelta {
    let instant = outcome.start_at().unwrap();
    let firsts: Vec<DateTime<Utc>> = pods.iter().map(|pod| first(load_test, pod, path)).collect();
    for (pod, first) in pods.iter().zip(&firsts) {
        let late = *first - instant;
        assert!(
            late >= -READING && late <= LATE,
            "{} came {late} from the instant",
            pod.name
        );
    }
    *firsts.iter().max().unwrap() - *firsts.iter().min().unwrap()
}

/// When a pod's first request for a path came.
///
/// # Panics
/// If none has come.
pub fn first(load_test: &LoadTest<'_>, pod: &Pod, path: &str) -> DateTime<Utc> {
    let hits = load_test.target().hits(&pod.name, path);
    hits.unwrap_or_else(|| panic!("nothing for {path} of {}", pod.name))
        .first
        .utc
}

/// How many requests for a path have come of a pod.
pub fn count(load_test: &LoadTest<'_>, pod: &Pod, path: &str) -> u64 {
    let hits = load_test.target().hits(&pod.name, path);
    hits.map_or(0, |hits| hits.count)
}
