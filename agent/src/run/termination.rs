//! The last words of the container: one line, which the kubelet takes over into the pod's status, so that
//! `kubectl describe pod` says how a runner ended, although its log and its Lease may be gone.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use rendezvous::{Phase, RunId, StageName, StartReport};

use super::millis;
use crate::cli::Cli;

/// Where the kubelet looks unless the container's `terminationMessagePath` says otherwise.
const USUAL_PATH: &str = "/dev/termination-log";
/// All containers of a pod share 12 KiB of such messages, and what is too much is cut off at the end: with a
/// KiB each there is room for twelve.
const MOST_BYTES: usize = 1024;
/// A line into a file on the node takes microseconds. Whatever keeps it longer must not keep the exit.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

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

    /// One line of at most 1 KiB, with its end.
    fn line(&self) -> String {
        const END: &str = "…\n";
        let mut line: String = self
            .to_string()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if line.len() >= MOST_BYTES {
            line.truncate(line.floor_char_boundary(MOST_BYTES - END.len()));
            line.push_str(END);
        } else {
            line.push('\n');
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
            write!(f, "; lateness {:+.3} ms", millis(start.lateness))?;
            match start.clock_error {
                Some(bound) => write!(f, ", clock error {:.3} ms", bound.as_secs_f64() * 1e3)?,
                None => write!(f, ", clock error unmeasured")?,
            }
            if start.clock_jumped {
                write!(f, ", and the clock jumped")?;
            }
        }
        if let Some((run, stage)) = self.stage {
            write!(f, "; run {run}, stage {stage}")?;
        }
        match self.k6_error {
            Some(error) => write!(f, "; k6: {error}"),
            None => Ok(()),
        }
    }
}

/// Where the last words go; nowhere, outside a pod.
#[derive(Debug)]
pub struct TerminationLog(Option<PathBuf>);

impl TerminationLog {
    /// The file that was given; else, in a pod, the usual one where it is there.
    #[must_use]
    pub fn new(given: Option<PathBuf>, in_pod: bool) -> Self {
        let usual = || Some(PathBuf::from(USUAL_PATH)).filter(|path| in_pod && path.exists());
        Self(given.or_else(usual))
    }

    /// As the command line has it.
    #[must_use]
    pub fn of(cli: &Cli) -> Self {
        Self::new(cli.termination_log.clone(), cli.is_in_pod())
    }

    /// Writes them, in place of what stands there. Takes a second at most, and changes nothing if it fails.
    pub fn write(&self, words: &LastWords<'_>) {
        let Some(path) = self.0.clone() else { return };
        let (sender, written) = channel();
        let (line, shown) = (words.line(), path.display().to_string());
        let thread = std::thread::Builder::new()
            .name("last-words".to_owned())
            .spawn(move || {
                // Nobody listens after the time.
                let _ = sender.send(put(&path, &line));
            });
        let result = match thread {
            Err(error) => Err(error.to_string()),
            Ok(_) => match written.recv_timeout(WRITTEN_WITHIN) {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(_) => Err(format!("it took longer than {WRITTEN_WITHIN:?}")),
            },
        };
        if let Err(error) = result {
            tracing::warn!("cannot write the termination message to {shown}: {error}");
        }
    }
}

fn put(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

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

    #[test]
    fn what_matters_most_comes_first() {
        let (run, stage) = (RunId::new("r1").unwrap(), StageName::new("main").unwrap());
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
             k6: level=error msg=\"no luck\"\n"
        );
    }

    #[test]
    fn what_is_not_known_is_not_told_except_that_the_clock_is_unmeasured() {
        assert_eq!(LastWords::new(Phase::Finished, 0).line(), "finished (0)\n");
        let start = start(None);
        let mut words = LastWords::new(Phase::Finished, 0);
        words.start = Some(&start);
        assert_eq!(
            words.line(),
            "finished (0); lateness +0.213 ms, clock error unmeasured\n"
        );
    }

    #[test]
    fn a_clock_that_jumped_is_told() {
        let mut start = start(None);
        start.clock_jumped = true;
        let mut words = LastWords::new(Phase::Finished, 0);
        words.start = Some(&start);
        let line = words.line();
        assert!(line.ends_with(", and the clock jumped\n"), "{line}");
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
            prop_assert_eq!(line.find(char::is_control), Some(line.len() - 1));
        }
    }

    #[test]
    fn it_takes_the_place_of_what_stands_there() {
        let path = std::env::temp_dir().join(format!("tminus-last-words-{}", std::process::id()));
        std::fs::write(
            &path,
            "something that is much longer than the last words are",
        )
        .unwrap();
        TerminationLog::new(Some(path.clone()), false).write(&LastWords::new(Phase::Failed, 69));
        let stands = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(stands, "failed (69)\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_no_trouble() {
        let words = LastWords::new(Phase::Failed, 69);
        TerminationLog::new(Some("/nowhere/at/all".into()), true).write(&words);
        TerminationLog::new(None, false).write(&words);
    }
}
