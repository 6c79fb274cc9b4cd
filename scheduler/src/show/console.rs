//! Standard error and standard output. A reader that went away is no reason to fail: the
//! start goes on, and its exit code tells what came of it.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget};
use tracing_subscriber::fmt::MakeWriter;

/// Standard error, shared by the log and by the one line that changes.
#[derive(Debug, Clone)]
pub struct Console {
    bar: ProgressBar,
}

impl Console {
    /// Standard error. The changing line is there on a terminal only.
    #[must_use]
    pub fn stderr() -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bar: ProgressBar::with_draw_target(Some(0), target),
        }
    }

    /// Prints a line.
    pub fn line(&self, text: &str) {
        // Never fails, as nobody is left to be told of it.
        let _ = LogLine(self.bar()).write(format!("{text}\n").as_bytes());
    }

    /// The line that changes.
    #[must_use]
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

/// Writes one log line above the line that changes.
#[derive(Debug)]
pub struct LogLine(ProgressBar);

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| {
            // Nobody is left to be told of it.
            let _ = io::stderr().write_all(line);
        });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Console {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine(self.bar())
    }
}

/// Prints a result on standard output.
pub fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    // Nobody is left to be told of it.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
