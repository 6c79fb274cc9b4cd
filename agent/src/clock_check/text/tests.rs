#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clock::{Figures, Reading, ntp::Leap};
use rstest::rstest;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn utc() -> DateTime<Utc> {
    "2026-06-01T12:00:00.000000001Z".parse().unwrap()
}

fn source(name: &str, verdict: Verdict, figures: Option<(i64, u32)>) -> SourceKnowledge {
    SourceKnowledge {
        name: name.to_owned(),
        kind: SourceKind::Ntp,
        verdict,
        answered: figures.is_some(),
        troubles: None,
        figures: figures.map(|(offset_us, bound_us)| Figures {
            offset: TimeDelta::microseconds(offset_us),
            bound: bound_us * MS / 1000,
            round_trip: MS / 20,
            stratum: 2,
            root_delay: MS,
            root_dispersion: 2 * MS,
        }),
    }
}

fn answer(status: Status, by: &[&str], sources: Vec<SourceKnowledge>) -> Answer {
    let reading = Reading {
        earliest: utc(),
        latest: utc(),
        held: utc(),
        status,
    };
    Answer {
        utc: utc(),
        bound: Some(MS / 10),
        budget: 50 * MS,
        unfit: None,
        knowledge: Arc::new(Knowledge {
            reading,
            offset: Some(TimeDelta::milliseconds(130)),
            by: by.iter().map(ToString::to_string).collect(),
            sources,
            obstacle: None,
            leap: Leap::None,
            witness_disagrees: None,
            firing: None,
        }),
    }
}

const NTP: Status = Status::Synchronised {
    by: SourceKind::Ntp,
};

#[test]
fn what_is_known_is_told_with_every_source_and_what_to_do() {
    let sources = vec![
        source("10.0.0.2", Verdict::Used, Some((130_000, 100))),
        SourceKnowledge {
            troubles: Some("no answer within 1s".to_owned()),
            ..source("ntp1.example.com", Verdict::Silent, None)
        },
    ];
    let told = of(&answer(NTP, &["10.0.0.2"], sources));
    let expected = "\
fit: a runner can start by this clock, which is known to ± 0.100 ms; 50.000 ms are allowed

UTC         2026-06-01T12:00:00.000000001Z ± 0.100 ms
by          NTP 10.0.0.2 (single)
this clock  130.000 ms behind; a runner counts that in, and nobody's clock is set

source                verdict      this clock is off by  round trip  stratum  root delay  root dispersion
NTP 10.0.0.2          used       -130.000 ms ± 0.100 ms    0.050 ms        2    1.000 ms         2.000 ms
NTP ntp1.example.com  no answer
    no answer within 1s

- one server alone: if it is wrong, nobody notices; of three (--ntp A,B,C) two outvote the third
- this machine's time daemon does not keep its clock well: runs are not affected, logs are
";
    assert_eq!(told, expected);
}

#[test]
fn why_it_is_unfit_comes_first() {
    let unfit = Answer {
        unfit: Some("clock error 180 ms > 50 ms".to_owned()),
        bound: Some(180 * MS),
        ..answer(NTP, &["a", "b"], Vec::new())
    };
    let told = of(&unfit);
    assert!(
        told.starts_with("unfit: clock error 180 ms > 50 ms\n"),
        "{told}"
    );
    assert!(
        told.contains("--max-clock-error allows a wider one"),
        "{told}"
    );
    assert!(!told.contains("one server alone"), "{told}");
}

#[rstest]
#[case(Verdict::Falseticker { by: TimeDelta::seconds(5) }, "a falseticker is outvoted")]
#[case(Verdict::NoMajority, "name more of them")]
#[case(Verdict::TooWide, "a nearer server")]
fn each_verdict_that_can_be_acted_upon_is(#[case] verdict: Verdict, #[case] told: &str) {
    let sources = vec![source("a", verdict, Some((0, 1)))];
    let text = of(&answer(NTP, &["b", "c"], sources));
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_clock_that_nobody_measured_is_said_to_be_that() {
    let mut answer = answer(Status::SystemClock, &[], Vec::new());
    answer.bound = None;
    Arc::get_mut(&mut answer.knowledge).unwrap().offset = None;
    let expected = "\
fit: a runner takes this clock at its word; its error is unmeasured

UTC         2026-06-01T12:00:00.000000001Z unmeasured
by          system clock
";
    assert_eq!(of(&answer), expected);
}

#[rstest]
#[case(0, "0.000 ms", "+0.000 ms")]
#[case(12_345, "12.345 ms", "+12.345 ms")]
#[case(-7, "-0.007 ms", "-0.007 ms")]
fn milliseconds_are_told_to_the_microsecond(
    #[case] micros: i64,
    #[case] plain: &str,
    #[case] signed: &str,
) {
    let millis = Millis(TimeDelta::microseconds(micros));
    assert_eq!(
        (millis.to_string().as_str(), format!("{millis:+}").as_str()),
        (plain, signed)
    );
}
