use super::*;
use crate::show::table;

fn assert_told(outcome: &Outcome, expected: &str) {
    let told = table::result(outcome);
    assert_eq!(told, expected, "\n{told}");
    let mut lines = told.lines().filter(|line| line.starts_with('|'));
    assert!(lines.all(|line| line.chars().count() <= 120), "\n{told}");
}

#[test]
fn nobody_has_measured_a_clock() {
    let mut outcome = outcome(vec![finished("runner-1", 120), finished("runner-2", 400)]);
    outcome.add_first_requests(&first_requests());
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner   |     late | clock error |   ran by | first request | exit | what happened |
|----------|----------|-------------|----------|---------------|------|---------------|
| runner-1 | +0.12 ms |  unmeasured | +2.12 ms |      +2.31 ms |    0 | finished      |
| runner-2 | +0.40 ms |  unmeasured | +2.40 ms |      +3.00 ms |    0 | finished      |

2 of 2 runners started; spread measured 0.28 ms, truly unknown, as no clock's error is measured
first requests of 2 runners as the target saw them: spread 0.69 ms
exit code 0: all is well
";
    assert_told(&outcome, expected);
}

#[test]
fn all_clocks_are_measured() {
    let reports = vec![
        measured("k6-1", 120, 800),
        measured("k6-2", 400, 340),
        measured("k6-3", -50, 2_101),
    ];
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner |     late | clock error | corrected by |   ran by | exit | what happened |
|--------|----------|-------------|--------------|----------|------|---------------|
| k6-1   | +0.12 ms |     0.80 ms |    +20.00 ms | +2.12 ms |    0 | finished      |
| k6-2   | +0.40 ms |     0.34 ms |    +20.00 ms | +2.40 ms |    0 | finished      |
| k6-3   | -0.05 ms |     2.11 ms |    +20.00 ms | +1.95 ms |    0 | finished      |

3 of 3 runners started; spread measured 0.45 ms, truly at most 3.08 ms
time from 10.0.0.2, 10.0.0.3
exit code 0: all is well
";
    assert_told(&outcome(reports), expected);
}

#[test]
fn some_clocks_are_measured() {
    let reports = vec![
        measured("k6-1", 120, 800),
        measured("k6-2", 400, 340),
        finished("k6-3", -50),
    ];
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner |     late | clock error | corrected by |   ran by | exit | what happened |
|--------|----------|-------------|--------------|----------|------|---------------|
| k6-1   | +0.12 ms |     0.80 ms |    +20.00 ms | +2.12 ms |    0 | finished      |
| k6-2   | +0.40 ms |     0.34 ms |    +20.00 ms | +2.40 ms |    0 | finished      |
| k6-3   | -0.05 ms |  unmeasured |            - | +1.95 ms |    0 | finished      |

3 of 3 runners started; spread measured 0.45 ms, truly at most 1.42 ms over the 2 whose clock's error is measured
warning: runners use different time sources, whose difference no bound shows: 10.0.0.2, 10.0.0.3 (k6-1, k6-2); system clock, unmeasured (k6-3)
exit code 0: all is well
";
    assert_told(&outcome(reports), expected);
}

#[test]
fn one_clock_jumped() {
    let mut jumped = measured("k6-3", 120, 50);
    jumped.start.as_mut().unwrap().clock_jumped = true;
    let reports = vec![
        measured("k6-1", 120, 800),
        measured("k6-2", 400, 340),
        jumped,
    ];
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner |     late | clock error | corrected by |   ran by | exit | what happened              |
|--------|----------|-------------|--------------|----------|------|----------------------------|
| k6-1   | +0.12 ms |     0.80 ms |    +20.00 ms | +2.12 ms |    0 | finished                   |
| k6-2   | +0.40 ms |     0.34 ms |    +20.00 ms | +2.40 ms |    0 | finished                   |
| k6-3   |        ? |      jumped |    +20.00 ms |        ? |    0 | finished; its clock jumped |

3 of 3 runners started; spread of the 2 whose clocks can be believed: measured 0.28 ms, truly at most 1.42 ms
time from 10.0.0.2, 10.0.0.3
not well: k6-3: its clock jumped around the start, so nobody knows when it fired
exit code 78: started, but not well
";
    assert_told(&outcome(reports), expected);
}

#[test]
fn one_clock_contradicts_the_others() {
    let mut time = agreed(Instant::now());
    time.at_odds
        .insert(runner("k6-3"), TimeDelta::seconds(-420));
    let reports = vec![
        finished("k6-1", 120),
        finished("k6-2", 400),
        finished("k6-3", 30),
    ];
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner |     late | clock error |   ran by | exit | what happened                                     |
|--------|----------|-------------|----------|------|---------------------------------------------------|
| k6-1   | +0.12 ms |  unmeasured | +2.12 ms |    0 | finished                                          |
| k6-2   | +0.40 ms |  unmeasured | +2.40 ms |    0 | finished                                          |
| k6-3   |        ? |       wrong |        ? |    0 | finished; its clock is 420.0 s behind the others' |

3 of 3 runners started; spread of the 2 whose clocks can be believed: measured 0.28 ms, truly unknown, as no clock's error is measured
not well: k6-3: its clock is 420.0 s behind the others', so it fired at another time than they did
exit code 78: started, but not well
";
    assert_told(&outcome_at(reports, time), expected);
}

