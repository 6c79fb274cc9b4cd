//! The last words of a runner: one line, which in a pod the kubelet takes over into the container's status. It is there
//! although the runner's log and Lease may be gone, and although the API server was away when it ended.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;

use crate::names::{RunId, StageName};
use crate::report::{Phase, StartReport};

/// All containers of a pod share 12 KiB of such messages, and what is too much is cut off at the end: with a
/// KiB each there is room for twelve.
const MOST_BYTES: usize = 1024;

/// How a runner ended, most important first, as the tail may be cut.
#[derive(Debug)]
pub struct LastWords<'a> {
    /// The last phase.
    pub phase: Phase,
    /// What the agent exits with.
    pub code: u8,
    /// Why.
    pub reason: Option<&'a str>,
    /// The start, if there was one.
    pub start: Option<&'a StartReport>,
    /// Run and stage, where they are known.
    pub stage: Option<(&'a RunId, &'a StageName)>,
    /// The last error line that k6 wrote.
    pub k6_error: Option<&'a str>,
}

impl LastWords<'_> {
    /// The least that there is to say.
    #[must_use]
    pub fn new(phase: Phase, code: u8) -> Self {
        Self {
            phase,
            code,
            reason: None,
            start: None,
            stage: None,
            k6_error: None,
        }
    }

    /// One line of at most 1 KiB, without its end: it stands in tables.
    #[must_use]
    pub fn line(&self) -> String {
        const END: &str = "…";
        let mut line: String = self
            .to_string()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if line.len() > MOST_BYTES {
            line.truncate(line.floor_char_boundary(MOST_BYTES - END.len()));
            line.push_str(END);
        }
        line
    }
}

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.phase, self.code)?;
        if let Some(reason) = self.reason {
            write!(f, ": {reason}")?;
        }
        if let Some(start) = self.start {
            write!(f, "{LATENESS}{:+.3} ms", millis(start.lateness))?;
            match start.clock_error {
                Some(bound) => write!(f, "{ERROR}{:.3} ms", bound.as_secs_f64() * 1e3)?,
                None => f.write_str(UNMEASURED)?,
            }
            if start.clock_jumped {
                f.write_str(JUMPED)?;
            }
        }
        if let Some((run, stage)) = self.stage {
            f.write_str(&of_stage(run, stage))?;
        }
        match self.k6_error {
            Some(error) => write!(f, "{K6}{error}"),
            None => Ok(()),
        }
    }
}

const LATENESS: &str = "; lateness ";
const ERROR: &str = ", clock error ";
const UNMEASURED: &str = ", clock error unmeasured";
const JUMPED: &str = ", and the clock jumped";
const K6: &str = "; k6: ";

fn of_stage(run: &RunId, stage: &StageName) -> String {
    format!("; run {run}, stage {stage}")
}

/// Milliseconds with their fraction, for people.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn millis(delta: TimeDelta) -> f64 {
    delta.num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0
}

/// What the last words of a runner say, as far as it can be read out of them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The last phase.
    pub phase: Phase,
    /// What the agent exited with.
    pub code: u8,
    /// Why.
    pub reason: Option<String>,
    /// The start, if there was one.
    pub start: Option<ToldStart>,
}

/// What the last words say of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldStart {
    /// When the runner fired, minus the instant; to the microsecond.
    pub lateness: TimeDelta,
    /// The most by which that may be wrong, what was rounded off included. `None`: nobody has measured it.
    pub clock_error: Option<Duration>,
    /// Whether the clock was found to have jumped around the start.
    pub clock_jumped: bool,
}

/// What was rounded off of lateness and error together, at most.
const ROUNDED: Duration = Duration::from_micros(2);

