//! How far ahead an instant has to be for all runners to hear of it.

use std::time::Duration;

use rendezvous::kubernetes::LONGEST_CALL;
use rendezvous::pace;

/// The least time between deciding on an instant and the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeastLead {
    /// How long it may take until the instant stands in the store.
    pub writing: Duration,
    /// What has to be left then, so that every runner hears of it in time.
    pub hearing: Duration,
}

impl LeastLead {
    /// In a directory. A runner polls it every 100 ms and then still has to arm; on a machine that is busy with
    /// building VUs that has to fit several times over.
    pub const IN_A_DIRECTORY: Self = Self {
        writing: Duration::from_millis(500),
        hearing: Duration::from_millis(500),
    };

    /// On Kubernetes, for so many runners. One whose watch has died without anybody having said so hears of the instant
    /// by its next poll, the request of which may have to time out first; then it waits for its turn to say that it
    /// is armed. Of the requests that write the instant one may have to time out as well.
    #[must_use]
    pub fn on_kubernetes(wanted: u32) -> Self {
        let next_poll = pace::with_jitter(pace::poll_every(wanted), 1.0);
        Self {
            writing: LONGEST_CALL,
            hearing: next_poll + LONGEST_CALL + pace::spread(wanted) + pace::ARMING,
        }
    }

    /// The whole of it.
    #[must_use]
    pub const fn whole(self) -> Duration {
        self.writing.saturating_add(self.hearing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::few(6, 25_000)]
    #[case::a_thousand_that_arm_one_after_another(1_000, 29_500)]
    #[case::many_that_poll_more_rarely(5_000, 97_500)]
    fn it_grows_with_the_number_of_runners(#[case] runners: u32, #[case] millis: u64) {
        let least = LeastLead::on_kubernetes(runners);
        assert_eq!(least.whole(), Duration::from_millis(millis));
    }
}