#[test]
fn one_refused_for_its_clock() {
    let reason = "clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer (UDP 123 blocked? egress NetworkPolicy)";
    let reports = vec![
        measured("k6-1", 120, 800),
        refused("k6-2", 71, reason),
        measured("k6-3", 60, 800),
    ];
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner |     late | clock error | corrected by |   ran by | exit | what happened                                     |
|--------|----------|-------------|--------------|----------|------|---------------------------------------------------|
| k6-1   | +0.12 ms |     0.80 ms |    +20.00 ms | +2.12 ms |    0 | finished                                          |
| k6-2   |        - |           - |            - |        - |   71 | refused: clock error 180 ms > 50 ms; NTP 10.0.0.… |
| k6-3   | +0.06 ms |     0.80 ms |    +20.00 ms | +2.06 ms |    0 | finished                                          |

2 of 3 runners started; spread measured 0.06 ms, truly at most 1.66 ms
time from 10.0.0.2, 10.0.0.3
not well: only 2 of 3 runners started
not well: k6-2 was counted on, but did not start: refused: clock error 180 ms > 50 ms; NTP 10.0.0.2: no answer (UDP 123 blocked? egress NetworkPolicy)
exit code 78: started, but not well
";
    assert_told(&outcome(reports), expected);
}

#[test]
fn a_k6_was_stopped_across_the_instant() {
    let mut stopped = finished("runner-2", 130);
    let start = stopped.start.as_mut().unwrap();
    start.running_at = Some(noon() + TimeDelta::milliseconds(4_210));
    start.load_at = start.running_at;
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner   |     late | clock error |      ran by | exit | what happened         |
|----------|----------|-------------|-------------|------|-----------------------|
| runner-1 | +0.12 ms |  unmeasured |    +2.12 ms |    0 | finished              |
| runner-2 | +0.13 ms |  unmeasured | +4210.00 ms |    0 | finished; k6 ran late |

2 of 2 runners started; spread measured 0.01 ms, truly unknown, as no clock's error is measured
not well: runner-2 was resumed in time, but its k6 was seen running only 4210.00 ms after the instant (tolerated: 1s)
exit code 78: started, but not well
";
    assert_told(&outcome(vec![finished("runner-1", 120), stopped]), expected);
}

#[test]
fn setup_is_left_to_k6() {
    let mut late = finished("runner-2", 130);
    let start = late.start.as_mut().unwrap();
    start.load_at = Some(noon() + TimeDelta::seconds(12));
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner   |     late | clock error |   ran by |     load | exit | what happened |
|----------|----------|-------------|----------|----------|------|---------------|
| runner-1 | +0.12 ms |  unmeasured | +2.12 ms | +2.12 ms |    0 | finished      |
| runner-2 | +0.13 ms |  unmeasured | +2.13 ms |  +12.0 s |    0 | finished      |

2 of 2 runners started; spread measured 0.01 ms, truly unknown, as no clock's error is measured
warning: the load of runner-2 began up to 12.0 s after the instant, as setup() was left to k6
exit code 0: all is well
";
    assert_told(&outcome(vec![finished("runner-1", 120), late]), expected);
}

#[test]
fn they_ask_different_sources() {
    let mut reports: Vec<_> = (1..=3)
        .map(|n| measured(&format!("k6-{n}"), 100 * n, 900))
        .collect();
    reports[2].clock = a_clock(&["169.254.169.123"], &["[fd00:ec2::123]: no answer"]);
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner |     late | clock error | corrected by |   ran by | exit | what happened |
|--------|----------|-------------|--------------|----------|------|---------------|
| k6-1   | +0.10 ms |     0.90 ms |    +20.00 ms | +2.10 ms |    0 | finished      |
| k6-2   | +0.20 ms |     0.90 ms |    +20.00 ms | +2.20 ms |    0 | finished      |
| k6-3   | +0.30 ms |     0.90 ms |    +20.00 ms | +2.30 ms |    0 | finished      |

3 of 3 runners started; spread measured 0.20 ms, truly at most 2.00 ms
warning: runners use different time sources, whose difference no bound shows: 10.0.0.2, 10.0.0.3 (k6-1, k6-2); 169.254.169.123 (single) (k6-3)
[fd00:ec2::123] is not used by k6-3: no answer
exit code 0: all is well
";
    assert_told(&outcome(reports), expected);
}

