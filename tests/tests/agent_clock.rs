//! `tminus-agent clock`: what an operator runs on a machine.

use std::net::UdpSocket;
use std::time::Duration;

use support::process::{Program, Running};
use support::programs;

const SOON: Duration = Duration::from_secs(30);

fn clock(arguments: &[&str]) -> Running {
    let program = Program::new(programs::agent()).args(["clock"]);
    program.args(arguments).start()
}

/// A port of this machine on which nobody answers: it was free a moment ago.
fn nobody() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").to_string()
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
    let server = nobody();
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
