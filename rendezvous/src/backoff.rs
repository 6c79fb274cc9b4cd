//! How long to leave a store alone that has failed.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// However many failures there were: once the store is back, nobody is blind for longer.
const LONGEST: Duration = Duration::from_secs(4);
/// The part of a pause that is left to chance, so that runners that lost their server together
/// do not come back together: with it, the longest pause is 5 s, and the mean of all is 3.7 s. A runner makes three
/// kinds of requests (it watches, polls and reports), together fewer than one a second.
const SHARE: std::ops::RangeInclusive<f64> = 0.6..=1.25;

/// Pauses that double with each failure in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Something went well: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Something failed: how long to wait now.
    #[must_use]
    pub fn after_failure(&mut self) -> Duration {
        let pause = LONGEST.min(FIRST * 2_u32.saturating_pow(self.failures.min(8)));
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(rand::random_range(SHARE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(pause: Duration, nominal: u64) -> bool {
        let share = pause.as_secs_f64() / Duration::from_secs(nominal).as_secs_f64();
        (0.599..=1.251).contains(&share)
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        for nominal in [1, 2, 4, 4, 4] {
            let pause = backoff.after_failure();
            assert!(
                within(pause, nominal),
                "{pause:?} and not about {nominal} s"
            );
        }
        for _ in 0..1_000 {
            assert!(backoff.after_failure() <= Duration::from_secs(5));
        }
        backoff.reset();
        assert!(within(backoff.after_failure(), 1));
    }

    #[test]
    fn no_two_wait_alike() {
        let pauses: std::collections::BTreeSet<Duration> = (0..100)
            .map(|_| Backoff::default().after_failure())
            .collect();
        assert!(pauses.len() > 50, "{pauses:?}");
    }

    #[test]
    fn in_the_long_run_three_of_them_make_less_than_one_attempt_a_second() {
        let mut backoff = Backoff::default();
        let all: Duration = (0..1_000).map(|_| backoff.after_failure()).sum();
        assert!(all > Duration::from_secs(3_500), "{all:?}");
    }
}
