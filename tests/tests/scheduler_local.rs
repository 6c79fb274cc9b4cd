//! `local` with the real k6: all runners start at one instant, or none does and everybody knows why.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use serde_json::Value;
use support::{
    moment::Moment,
    programs::{self, K6},
    runner::{SOON, k6_run},
    scheduler::{Ended, Local, Outcome, ended, time},
    target::Target,
};

/// How early a request may seem: the clock is read at two places. No time is given for anything else.
const READING: TimeDelta = TimeDelta::milliseconds(1);

/// How late a first request may be on a machine with more to do than it can: as late as a start may be that is
/// still on time.
const LATE: TimeDelta = TimeDelta::seconds(1);

/// So that no test waits longer for its instant than it must.
const LEAD: [&str; 2] = ["--lead", "1s"];

fn runner(number: usize) -> String {
    format!("runner-{number}")
}

fn load_began(target: &Target, number: usize) -> DateTime<Utc> {
    let load = target.first_requests();
    let load = load.get(&runner(number));
    let load = load.unwrap_or_else(|| panic!("no load of runner {number}"));
    load.first.utc
}

fn assert_on_time(target: &Target, runners: usize, instant: DateTime<Utc>) {
    for number in 1..=runners {
        let late = load_began(target, number) - instant;
        assert!(late >= -READING && late <= LATE, "runner {number}: {late}");
    }
}

#[rstest]
fn four_runners_start_at_one_instant_whatever_the_executor(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values("constant-arrival-rate", "constant-vus", "ramping-vus")] executor: &str,
) {
    let Some(k6) = k6.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let first_requests = format!("{}/first-requests", target.url());
    let scheduler = local
        .program(4, &LEAD, k6_run(&k6, &[], executor))
        .args(["--runners", "4"])
        .env("TARGET", target.url())
        .env("TMINUS_FIRST_REQUESTS", first_requests)
        .start();
    let ended = ended(&scheduler);
    let result = ended.assert(0).result();
    assert_on_time(&target, 4, result.start_at().unwrap());
    assert_is_told(&target, &result);
    assert_plain(&ended);
    local.assert_tidy(&[]);
}
