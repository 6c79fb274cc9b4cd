//! How long a round may go on.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Whether a round was called off is looked at this often: soon enough for
/// somebody who ends the program, and no load.
const LOOK: Duration = Duration::from_millis(50);

/// The end of a round: at a time, or when it is called off. (By a clock that may
/// be slewed; what is measured is not.)
#[derive(Clone, Copy)]
pub(super) struct Limit<'a> {
    until: Instant,
    called_off: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> Limit<'a> {
    /// From now for `at_most`, or until `called_off`.
    pub(super) fn new(at_most: Duration, called_off: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self {
            until: Instant::now() + at_most,
            called_off,
        }
    }

    /// The same, with an earlier end.
    pub(super) fn at_most(self, at_most: Duration) -> Self {
        Self {
            until: self.until.min(Instant::now() + at_most),
            ..self
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    pub(super) fn is_called_off(&self) -> bool {
        (self.called_off)()
    }

    /// What is left of it; zero if it was called off.
    pub(super) fn left(&self) -> Duration {
        if self.is_called_off() {
            Duration::ZERO
        } else {
            self.until.saturating_duration_since(Instant::now())
        }
    }

    /// How long to wait for something before looking at the limit again.
    pub(super) fn slice(&self) -> Duration {
        self.left().min(LOOK)
    }

    /// Blocks until the limit is over.
    pub(super) fn pause(&self) {
        while !self.is_over() {
            thread::sleep(self.slice());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn it_is_over_at_its_end() {
        let limit = Limit::new(LONG, &|| false);
        assert!(!limit.is_over());
        assert_eq!(limit.slice(), LOOK);
        let shorter = limit.at_most(Duration::from_millis(5));
        shorter.pause();
        assert!(shorter.is_over() && !limit.is_over());
        assert!(limit.at_most(2 * LONG).left() <= LONG);
    }

    #[test]
    fn it_is_over_when_it_is_called_off() {
        let looks = AtomicU32::new(0);
        let called_off = || looks.fetch_add(1, Ordering::Relaxed) > 2;
        let limit = Limit::new(LONG, &called_off);
        limit.pause();
        assert!(limit.is_over());
        assert_eq!(limit.slice(), Duration::ZERO);
    }
}