/// Reads the last words of a runner of this run and stage; those of another one, or what is nothing of ours, say nothing.
#[must_use]
pub fn read(line: &str, run: &RunId, stage: &StageName) -> Option<Told> {
    let line = line.trim_end_matches('\n');
    let mark = of_stage(run, stage);
    let ends = |at: &usize| {
        let rest = &line[at + mark.len()..];
        rest.is_empty() || rest.starts_with(K6)
    };
    // k6's own words come after it, and may say anything.
    let at = line.match_indices(&mark).map(|(at, _)| at).find(ends)?;
    let said = &line[..at];
    let (end, start) = match said.rsplit_once(LATENESS) {
        Some((end, start)) => match start_of(start) {
            Some(start) => (end, Some(start)),
            None => (said, None),
        },
        None => (said, None),
    };
    let (phase, rest) = end.split_once(" (")?;
    let (code, reason) = rest.split_once(')')?;
    let reason = match reason {
        "" => None,
        reason => Some(reason.strip_prefix(": ")?.to_owned()),
    };
    let phase: Phase = serde_json::from_value(Value::from(phase)).ok()?;
    let code = code.parse().ok()?;
    phase.is_final().then_some(Told {
        phase,
        code,
        reason,
        start,
    })
}

fn start_of(text: &str) -> Option<ToldStart> {
    let jumped = text.strip_suffix(JUMPED);
    let text = jumped.unwrap_or(text);
    let (lateness, clock_error) = match text.strip_suffix(UNMEASURED) {
        Some(lateness) => (lateness, None),
        None => {
            let (lateness, error) = text.split_once(ERROR)?;
            let error = u64::try_from(micros(error)?).ok()?;
            let error = Duration::from_micros(error).checked_add(ROUNDED)?;
            (lateness, Some(error))
        }
    };
    Some(ToldStart {
        lateness: TimeDelta::microseconds(micros(lateness)?),
        clock_error,
        clock_jumped: jumped.is_some(),
    })
}

