//! How far it has got, as it happens: one line that changes on a terminal, plain
//! lines elsewhere, not too many of them.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tracing::info;

use super::console::Console;
use super::view::View;

/// The least time between two plain lines: what changes faster, a log need not hold.
const LEAST_PAUSE: Duration = Duration::from_secs(2);

/// Shows how far it has got.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    pace: Pace,
}

impl Progress {
    /// Shows it on a console.
    #[must_use]
    pub fn on(console: &Console) -> Self {
        let bar = console.bar();
        // A template of ours, which is known to be one.
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            pace: Pace::default(),
        }
    }

    /// Shows nothing anywhere but in the log.
    #[cfg(test)]
    pub fn silent() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            pace: Pace::default(),
        }
    }

    /// Shows how far it has got now.
    pub fn show(&mut self, view: &View, now: Instant) {
        if self.bar.is_hidden() {
            if self.pace.is_due(view, now) {
                info!("{}", view.line);
            }
            return;
        }
        self.bar.update(|state| {
            state.set_len(view.of as u64);
            state.set_pos(view.done.min(view.of) as u64);
        });
        self.bar.set_message(view.line.clone());
    }

    /// Takes the changing line away; what was printed stays.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// When the next plain line is due.
#[derive(Debug, Default)]
struct Pace {
    last: Option<(Instant, String)>,
}

impl Pace {
    fn is_due(&mut self, view: &View, now: Instant) -> bool {
        let due = self.last.as_ref().is_none_or(|(at, what)| {
            let pause = now.saturating_duration_since(*at);
            pause >= view.quiet || pause >= LEAST_PAUSE && *what != view.what
        });
        if due {
            self.last = Some((now, view.what.clone()));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seconds;

    #[test]
    fn a_line_is_due_soon_if_something_changed_and_else_after_a_while() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut due = |at: u64, what: &str| {
            let view = View {
                done: 0,
                of: 1,
                what: what.to_owned(),
                line: String::new(),
                quiet: seconds(10),
            };
            pace.is_due(&view, start + seconds(at))
        };
        assert!(due(0, "0 ready"), "the first");
        assert!(!due(1, "1 ready"), "too soon");
        assert!(due(2, "1 ready"), "changed");
        assert!(!due(11, "1 ready"), "nothing new");
        assert!(due(12, "1 ready"), "still there");
    }
}
