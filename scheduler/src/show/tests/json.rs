use super::*;
use crate::show::json;

fn result(outcome: &Outcome) -> serde_json::Value {
    let text = json::result(outcome);
    assert_eq!(text.lines().count(), 1);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn of_a_good_start() {
    let reports = vec![finished("runner-1", 120), measured("runner-2", 400, 250)];
    let mut outcome = outcome(reports);
    outcome.add_first_requests(&first_requests());
    let expected = serde_json::json!({
        "version": 1,
        "run": "run-1",
        "stage": "main",
        "result": "started",
        "message": "started",
        "exit_code": 0,
        "plan": "plan-1",
        "start_at": "2026-03-01T12:00:00.000000000Z",
        "wanted": 2,
        "started": 2,
        "lost": 0,
        "lost_share": 0.0,
        "spread_ns": 280_000,
        "spread_of": 2,
        "spread_at_most_ns": null,
        "spread_at_most_of": 1,
        "first_request_spread_ns": 690_000,
        "faults": [],
        "warnings": [
            "runners use different time sources, whose difference no bound shows: \
             system clock, unmeasured (runner-1); 10.0.0.2, 10.0.0.3 (runner-2)"
        ],
        "runners": [
            {
                "runner": "runner-1",
                "name": "runner-1",
                "state": "ended",
                "what": "finished",
                "flaw": null,
                "lost": null,
                "fired_at": "2026-03-01T12:00:00.000120000Z",
                "lateness_ns": 120_000,
                "clock_error_ns": null,
                "clock_jumped": false,
                "clock": {
                    "source": "system clock",
                    "offset_ns": null,
                    "error_ns": null,
                    "used": [],
                    "rejected": [],
                },
                "running_at": "2026-03-01T12:00:00.002120000Z",
                "load_at": "2026-03-01T12:00:00.002120000Z",
                "first_request_at": "2026-03-01T12:00:00.002310000Z",
                "requests": 7,
                "exit_code": 0,
                "k6_errors": [],
            },
            {
                "runner": "runner-2",
                "name": "runner-2",
                "state": "ended",
                "what": "finished",
                "flaw": null,
                "lost": null,
                "fired_at": "2026-03-01T12:00:00.000400000Z",
                "lateness_ns": 400_000,
                "clock_error_ns": 250_000,
                "clock_jumped": false,
                "clock": {
                    "source": "NTP 10.0.0.2, 10.0.0.3",
                    "offset_ns": 20_000_000,
                    "error_ns": 1_000_000,
                    "used": ["10.0.0.2", "10.0.0.3"],
                    "rejected": [],
                },
                "running_at": "2026-03-01T12:00:00.002400000Z",
                "load_at": "2026-03-01T12:00:00.002400000Z",
                "first_request_at": "2026-03-01T12:00:00.003000000Z",
                "requests": 7,
                "exit_code": 0,
                "k6_errors": [],
            },
        ],
    });
    assert_eq!(result(&outcome), expected);
}

#[test]
fn of_a_start_with_a_clock_that_jumped_and_one_that_never_came() {
    let mut jumped = measured("k6-2", 120, 50);
    jumped.start.as_mut().unwrap().clock_jumped = true;
    let reports = vec![
        measured("k6-1", 120, 800),
        jumped,
        refused("k6-3", 71, "clock in doubt"),
    ];
    let json = result(&outcome(reports));
    assert_eq!(
        (&json["exit_code"], &json["started"]),
        (&78.into(), &2.into())
    );
    assert_eq!(
        (&json["spread_of"], &json["spread_at_most_ns"]),
        (&1.into(), &0.into())
    );
    let runners = &json["runners"];
    assert_eq!(runners[1]["clock_jumped"], true);
    assert_eq!(runners[1]["flaw"], "its clock jumped");
    assert_eq!(runners[2]["clock_jumped"], serde_json::Value::Null);
    assert_eq!(json["faults"].as_array().unwrap().len(), 3);
}
