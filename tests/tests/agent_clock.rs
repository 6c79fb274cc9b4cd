//! `tminus-agent clock`: what an operator runs on a machine.

use std::path::Path;
use std::time::Duration;

use clock::ntp::{Short, packet::Packet};
use serde_json::Value;
use support::ntp::chronyd::Chronyd;
use support::ntp::fake_server::{FakeServer, honest};
use support::ntp::nobody;
use support::process::{Program, Running};
use support::programs;

const SOON: Duration = Duration::from_secs(30);

fn clock(arguments: &[&str]) -> Running {
    let program = Program::new(programs::agent()).args(["clock"]);
    program.args(arguments).start()
}

/// So many real servers, whose clock is this machine's.
fn servers<const COUNT: usize>(program: &Path) -> ([Chronyd; COUNT], [String; COUNT]) {
    let servers = [(); COUNT].map(|()| Chronyd::of_the_machine(program));
    let names = servers
        .each_ref()
        .map(|server| server.address().to_string());
    (servers, names)
}

/// What programs are told, and the exit code.
fn as_json(arguments: &[&str]) -> (Option<i32>, Value) {
    let check = clock(&[arguments, &["--output", "json"]].concat());
    let code = check.wait(SOON).code;
    let answer = serde_json::from_str(&check.stdout()).expect("one JSON object");
    (code, answer)
}

/// What people are told, and the exit code.
fn as_text(arguments: &[&str]) -> (Option<i32>, String) {
    let check = clock(arguments);
    (check.wait(SOON).code, check.stdout())
}

/// A machine with more to do than it can reads its clock so late.
const BUSY_NS: i64 = 50_000_000;

#[test]
fn a_machine_that_is_fit_is_told_its_offset_its_bound_and_the_figures_of_its_source() {
    let Some(chronyd) = programs::chronyd() else {
        return;
    };
    let (_server, [name]) = servers(&chronyd);
    let (code, answer) = as_json(&["--ntp", &name]);
    assert_eq!((code, &answer["fit"]), (Some(0), &Value::Bool(true)));
    assert_eq!(answer["why_not"], Value::Null);
    assert_eq!(answer["by"], format!("NTP {name} (single)"));
    assert_eq!(answer["max_clock_error_ns"], 50_000_000);
    let source = &answer["sources"][0];
    assert_eq!(source["name"], name.as_str());
    assert_eq!(
        (&source["kind"], &source["verdict"]),
        (&"NTP".into(), &"used".into())
    );
    assert_eq!(
        (&source["answered"], &source["stratum"]),
        (&true.into(), &1.into())
    );
    assert_eq!(
        (&source["root_delay_ns"], &source["root_dispersion_ns"]),
        (&0.into(), &0.into())
    );
    for told in [&answer, source] {
        let [offset, bound] =
            ["offset_ns", "bound_ns"].map(|name| told[name].as_i64().expect(name));
        // The server's clock is this machine's.
        assert!(offset.abs() <= bound + BUSY_NS, "{answer}");
        assert!(bound > 0 && bound < 50_000_000, "{answer}");
    }
    assert!(
        source["round_trip_ns"].as_i64().is_some_and(|way| way > 0),
        "{answer}"
    );

    let (code, text) = as_text(&["--ntp", &name]);
    println!("{text}");
    assert_eq!(code, Some(0));
    assert!(
        text.starts_with("fit: a runner can start by this clock"),
        "{text}"
    );
    for told in [
        format!("by          NTP {name} (single)"),
        format!("NTP {name}  used"),
        "this clock  ".to_owned(),
        "one server alone".to_owned(),
    ] {
        assert!(text.contains(&told), "no {told:?} in {text}");
    }
}

