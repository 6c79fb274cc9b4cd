//! k6's standard error: passed through untouched, and its last lines kept for
//! the report.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;

/// As many as fit into a report beside the rest.
const LINES: usize = 5;
/// Longer than any line that a report carries; the rest of a line is not kept.
const LINE_BYTES: usize = 1024;
/// One pipe's worth.
const CHUNK: usize = 64 * 1024;

/// Whether to pass it through this process at all: a terminal is given to k6 itself,
/// which colours its log only there.
#[must_use]
pub fn is_to_be_read() -> bool {
    !std::io::stderr().is_terminal()
}

/// The last lines that k6 wrote.
#[derive(Debug, Clone, Default)]
pub struct Tail(Arc<Mutex<TailState>>);

#[derive(Debug, Default)]
struct TailState {
    lines: VecDeque<String>,
    current: Vec<u8>,
}

impl Tail {
    /// The last lines, the newest last.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = state.lines.iter().cloned().collect();
        if !state.current.is_empty() {
            lines.push(String::from_utf8_lossy(&state.current).into_owned());
        }
        lines
    }

    fn take(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
                let line =
                    String::from_utf8_lossy(&std::mem::take(&mut state.current)).into_owned();
                if !line.trim().is_empty() {
                    state.lines.push_back(line);
                }
                if state.lines.len() > LINES {
                    state.lines.pop_front();
                }
            }
        }
    }
}

/// Passes k6's standard error on to ours until k6 (and whoever has it open) closes it.
/// It is read to its end even when ours is closed: k6 would be killed by its next write (SIGPIPE).
pub fn pass_on(mut from: ChildStderr, tail: Tail) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut chunk = vec![0; CHUNK];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            tail.take(&chunk[..read]);
            // A reader that is slow makes k6 slow, as without us; one that has gone is ignored.
            let _ = std::io::stderr().write_all(&chunk[..read]);
        }
    })
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
            [
                "line 5",
                "line 6",
                "line 7",
                "line 8",
                "line 9",
                "half a line"
            ]
        );
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
