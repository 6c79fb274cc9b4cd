//! Where the last words of the container go: the kubelet takes them over into the pod's status, so that
//! `kubectl describe pod` says how a runner ended, although its log and its Lease may be gone.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use rendezvous::LastWords;

use crate::cli::Cli;

/// Where the kubelet looks unless the container's `terminationMessagePath` says otherwise.
const USUAL_PATH: &str = "/dev/termination-log";
/// A line into a file on the node takes microseconds. Whatever keeps it longer must not keep the exit.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

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
    use rendezvous::Phase;

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
        assert_eq!(stands, "failed (69)");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_no_trouble() {
        let words = LastWords::new(Phase::Failed, 69);
        TerminationLog::new(Some("/nowhere/at/all".into()), true).write(&words);
        TerminationLog::new(None, false).write(&words);
    }
}