#[test]
fn a_machine_over_budget_is_told_by_how_much_and_which_source_is_the_cause() {
    let Some(chronyd) = programs::chronyd() else {
        return;
    };
    // A real server that follows one which may be off by 80 ms, and says so.
    let unsure = FakeServer::start(|question, _, now| {
        let answer = Packet {
            stratum: 2,
            root_dispersion: Short::from_bits(0x1480),
            ..honest(question, now)
        };
        vec![answer.into()]
    });
    let lines = format!(
        "server 127.0.0.1 port {} iburst minpoll 0 maxpoll 0",
        unsure.address().port()
    );
    let server = Chronyd::start(&chronyd, &lines);
    server.wait_for_synchronisation(Duration::from_millis(200));
    let name = server.address().to_string();
    let over = ["--ntp", &name];
    let (code, answer) = as_json(&over);
    assert_eq!((code, &answer["fit"]), (Some(71), &Value::Bool(false)));
    let why = answer["why_not"].as_str().expect("a reason");
    assert!(why.contains(&format!("NTP {name}: clock error ")), "{why}");
    assert_eq!(answer["sources"][0]["verdict"], "clock error over budget");
    for figure in ["bound_ns", "root_dispersion_ns"] {
        let at_least = Some(80_000_000);
        assert!(
            answer["sources"][0][figure].as_i64() >= at_least,
            "{answer}"
        );
    }
    let (code, text) = as_text(&over);
    println!("{text}");
    assert_eq!(code, Some(71));
    assert!(
        text.starts_with("unfit: clock unsynchronised: no time source is good enough"),
        "{text}"
    );
    assert!(text.contains("a nearer server"), "{text}");
}

#[test]
fn one_of_three_that_cannot_be_reached_is_told_with_the_reason_and_changes_nothing() {
    let Some(chronyd) = programs::chronyd() else {
        return;
    };
    let (_servers, [one, other]) = servers(&chronyd);
    let away = nobody().to_string();
    let three = [&one, &away, &other].map(String::as_str).join(",");
    let (code, answer) = as_json(&["--ntp", &three]);
    assert_eq!(code, Some(0), "{answer}");
    let sources = answer["sources"].as_array().expect("sources");
    let verdict = |name: &str| {
        let mut sources = sources.iter();
        let source = sources.find(|source| source["name"] == name);
        source.expect("it is told of")["verdict"].clone()
    };
    assert_eq!([&one, &other].map(|name| verdict(name)), ["used", "used"]);
    assert_eq!(verdict(&away), "no answer");
    let (code, text) = as_text(&["--ntp", &three]);
    println!("{text}");
    assert_eq!(code, Some(0));
    assert!(
        text.contains("    refused: nothing listens on this UDP port there"),
        "{text}"
    );
    assert!(!text.contains("one server alone"), "{text}");
}

#[test]
fn an_unmeasured_clock_is_said_to_be_that_and_is_good_enough_unless_ntp_is_required() {
    let check = clock(&["--ntp", "none"]);
    assert_eq!(check.wait(SOON).code, Some(0));
    assert!(check.stdout().contains("unmeasured"), "{}", check.stdout());
    let check = clock(&["--ntp", "none", "--require-ntp"]);
    assert_eq!(check.wait(SOON).code, Some(71));
    assert!(
        check.stdout().contains("NTP is required"),
        "{}",
        check.stdout()
    );
}

#[test]
fn a_server_that_does_not_answer_is_named_with_the_reason() {
    let server = nobody().to_string();
    let check = clock(&["--ntp", &server, "--output", "json"]);
    assert_eq!(check.wait(SOON).code, Some(71));
    let answer: serde_json::Value = serde_json::from_str(&check.stdout()).expect("one JSON object");
    assert_eq!(answer["fit"], false);
    assert_eq!(answer["sources"][0]["name"], server.as_str());
    let troubles = answer["sources"][0]["troubles"]
        .as_str()
        .unwrap_or_default();
    assert!(troubles.contains("refused"), "{answer}");
}

#[test]
fn bad_usage_is_named() {
    let check = clock(&["--max-clock-error", "0s"]);
    assert_eq!(check.wait(SOON).code, Some(64));
    assert!(
        check.stderr().contains("--max-clock-error"),
        "{}",
        check.stderr()
    );
}
