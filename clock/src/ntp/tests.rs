//! What is said of a source that is no good, word by word.

use std::time::Duration;

use super::lookup::LookupFailure;
use super::packet::Packet;
use super::{Kiss, Reason, Rejection, Stray};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_stray_packet_is_told_by_what_is_wrong_with_it() {
    let stranger = "10.0.0.9:123".parse().expect("it is an address");
    let told = [
        (
            Stray::OtherSender(stranger),
            "a packet came from 10.0.0.9:123 instead",
        ),
        (
            Stray::Short(3),
            "a packet of 3 bytes came, which is too short for NTP",
        ),
        (
            Stray::ForeignOrigin,
            "a packet came that answers no question of ours (its origin timestamp is foreign)",
        ),
        (Stray::Duplicate, "an answer came twice"),
        (Stray::Late, "an answer came too late"),
    ];
    for (stray, words) in told {
        assert_eq!(stray.to_string(), words);
    }
    let short = Packet::decode(&[0; 3])
        .expect_err("it is short")
        .to_string();
    assert_eq!(short, "3 bytes are no NTP packet, which has 48 or more");
}

#[test]
fn an_answer_that_is_not_valid_is_told_by_what_it_says() {
    let told = [
        (
            Rejection::Mode(3),
            "it answered in mode 3, which is not a server's (4)",
        ),
        (
            Rejection::Version(2),
            "it answered in NTP version 2; known are 3 and 4",
        ),
        (
            Rejection::Kiss(Kiss::Rate),
            "it refuses to tell the time (kiss code RATE: asked too often)",
        ),
        (
            Rejection::Kiss(Kiss::Deny),
            "it refuses to tell the time (kiss code DENY: access denied)",
        ),
        (
            Rejection::Kiss(Kiss::Restricted),
            "it refuses to tell the time (kiss code RSTR: access denied by its policy)",
        ),
        (
            Rejection::Unsynchronised,
            "its clock is not synchronised (leap indicator 3)",
        ),
        (
            Rejection::Stratum(16),
            "its stratum is 16, and a synchronised server's is 1 to 15",
        ),
        (Rejection::NoReceiveTime, "its receive timestamp is zero"),
        (Rejection::NoTransmitTime, "its transmit timestamp is zero"),
        (
            Rejection::Reversed(SECOND),
            "it answered 1s before it was asked, by its own clock",
        ),
        (
            Rejection::NegativeRoundTrip(SECOND),
            "it held the question 1s longer than the answer took to come",
        ),
        (
            Rejection::RootDistance(2 * SECOND),
            "by its own account it may be off by 2s; trusted is less than 1.5s",
        ),
        (
            Rejection::ReferenceInFuture(SECOND),
            "its clock was last corrected 1s after it answered, by itself",
        ),
    ];
    for (rejection, words) in told {
        assert_eq!(rejection.to_string(), words);
    }
}

#[test]
fn a_server_that_was_not_asked_is_told_with_the_reason() {
    let told = [
        (
            Reason::Lookup(LookupFailure::Failed("no such name".to_owned())),
            "the name cannot be resolved: no such name",
        ),
        (
            Reason::Lookup(LookupFailure::NoAddress),
            "the name has no address",
        ),
        (
            Reason::Lookup(LookupFailure::TimedOut(SECOND)),
            "the name was not resolved within 1s (DNS down? port 53 blocked by an egress NetworkPolicy?)",
        ),
        (
            Reason::LeftAlone(Kiss::Deny),
            "not asked again since it refused (kiss code DENY: access denied)",
        ),
        (
            Reason::SameAs("ntp1".to_owned()),
            "the same server as ntp1, which has the vote",
        ),
        (Reason::RoundOver, "the round ended before it was asked"),
        (
            Reason::Local("too many open files".to_owned()),
            "it could not be asked: too many open files",
        ),
    ];
    for (reason, words) in told {
        assert_eq!(reason.to_string(), words);
    }
}
