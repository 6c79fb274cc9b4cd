//! The clouds' own servers, at their true addresses, in networks in which there
//! is nothing else.

use std::net::SocketAddr;

use clock::{
    Clock, MachineTimebase,
    ntp::{NtpSetting, Occasion, Reason, SourceReport, Sources},
};

use crate::support::{
    fake_server::{FakeServer, honest},
    measure::round,
    network::alone_with,
};

const AWS_V4: &str = "169.254.169.123";
const AWS_V6: &str = "fd00:ec2::123";
const GOOGLE: &str = "169.254.169.254";

fn serve(address: &str) -> FakeServer {
    let address = SocketAddr::new(address.parse().unwrap(), 123);
    FakeServer::start_at(address, |question, _, now| {
        vec![honest(question, now).into()]
    })
}

struct Asker {
    clock: Clock,
    sources: Sources,
}

impl Asker {
    fn new() -> Self {
        Self {
            clock: Clock::system(MachineTimebase),
            sources: Sources::of(&NtpSetting::Auto),
        }
    }

    fn ask(&mut self) -> Vec<SourceReport> {
        round(&self.clock, &mut self.sources, Occasion::Start)
    }
}

fn names(reports: &[SourceReport]) -> Vec<&str> {
    reports
        .iter()
        .map(|report| report.source.as_str())
        .collect()
}

#[test]
fn a_cloud_is_found_by_any_of_its_addresses() {
    for (address, name) in [(AWS_V4, "AWS"), (AWS_V6, "AWS"), (GOOGLE, "Google Cloud")] {
        alone_with(&[address], move || {
            let _server = serve(address);
            let reports = Asker::new().ask();
            assert_eq!(names(&reports), [name]);
            assert_eq!(reports[0].samples.len(), 4, "{reports:?}");
        });
    }
}

#[test]
fn all_addresses_of_a_cloud_are_used() {
    alone_with(&[AWS_V4, AWS_V6], || {
        let servers = [AWS_V4, AWS_V6].map(serve);
        let reports = Asker::new().ask();
        assert_eq!(names(&reports), ["AWS"]);
        assert_eq!(reports[0].samples.len(), 8, "{reports:?}");
        assert!(servers.iter().all(|server| server.asked() == 4));
    });
}

#[test]
fn of_two_clouds_that_answer_one_is_taken_and_stays() {
    alone_with(&[AWS_V4, GOOGLE], || {
        let servers = [AWS_V4, GOOGLE].map(serve);
        let mut asker = Asker::new();
        let first = asker.ask();
        assert_eq!(first.len(), 1, "{first:?}");
        for _ in 0..3 {
            assert_eq!(names(&asker.ask()), names(&first));
        }
        // The other one had the questions of the first round at most.
        let asked = servers.each_ref().map(FakeServer::asked);
        assert!(matches!(asked, [16, 0..=4] | [0..=4, 16]), "{asked:?}");
    });
}

#[test]
fn the_other_cloud_is_not_asked_when_the_one_that_was_taken_is_down() {
    alone_with(&[AWS_V4, GOOGLE], || {
        let aws = serve(AWS_V4);
        let mut asker = Asker::new();
        assert_eq!(names(&asker.ask()), ["AWS"]);
        drop(aws);
        let google = serve(GOOGLE);
        let reports = asker.ask();
        assert_eq!(names(&reports), ["AWS"]);
        assert!(reports[0].samples.is_empty());
        assert_eq!(google.asked(), 0);
    });
}

#[test]
fn where_there_is_no_cloud_each_is_told_and_looked_for_again() {
    alone_with(&[AWS_V4, GOOGLE], || {
        let mut asker = Asker::new();
        let reports = asker.ask();
        assert_eq!(names(&reports), ["AWS", "Google Cloud"]);
        for report in &reports {
            assert!(
                report
                    .troubles
                    .iter()
                    .any(|trouble| trouble.reason == Reason::Refused)
            );
        }
        let _late = serve(GOOGLE);
        let reports = asker.ask();
        assert_eq!(reports[0].source, "Google Cloud");
        assert_eq!(reports[0].samples.len(), 4);
    });
}

#[test]
fn a_cloud_that_cannot_be_reached_is_told_so_at_once() {
    alone_with(&[], || {
        for report in Asker::new().ask() {
            for trouble in report.troubles {
                assert!(
                    matches!(trouble.reason, Reason::Unreachable(_)),
                    "{trouble}"
                );
            }
        }
    });
}

#[test]
fn nobody_is_asked_where_nobody_is_to_be() {
    let mut sources = Sources::of(&NtpSetting::None);
    assert!(sources.is_empty());
    let clock = Clock::system(MachineTimebase);
    assert_eq!(round(&clock, &mut sources, Occasion::Start), []);
}
