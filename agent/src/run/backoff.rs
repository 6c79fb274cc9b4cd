//! How long to leave a store alone that has failed.

use std::time::Duration;

use rendezvous::pace;

/// After the first failure; twice as long after each one more. Often enough for whoever waits for it.
const FIRST: Duration = Duration::from_secs(1);
/// However often it failed: once the store is back, nobody is blind for longer.
const LONGEST: Duration = Duration::from_secs(4);

/// Pauses that grow with each failure in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Something went well.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Something failed: how long to wait, with a part left to chance, so that runners that lost their store
    /// together do not come back together.
    pub fn after_failure(&mut self) -> Duration {
        let pause = LONGEST.min(FIRST * 2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        some_jitter(pause)
    }
}

/// A pause, some of it left to chance.
pub fn some_jitter(pause: Duration) -> Duration {
    pace::with_jitter(pause, rand::random_range(-1.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        for about in [1, 2, 4, 4, 4] {
            let pause = backoff.after_failure();
            let part = pause.as_secs_f64() / f64::from(about);
            assert!((0.79..1.21).contains(&part), "{pause:?}");
        }
        backoff.reset();
        assert!(backoff.after_failure() < FIRST * 2);
    }
}
