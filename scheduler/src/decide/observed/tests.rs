#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::{a_report, seconds};
use rendezvous::Phase;

/// A runner whose reports and pods a test tells of, a second apart.
struct Told {
    observed: Observed,
    now: Instant,
    sequence: u64,
}

impl Told {
    fn nothing() -> Self {
        let now = Instant::now();
        Self {
            observed: Observed::new(now),
            now,
            sequence: 0,
        }
    }

    /// A process reports that it is ready.
    fn ready(&mut self, process: &str) -> Option<News> {
        self.now += seconds(1);
        self.sequence += 1;
        let mut report = a_report("r1", Phase::Ready);
        report.incarnation = Incarnation::new(process).unwrap();
        report.sequence = self.sequence;
        self.observed.take_report(report, true, self.now)
    }

    fn seen(&mut self, state: Seen) -> Option<News> {
        self.now += seconds(1);
        self.observed
            .take_sighting(Some("pod-1".to_owned()), state, self.now)
    }

    fn up(&mut self, id: &str, restarts: u32) {
        let id = id.to_owned();
        self.seen(Seen::Up(Some(Container { id, restarts })));
    }

    fn counts(&self) -> bool {
        !self.observed.is_void()
            && self.observed.place == Place::There
            && !self.observed.has_ended()
    }
}

fn why(text: &str) -> String {
    text.to_owned()
}

#[test]
fn it_is_called_by_its_pods_name_until_it_reports() {
    let mut told = Told::nothing();
    assert_eq!(told.observed.name(), None);
    told.seen(Seen::Held(why("Pending")));
    assert_eq!(told.observed.name(), Some("pod-1"));
    assert!(told.observed.has_not_come());
    told.ready("a");
    assert_eq!(told.observed.name(), Some("r1"));
    assert!(!told.observed.has_not_come());
}

#[test]
fn a_live_report_outranks_a_witness_that_is_late() {
    let mut told = Told::nothing();
    told.seen(Seen::Held(why("ContainerCreating")));
    told.ready("a");
    assert!(told.counts());
    told.seen(Seen::Held(why("ContainerCreating")));
    assert!(told.counts());
}

#[test]
fn a_new_container_voids_what_the_old_one_reported() {
    let mut told = Told::nothing();
    told.up("c1", 0);
    told.ready("a");
    assert!(told.counts());
    told.up("c2", 1);
    assert!(!told.counts());
    told.ready("b");
    assert!(told.counts());
    told.up("c2", 1);
    assert!(told.counts());
}

#[test]
fn a_new_container_that_reported_sooner_than_it_was_seen_counts() {
    let mut told = Told::nothing();
    told.up("c1", 0);
    told.ready("a");
    assert_eq!(told.ready("b"), Some(News::Restarted(Phase::Ready)));
    told.up("c2", 1);
    assert!(told.counts());
    told.up("c3", 2);
    assert!(
        !told.counts(),
        "and is void like any other when the next one comes"
    );
}

#[test]
fn of_two_restarts_in_one_look_only_the_last_counts() {
    let mut told = Told::nothing();
    told.up("c1", 0);
    told.ready("a");
    told.ready("b");
    told.up("c3", 2);
    assert!(
        !told.counts(),
        "it may have been the second's, which is dead"
    );
    told.ready("b");
    assert!(told.counts(), "it lives");
}

#[test]
fn a_crash_is_told_once_and_voids_the_report() {
    let mut told = Told::nothing();
    told.up("c1", 0);
    told.ready("a");
    let down = || Seen::Down(why("CrashLoopBackOff"));
    assert_eq!(told.seen(down()), Some(News::Down));
    assert_eq!(told.seen(down()), None);
    assert!(!told.counts());
    assert!(!told.observed.has_ended());
    told.ready("b");
    assert!(told.counts());
    told.seen(down());
    assert!(told.counts(), "that is the old container still");
}

#[test]
fn who_is_about_to_be_ended_does_not_count_whatever_it_reports() {
    let mut told = Told::nothing();
    told.up("c1", 0);
    told.ready("a");
    let leaving = || Seen::Leaving(why("terminating"));
    assert_eq!(told.seen(leaving()), Some(News::Leaving));
    told.ready("a");
    assert_eq!(told.seen(leaving()), None);
    assert!(!told.counts());
    assert!(!told.observed.has_ended());
}

#[test]
fn a_pod_that_is_gone_has_ended_with_an_unknown_code() {
    let mut told = Told::nothing();
    told.ready("a");
    assert_eq!(
        told.seen(Seen::Gone(why("its pod was deleted"))),
        Some(News::Ended)
    );
    assert!(told.observed.has_ended());
    assert_eq!(told.observed.exit_code(), None);
    assert_eq!(told.observed.exit_detail(), Some("its pod was deleted"));
}

#[test]
fn a_pod_that_goes_after_its_runner_has_ended_is_no_news() {
    let mut told = Told::nothing();
    told.ready("a");
    assert_eq!(told.seen(Seen::Ended(0, None)), Some(News::Ended));
    assert_eq!(told.seen(Seen::Leaving(why("terminating"))), None);
    assert_eq!(told.seen(Seen::Gone(why("its pod was deleted"))), None);
    assert_eq!(told.observed.exit_code(), Some(0));
    assert_eq!(told.observed.exit_detail(), None);
}

#[test]
fn an_init_container_that_is_run_again_has_not_ended_after_all() {
    let mut told = Told::nothing();
    told.up("c1", 0);
    told.ready("a");
    told.seen(Seen::Ended(0, None));
    told.up("c2", 1);
    assert!(!told.observed.has_ended());
    assert!(!told.counts(), "until the new process reports");
}
