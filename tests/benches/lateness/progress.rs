//! What is told while the figures come in: on a terminal only, a log has no use for it.

use indicatif::{ProgressBar, ProgressStyle};

/// A count of so many steps of this kind. It goes when it is dropped.
pub fn progress(what: &str, steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}: {pos} of {len}").unwrap();
    let bar = ProgressBar::new(steps.try_into().unwrap()).with_style(style);
    bar.with_message(what.to_owned())
}