/// Of a number of milliseconds with three decimals; a year at most.
fn micros(text: &str) -> Option<i64> {
    let (whole, decimals) = text.strip_suffix(" ms")?.split_once('.')?;
    let (is_negative, whole) = match whole.strip_prefix('-') {
        Some(whole) => (true, whole),
        None => (false, whole.strip_prefix('+').unwrap_or(whole)),
    };
    let digits = format!("{whole}{decimals}");
    let is_number = (4..=17).contains(&digits.len())
        && decimals.len() == 3
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    let micros: i64 = digits.parse().ok().filter(|_| is_number)?;
    let micros = if is_negative { -micros } else { micros };
    (micros.abs() <= TimeDelta::days(366).num_microseconds()?).then_some(micros)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn start(clock_error: Option<Duration>) -> StartReport {
        StartReport {
            fired_at: "2026-06-01T12:00:00Z".parse().unwrap(),
            lateness: TimeDelta::microseconds(213),
            clock_error,
            running_at: None,
            load_at: None,
            clock_jumped: false,
        }
    }

    fn ids() -> (RunId, StageName) {
        (RunId::new("r1").unwrap(), StageName::new("main").unwrap())
    }

    fn told(line: &str) -> Option<Told> {
        let (run, stage) = ids();
        read(line, &run, &stage)
    }

    #[test]
    fn what_matters_most_comes_first() {
        let (run, stage) = ids();
        let start = start(Some(Duration::from_micros(1500)));
        let words = LastWords {
            phase: Phase::Finished,
            code: 255,
            reason: Some("k6 was killed by signal 9"),
            start: Some(&start),
            stage: Some((&run, &stage)),
            k6_error: Some("level=error msg=\"no luck\""),
        };
        assert_eq!(
            words.line(),
            "finished (255): k6 was killed by signal 9; lateness +0.213 ms, clock error 1.500 ms; run r1, stage main; \
             k6: level=error msg=\"no luck\""
        );
    }

    #[test]
    fn what_is_not_known_is_not_told_except_that_the_clock_is_unmeasured() {
        assert_eq!(LastWords::new(Phase::Finished, 0).line(), "finished (0)");
        let start = start(None);
        let mut words = LastWords::new(Phase::Finished, 0);
        words.start = Some(&start);
        assert_eq!(
            words.line(),
            "finished (0); lateness +0.213 ms, clock error unmeasured"
        );
    }

    #[test]
    fn a_clock_that_jumped_is_told() {
        let mut start = start(None);
        start.clock_jumped = true;
        let mut words = LastWords::new(Phase::Finished, 0);
        words.start = Some(&start);
        let line = words.line();
        assert!(line.ends_with(", and the clock jumped"), "{line}");
    }

    #[rstest]
    #[case::anothers_run("finished (0); run r2, stage main")]
    #[case::anothers_stage("finished (0); run r1, stage main-2")]
    #[case::cut("failed (69): it is so long that…")]
    #[case::no_end("running (0); run r1, stage main")]
    #[case::no_phase("on fire (0); run r1, stage main")]
    #[case::no_code("finished (1000); run r1, stage main")]
    #[case::somebody_elses("Segmentation fault (core dumped)")]
    #[case::none("")]
    fn what_is_none_of_the_runners_says_nothing(#[case] line: &str) {
        assert_eq!(told(line), None);
    }

    #[rstest]
    #[case::no_number("soon ms, clock error unmeasured")]
    #[case::no_unit("+0.213, clock error unmeasured")]
    #[case::not_as_it_is_written("+0.2 ms, clock error unmeasured")]
    #[case::two_signs("+-0.213 ms, clock error unmeasured")]
    #[case::for_ever("+99999999999999.000 ms, clock error unmeasured")]
    #[case::too_long("+99999999999999999999.000 ms, clock error unmeasured")]
    #[case::an_error_below_zero("+0.213 ms, clock error -1.000 ms")]
    #[case::no_error("+0.213 ms")]
    fn a_start_that_cannot_be_read_is_none(#[case] start: &str) {
        let line = format!("finished (0); lateness {start}; run r1, stage main");
        assert_eq!(told(&line).and_then(|told| told.start), None);
    }

    #[test]
    fn k6_cannot_say_it_in_the_runners_place() {
        let line = "failed (107): k6 ended; run r1, stage main; k6: finished (0); lateness +0.001 ms, clock error \
                    unmeasured; run r1, stage main";
        let told = told(line).unwrap();
        assert_eq!(
            (told.phase, told.code, told.start),
            (Phase::Failed, 107, None)
        );
        assert_eq!(told.reason.as_deref(), Some("k6 ended"));
    }

    proptest! {
        #[test]
        fn it_is_one_line_of_a_kibibyte_at_most(reason in "(?s).{0,2000}", error in "(?s).{0,2000}") {
            let mut words = LastWords::new(Phase::Failed, 64);
            words.reason = Some(&reason);
            words.k6_error = Some(&error);
            let line = words.line();
            prop_assert!(line.len() <= MOST_BYTES);
            prop_assert!(line.starts_with("failed (64): "));
            prop_assert!(!line.contains(char::is_control));
        }

        #[test]
        fn what_is_said_is_read_again(
            code: u8,
            late_us in -9_000_000_000i64..9_000_000_000,
            error_ns in prop::option::of(0u64..1_000_000_000_000),
            clock_jumped: bool,
            reason in prop::option::of("[ -~]{1,100}"),
            k6_error in prop::option::of("[ -~]{1,100}"),
        ) {
            let (run, stage) = ids();
            let clock_error = error_ns.map(Duration::from_nanos);
            let lateness = TimeDelta::microseconds(late_us);
            let start = StartReport { lateness, clock_jumped, ..start(clock_error) };
            let words = LastWords {
                phase: Phase::Finished,
                code,
                reason: reason.as_deref(),
                start: Some(&start),
                stage: Some((&run, &stage)),
                k6_error: k6_error.as_deref(),
            };
            let told = told(&words.line()).unwrap();
            prop_assert_eq!((told.phase, told.code, told.reason), (Phase::Finished, code, reason));
            let read = told.start.unwrap();
            prop_assert_eq!((read.lateness, read.clock_jumped), (lateness, clock_jumped));
            prop_assert_eq!(read.clock_error.is_some(), clock_error.is_some());
            if let Some((read, true_one)) = read.clock_error.zip(clock_error) {
                prop_assert!(read >= true_one && read - true_one <= 2 * ROUNDED);
            }
        }

        #[test]
        fn whatever_stands_there_is_read_without_harm(line in "(?s).{0,300}") {
            let _ = told(&line);
            let _ = told(&format!("{line}; run r1, stage main"));
        }
    }
}
