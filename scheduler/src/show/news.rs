//! What people want to hear of a runner as it happens.

use std::time::Duration;

use rendezvous::{Phase, Report, RunnerId};

use crate::decide::muster::{Why, why_ended};
use crate::decide::observed::{Observed, Place};
use crate::decide::outcome::DOUBLED;
use crate::decide::roster::News;

/// Asking k6 for a setup() that the script does not have takes a few milliseconds.
const WORTH_TELLING: Duration = Duration::from_millis(100);

/// The lines that tell a change in a runner; none for what the progress shows
/// anyway.
#[must_use]
pub fn lines(runner: &RunnerId, observed: &Observed, news: News) -> Vec<String> {
    let report = observed.report.as_ref();
    let name = observed.name().unwrap_or(runner.as_str());
    match (news, report) {
        (News::Restarted(before), _) => {
            vec![format!("{name} was started again; it had been {before}")]
        }
        (News::Doubled, _) => vec![format!("{name}: {DOUBLED}")],
        (News::Removed, _) => vec![format!("{name}: {}", Why::Removed)],
        (News::Ended, Some(report)) if report.phase.is_final() => Vec::new(),
        (News::Ended, _) => ended(name, observed),
        (News::Down | News::Leaving, _) => vec![format!("{name}: {}", place(observed))],
        (News::Phase, Some(report)) => match report.phase {
            Phase::Ready => vec![ready(name, report)],
            phase if phase.is_final() => ended(name, observed),
            _ => Vec::new(),
        },
        (News::Phase, None) => Vec::new(),
    }
}

fn place(observed: &Observed) -> &str {
    match &observed.place {
        Place::Held(why) | Place::Leaving(why) | Place::Gone(why) => why,
        Place::There => "there",
    }
}

fn ready(name: &str, report: &Report) -> String {
    let mut details = Vec::new();
    if let Some(vus) = report.vus {
        details.push(format!("{vus} VUs"));
    }
    if let Some(took) = report.setup_took.filter(|took| *took >= WORTH_TELLING) {
        details.push(format!("setup() took {:.1} s", took.as_secs_f64()));
    }
    if details.is_empty() {
        format!("{name} is ready")
    } else {
        format!("{name} is ready ({})", details.join(", "))
    }
}

fn ended(name: &str, observed: &Observed) -> Vec<String> {
    let why = why_ended(observed);
    let separator = if is_only_a_reason(&why) { ":" } else { "" };
    let mut lines = vec![format!("{name}{separator} {why}")];
    // What k6 says to being stopped explains nothing.
    if let Some(report) = observed.report.as_ref()
        && observed.exit_code() != Some(0)
        && report.phase != Phase::Aborted
    {
        let quoted = report.k6_errors.iter().map(|line| format!("  k6: {line}"));
        lines.extend(quoted);
    }
    lines
}

/// Whether it says nothing of how a process ended.
fn is_only_a_reason(why: &Why) -> bool {
    matches!(
        why,
        Why::Ended {
            phase: None,
            code: None,
            reason: Some(_),
        }
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decide::witness::Seen;
    use crate::testing::{a_report, runner};
    use rstest::rstest;
    use tokio::time::Instant;

    fn told(report: Option<Report>, exit: Option<u8>, news: News) -> Vec<String> {
        let mut observed = Observed::new(Instant::now());
        (observed.report, observed.exit) = (report, exit);
        lines(&runner("r1"), &observed, news)
    }

    #[test]
    fn a_ready_runner_says_what_it_has_built() {
        let mut report = a_report("r1", Phase::Ready);
        let told_of = |report: &Report| told(Some(report.clone()), None, News::Phase);
        assert_eq!(told_of(&report), ["r1 is ready (10 VUs)"]);
        report.setup_took = Some(Duration::from_millis(3_040));
        assert_eq!(
            told_of(&report),
            ["r1 is ready (10 VUs, setup() took 3.0 s)"]
        );
        (report.vus, report.setup_took) = (None, Some(Duration::from_millis(3)));
        assert_eq!(told_of(&report), ["r1 is ready"]);
    }

    #[test]
    fn a_failure_comes_with_its_code_its_reason_and_k6s_own_words() {
        let mut report = a_report("r1", Phase::Failed);
        report.exit_code = Some(107);
        report.reason = Some("k6 ended before it was ready".to_owned());
        report.k6_errors = vec!["SyntaxError: Unexpected token".to_owned()];
        let told_of = told(Some(report.clone()), None, News::Phase);
        let expected = [
            "r1 failed (107): k6 ended before it was ready",
            "  k6: SyntaxError: Unexpected token",
        ];
        assert_eq!(told_of, expected);
        let exited = told(Some(report), Some(107), News::Ended);
        assert_eq!(exited, [""; 0], "told already");
    }

    #[test]
    fn a_death_without_a_word_is_told() {
        let report = a_report("r1", Phase::Ready);
        let told_of = told(Some(report), Some(137), News::Ended);
        assert_eq!(told_of, ["r1 ended without a word (137)"]);
        let told_of = told(None, Some(1), News::Ended);
        assert_eq!(told_of, ["r1 ended without a word (1)"]);
    }

    #[test]
    fn a_pod_that_will_not_come_is_told_by_its_name() {
        let mut observed = Observed::new(Instant::now());
        let gone = Seen::Gone("its pod was deleted".to_owned());
        let news = observed.take_sighting(Some("k6-1-x7".to_owned()), gone, Instant::now());
        let told = lines(&runner("a-uid"), &observed, news.unwrap());
        assert_eq!(told, ["k6-1-x7: its pod was deleted"]);
    }

    #[test]
    fn a_crash_and_an_eviction_are_told() {
        let mut observed = Observed::new(Instant::now());
        observed.take_report(a_report("r1", Phase::Ready), true, Instant::now());
        let mut told = |state| {
            let news = observed.take_sighting(None, state, Instant::now()).unwrap();
            lines(&runner("r1"), &observed, news)
        };
        let crash = "OOMKilled (137), to be run again";
        assert_eq!(told(Seen::Down(crash.to_owned())), [format!("r1: {crash}")]);
        assert_eq!(
            told(Seen::Leaving("terminating".to_owned())),
            ["r1: terminating"]
        );
    }

    #[test]
    fn a_restart_is_told() {
        let news = News::Restarted(Phase::Ready);
        let told_of = told(Some(a_report("r1", Phase::Starting)), None, news);
        assert_eq!(told_of, ["r1 was started again; it had been ready"]);
    }

    #[rstest]
    #[case(Phase::Starting)]
    #[case(Phase::Armed)]
    #[case(Phase::Fired)]
    #[case(Phase::Running)]
    fn what_the_progress_shows_needs_no_line(#[case] phase: Phase) {
        let told_of = told(Some(a_report("r1", phase)), None, News::Phase);
        assert_eq!(told_of, [""; 0]);
    }
}
