//! The scheduler as a program: for runners that the test starts, and with runners of its own.

mod ended;
mod local;
mod run;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

pub use ended::{Ended, Outcome, ended, ended_within, time};
pub use local::Local;
pub use run::{Run, SOONEST, command_for};

use crate::target::Target;

/// How early a request may seem: the clock is read at two places. No time is given for anything else.
const READING: TimeDelta = TimeDelta::milliseconds(1);

/// How late a first request may be on a machine with more to do than it can. The start itself is held to its
/// tolerance by its exit code; on two cores with other suites beside this one, k6 was seen to take a second from there.
const LATE: TimeDelta = TimeDelta::seconds(5);

/// # Panics
/// If the load of any of these runners began early or late, or if any other has made load.
pub fn assert_on_time<'a>(
    target: &Target,
    runners: impl IntoIterator<Item = &'a str>,
    instant: DateTime<Utc>,
) {
    let load = target.first_requests();
    let expected: BTreeSet<_> = runners.into_iter().collect();
    let began: BTreeSet<_> = load.keys().map(String::as_str).collect();
    assert_eq!(began, expected);
    for (runner, load) in &load {
        let late = load.first.utc - instant;
        assert!(late >= -READING && late <= LATE, "{runner}: {late}");
    }
}
