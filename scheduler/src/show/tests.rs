//! What people and machines get to read, to the letter.
#![allow(clippy::unwrap_used)]

mod json;
mod status;
mod table;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use rendezvous::{Phase, Report};
use tokio::time::Instant;

use crate::decide::ending::Ending;
use crate::decide::muster::muster;
use crate::decide::outcome::{Facts, FirstRequest, Outcome, judge};
use crate::decide::roster::Roster;
use crate::decide::started::Expected;
use crate::decide::timebase::Reading;
use crate::testing::{
    a_clock, a_report, a_set_plan, a_start, agreed, aim, noon, run_id, runner, sight, stage,
};

/// A runner whose k6 ended well, fired so many microseconds late, by an unmeasured clock.
fn finished(name: &str, late_us: i64) -> Report {
    let mut report = a_report(name, Phase::Finished);
    report.start = Some(a_start(late_us));
    report
}

/// The same by a clock that is measured to within so many microseconds.
fn measured(name: &str, late_us: i64, bound_us: u64) -> Report {
    let mut report = finished(name, late_us);
    report.clock = a_clock(&["10.0.0.2", "10.0.0.3"], &[]);
    report.start.as_mut().unwrap().clock_error = Some(Duration::from_micros(bound_us));
    report
}

fn refused(name: &str, code: u8, reason: &str) -> Report {
    let mut report = a_report(name, Phase::Refused);
    report.exit_code = Some(code);
    report.reason = Some(reason.to_owned());
    report
}

/// What is judged of a start that was set for all of these, and in which nobody contradicts
/// anybody about the time.
fn outcome(reports: Vec<Report>) -> Outcome {
    outcome_at(reports, agreed(Instant::now()))
}

fn outcome_at(reports: Vec<Report>, time: Reading) -> Outcome {
    let runners = reports.iter().map(|report| report.runner.clone()).collect();
    let mut plan = a_set_plan();
    plan.runners_wanted = u32::try_from(reports.len()).unwrap();
    let expected = Expected::Runners(runners);
    ended(
        reports,
        &Ending::Followed {
            plan,
            expected,
            time,
        },
    )
}

fn ended(reports: Vec<Report>, ending: &Ending) -> Outcome {
    let (now, wanted) = (Instant::now(), u32::try_from(reports.len()).unwrap());
    let mut roster = Roster::default();
    for report in reports {
        roster.report(report, true, now);
    }
    judge(&Facts {
        run: &run_id(),
        stage: &stage(),
        wanted,
        own_utc: noon(),
        followed: false,
        replaced: &BTreeSet::new(),
        waited: true,
        ending,
        roster: &roster,
        muster: &muster(&roster, &agreed(now), aim(), &sight(now)),
        sight: sight(now),
    })
}

fn first_requests() -> BTreeMap<String, FirstRequest> {
    [("runner-1", 2_310), ("runner-2", 3_000)]
        .into_iter()
        .map(|(name, us)| {
            let at = noon() + TimeDelta::microseconds(us);
            (name.to_owned(), FirstRequest { at, count: 7 })
        })
        .collect()
}
