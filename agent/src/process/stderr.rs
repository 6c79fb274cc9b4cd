//! k6's standard error: passed through untouched, and its last lines kept for
//! the report.

use std::collections::VecDeque;
use std::io::{IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::process::ChildStderr;
use tokio::sync::oneshot;

/// As many as fit into a report beside the rest.
const LINES: usize = 5;
/// Longer than any line that a report carries; the rest of a line is not kept.
const LINE_BYTES: usize = 1024;
/// One pipe's worth.
const CHUNK: usize = 64 * 1024;
/// How k6 (v1.1.0 and v2.2.0) marks what went wrong, in its text and its JSON log, and how Go's
/// runtime begins a panic's.
const SIGNS_OF_ERROR: [&str; 6] = [
    "level=error",
    "level=fatal",
    "\"level\":\"error\"",
    "\"level\":\"fatal\"",
    "panic:",
    "Error:",
];

/// What k6 (v1.1.0 and v2.2.0) logs as an error when it is stopped by its API, as only we do: no reason for anything.
const STOPPED_BY_US: &str = "test run stopped from REST API";

/// Whether to pass it through this process at all: a terminal is given to k6 itself,
/// which colours its log only there. Whoever sits before it reads the lines there.
#[must_use]
pub fn is_to_be_read() -> bool {
    !std::io::stderr().is_terminal()
}

/// The last lines that k6 wrote.
#[derive(Debug, Clone, Default)]
pub struct Tail(Arc<Mutex<TailState>>);

#[derive(Debug, Clone, Default)]
struct TailState {
    errors: VecDeque<String>,
    others: VecDeque<String>,
    current: Vec<u8>,
}

impl Tail {
    /// The last lines that tell of an error, the newest last; where there is none, the last
    /// lines at all.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut state = self.lock().clone();
        if !state.current.is_empty() {
            state.end_line();
        }
        let lines = if state.errors.is_empty() {
            state.others
        } else {
            state.errors
        };
        lines.into()
    }

    /// The last line that tells of an error.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        let mut state = self.lock().clone();
        if !state.current.is_empty() {
            state.end_line();
        }
        state.errors.pop_back()
    }

    fn take(&self, bytes: &[u8]) {
        let mut state = self.lock();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            let room = LINE_BYTES.saturating_sub(state.current.len());
            state
                .current
                .extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                state.end_line();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, TailState> {
        // Lines that a panicking thread left are as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TailState {
    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.current)).into_owned();
        if line.trim().is_empty() || line.contains(STOPPED_BY_US) {
            return;
        }
        let kept = if SIGNS_OF_ERROR.iter().any(|sign| line.contains(sign)) {
            &mut self.errors
        } else {
            &mut self.others
        };
        kept.push_back(line);
        if kept.len() > LINES {
            kept.pop_front();
        }
    }
}

/// Passes k6's standard error on to ours, on a thread of its own, until k6 (and whoever has it open) closes
/// it. A reader that is slow or stopped so holds up k6, as it would without us, and never the agent.
/// What is returned hears of the end.
///
/// It is read to its end even when ours is closed: k6 would be killed by its next write (SIGPIPE).
///
/// # Errors
/// If the pipe or the thread cannot be had.
pub fn pass_on(from: ChildStderr, tail: Tail) -> std::io::Result<oneshot::Receiver<()>> {
    let mut from = std::fs::File::from(from.into_owned_fd()?);
    let (ended, hears) = oneshot::channel();
    std::thread::Builder::new()
        .name("k6-stderr".to_owned())
        .spawn(move || {
            let mut chunk = vec![0; CHUNK];
            while let Ok(read @ 1..) = from.read(&mut chunk) {
                tail.take(&chunk[..read]);
                let _ = std::io::stderr().write_all(&chunk[..read]);
            }
            // Nobody may be listening any more.
            let _ = ended.send(());
        })?;
    Ok(hears)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_the_newest_is_last() {
        let tail = Tail::default();
        for number in 0..10 {
            tail.take(format!("line {number}\n").as_bytes());
        }
        tail.take(b"half a ");
        tail.take(b"line");
        assert_eq!(
            tail.lines(),
            ["line 6", "line 7", "line 8", "line 9", "half a line"]
        );
    }

    #[test]
    fn lines_that_tell_of_an_error_are_kept_before_all_others() {
        let tail = Tail::default();
        tail.take(b"time=0 level=error msg=\"no luck\"\n");
        for number in 0..10 {
            tail.take(format!("level=info msg=\"bye {number}\"\n").as_bytes());
        }
        assert_eq!(tail.lines(), ["time=0 level=error msg=\"no luck\""]);
        assert_eq!(tail.last_error().as_ref(), tail.lines().last());
    }

    #[test]
    fn a_line_that_tells_of_no_error_is_not_the_last_error() {
        let tail = Tail::default();
        tail.take(b"level=info msg=hello\n");
        assert_eq!(tail.last_error(), None);
    }

    #[test]
    fn what_k6_says_of_being_stopped_by_us_is_not_kept_but_what_comes_with_it_is() {
        let tail = Tail::default();
        tail.take(b"level=error msg=\"test run stopped from REST API\"\n");
        tail.take(b"level=error msg=\"no luck\"\n");
        assert_eq!(tail.lines(), ["level=error msg=\"no luck\""]);
    }

    #[test]
    fn lines_without_end_take_no_memory_without_end() {
        let tail = Tail::default();
        for _ in 0..1000 {
            tail.take(&[b'x'; 10_000]);
        }
        assert_eq!(tail.lines().len(), 1);
        assert!(tail.lines()[0].len() <= LINE_BYTES);
    }
}
