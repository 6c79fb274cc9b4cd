//! What a runner's last words add to its report.
//!
//! A runner whose load ends while the store is away cannot write its last report, and does not hold its container's end
//! up for that. Its last words stand in the pod's status all the same.

use chrono::{DateTime, Utc};
use rendezvous::last_words::{Told, ToldStart};
use rendezvous::{PlanId, Report, StartReport};

/// The last report that a runner could not write, made of the one that it wrote before and of its last words. Nothing if
/// it could, or if they are another process's. `exit`: what its container ended with. `set`: the plan that was set, and
/// its instant.
#[must_use]
pub fn last_report(
    report: &Report,
    told: Told,
    exit: u8,
    set: Option<&(PlanId, DateTime<Utc>)>,
) -> Option<Report> {
    if report.phase.is_final() || told.code != exit {
        return None;
    }
    let start_at = set
        .filter(|(plan, _)| report.armed && report.plan.as_ref() == Some(plan))
        .map(|(_, start_at)| *start_at);
    // What it reported itself is more exact.
    let start = report
        .start
        .clone()
        .or_else(|| start_of(told.start?, start_at?));
    Some(Report {
        sequence: report.sequence + 1,
        phase: told.phase,
        start,
        exit_code: Some(told.code),
        reason: told.reason,
        waiting_for: None,
        ..report.clone()
    })
}

fn start_of(told: ToldStart, start_at: DateTime<Utc>) -> Option<StartReport> {
    Some(StartReport {
        fired_at: start_at.checked_add_signed(told.lateness)?,
        lateness: told.lateness,
        clock_error: told.clock_error,
        running_at: None,
        load_at: None,
        clock_jumped: told.clock_jumped,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{a_plan_id, a_report, a_start, noon};
    use chrono::TimeDelta;
    use rendezvous::Phase;
    use std::time::Duration;

    fn told() -> Told {
        Told {
            phase: Phase::Finished,
            code: 0,
            reason: None,
            start: Some(ToldStart {
                lateness: TimeDelta::microseconds(213),
                clock_error: Some(Duration::from_micros(150)),
                clock_jumped: false,
            }),
        }
    }

    fn set() -> (PlanId, DateTime<Utc>) {
        (a_plan_id(), noon())
    }

    #[test]
    fn a_start_that_could_not_be_reported_is_told_by_the_last_words() {
        let armed = a_report("r1", Phase::Armed);
        let last = last_report(&armed, told(), 0, Some(&set())).unwrap();
        assert_eq!((last.phase, last.exit_code), (Phase::Finished, Some(0)));
        assert_eq!(last.incarnation, armed.incarnation);
        assert!(last.sequence > armed.sequence);
        let start = last.start.unwrap();
        assert_eq!(start.fired_at, noon() + TimeDelta::microseconds(213));
        assert_eq!(start.clock_error, Some(Duration::from_micros(150)));
    }

    #[test]
    fn what_it_reported_itself_stays() {
        let mut running = a_report("r1", Phase::Running);
        running.start = Some(a_start(99));
        let last = last_report(&running, told(), 0, Some(&set())).unwrap();
        assert_eq!(last.start, running.start);
        assert_eq!(last.phase, Phase::Finished);
    }

    #[test]
    fn who_was_not_armed_for_this_instant_has_not_started_by_it() {
        let (ready, armed) = (a_report("r1", Phase::Ready), a_report("r1", Phase::Armed));
        let another = (PlanId::random(), noon());
        for (report, set) in [
            (&ready, Some(&set())),
            (&armed, Some(&another)),
            (&armed, None),
        ] {
            let last = last_report(report, told(), 0, set).unwrap();
            assert_eq!(last.start, None);
        }
    }

    #[test]
    fn last_words_of_another_end_and_after_a_last_report_add_nothing() {
        let armed = a_report("r1", Phase::Armed);
        assert_eq!(last_report(&armed, told(), 137, Some(&set())), None);
        let finished = a_report("r1", Phase::Finished);
        assert_eq!(last_report(&finished, told(), 0, Some(&set())), None);
    }
}
