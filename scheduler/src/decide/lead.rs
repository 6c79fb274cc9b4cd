//! How far ahead an instant has to be for all runners to hear of it.

use std::time::Duration;

use rendezvous::kubernetes::LONGEST_CALL;
use rendezvous::pace;

/// What a runner needs from hearing of the instant until the scheduler has seen that it is armed: a
/// measurement of its clock and a write, and 2 s before the instant it has to be there.
const ARMING: Duration = Duration::from_secs(3);

/// The least lead on Kubernetes, for so many runners. A runner whose watch has died without
/// anybody having said so hears of the instant by its next poll, the request of which may have to
/// time out first.
#[must_use]
pub fn least_on_kubernetes(wanted: u32) -> Duration {
    pace::with_jitter(pace::poll_every(wanted), 1.0) + LONGEST_CALL + ARMING
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::few(6, 20)]
    #[case::a_thousand(1_000, 20)]
    #[case::many_that_poll_more_rarely(5_000, 68)]
    fn it_grows_with_the_number_of_runners(#[case] runners: u32, #[case] seconds: u64) {
        assert_eq!(least_on_kubernetes(runners), Duration::from_secs(seconds));
    }
}