/// With names as a Job gives them, one that does without a server, and one that is out of it.
#[test]
fn twelve_runners() {
    let mut reports: Vec<_> = (0..12)
        .map(|n| {
            let name = format!("checkout-load-{n}-{:05x}", 0x7c1d3 + 97 * n);
            measured(&name, 40 + 31 * n, 900 + 17 * u64::try_from(n).unwrap())
        })
        .collect();
    reports[4].clock = a_clock(&["10.0.0.2"], &["10.0.0.3: falseticker, +5.01 s off"]);
    reports[7].clock.offset = Some(TimeDelta::milliseconds(-420_000));
    let reason = "k6 ended before the start (137)";
    let (runner, name) = (reports[9].runner.clone(), reports[9].name.clone());
    reports[9] = refused(&name, 137, reason);
    (reports[9].runner, reports[9].phase) = (runner, Phase::Failed);
    let expected = "\
run run-1, stage main: start set for 2026-03-01T12:00:00.000Z

| runner                 |     late | clock error | corrected by |   ran by | exit | what happened                     |
|------------------------|----------|-------------|--------------|----------|------|-----------------------------------|
| checkout-load-0-7c1d3  | +0.04 ms |     0.90 ms |    +20.00 ms | +2.04 ms |    0 | finished                          |
| checkout-load-1-7c234  | +0.07 ms |     0.92 ms |    +20.00 ms | +2.07 ms |    0 | finished                          |
| checkout-load-2-7c295  | +0.10 ms |     0.94 ms |    +20.00 ms | +2.10 ms |    0 | finished                          |
| checkout-load-3-7c2f6  | +0.13 ms |     0.96 ms |    +20.00 ms | +2.13 ms |    0 | finished                          |
| checkout-load-4-7c357  | +0.16 ms |     0.97 ms |    +20.00 ms | +2.16 ms |    0 | finished                          |
| checkout-load-5-7c3b8  | +0.20 ms |     0.99 ms |    +20.00 ms | +2.19 ms |    0 | finished                          |
| checkout-load-6-7c419  | +0.23 ms |     1.01 ms |    +20.00 ms | +2.23 ms |    0 | finished                          |
| checkout-load-7-7c47a  | +0.26 ms |     1.02 ms |     -420.0 s | +2.26 ms |    0 | finished                          |
| checkout-load-8-7c4db  | +0.29 ms |     1.04 ms |    +20.00 ms | +2.29 ms |    0 | finished                          |
| checkout-load-9-7c53c  |        - |           - |            - |        - |  137 | failed: k6 ended before the star… |
| checkout-load-10-7c59d | +0.35 ms |     1.07 ms |    +20.00 ms | +2.35 ms |    0 | finished                          |
| checkout-load-11-7c5fe | +0.38 ms |     1.09 ms |    +20.00 ms | +2.38 ms |    0 | finished                          |

11 of 12 runners started; spread measured 0.34 ms, truly at most 2.33 ms
time from 10.0.0.2, 10.0.0.3 (checkout-load-0-7c1d3, checkout-load-1-7c234, checkout-load-2-7c295 and 7 more); 10.0.0.2 (single) (checkout-load-4-7c357)
10.0.0.3 is not used by checkout-load-4-7c357: falseticker, +5.01 s off
not well: only 11 of 12 runners started
not well: checkout-load-9-7c53c was counted on, but did not start: failed: k6 ended before the start (137)
exit code 137: the worst of the runners' own codes
";
    assert_told(&outcome(reports), expected);
}

#[test]
fn a_long_reason_is_cut_in_the_table_and_whole_below() {
    let reason = format!(
        "setup()\tdid not work{}; use --setup k6",
        " at all".repeat(20)
    );
    let mut failed = a_report("runner-1", Phase::Failed);
    (failed.exit_code, failed.reason) = (Some(107), Some(reason.clone()));
    let plan = a_set_plan();
    let ending = Ending::Aborted {
        abort: rendezvous::Abort::new(run_id(), "somebody", "enough"),
        plan: Some(plan),
    };
    let text = table::result(&ended(vec![failed], &ending));
    assert!(!text.contains('\t'), "{text}");
    let lines: Vec<_> = text.lines().collect();
    let whole = format!("runner-1: failed: {}", reason.replace('\t', " "));
    assert!(lines.contains(&whole.as_str()), "{text}");
    let of_the_table = lines.iter().filter(|line| line.starts_with('|'));
    assert!(
        of_the_table.clone().all(|line| line.chars().count() <= 120),
        "{text}"
    );
    assert!(
        of_the_table
            .clone()
            .any(|line| line.contains("| failed: setup() did")),
        "{text}"
    );
}

#[test]
fn where_nothing_started_the_reason_is_told_without_empty_columns() {
    let ending = Ending::TimedOut {
        after: Duration::from_secs(900),
        missing: "1/2 ready; 1 not heard of yet".to_owned(),
    };
    let expected = "\
run run-1, stage main: not started

| runner   | exit | what happened |
|----------|------|---------------|
| runner-1 |    - | ready         |

the quorum did not come within 15m: 1/2 ready; 1 not heard of yet
exit code 75: not started
";
    let waiting = a_report("runner-1", Phase::Ready);
    assert_told(&ended(vec![waiting], &ending), expected);
    let expected = "\
run run-1, stage main: not started
the quorum did not come within 15m: 1/2 ready; 1 not heard of yet
exit code 75: not started
";
    assert_told(&ended(vec![], &ending), expected);
}
