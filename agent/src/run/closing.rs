//! The measurement just after the start, where k6 has ended before it.

use std::time::Duration;

use clock::Closing;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Runner;
use crate::decide::machine::Event;

/// How long k6's exit code may wait for it. A near server answers within milliseconds; a round of known servers that
/// do not answer takes 1.5 s, and what is not known by then is not worth waiting for.
const CLOSING_WITHIN: Duration = Duration::from_secs(2);

impl Runner {
    /// Has the clock measured now, if it was to be measured after the start and has not been yet: a load of a second is
    /// over before that, and there is nothing left that a measurement could disturb.
    pub(super) async fn close_start(&mut self, inbox: &mut UnboundedReceiver<Event>) {
        if !self.is_measured || self.machine.start().is_none() || self.is_closed() {
            return;
        }
        self.timekeeper.close();
        let closed = async {
            while !self.is_closed() {
                let Some(event) = inbox.recv().await else {
                    return;
                };
                self.take(event);
            }
        };
        in_time(closed).await;
        // The news of it may not have been read yet.
        self.take(Event::ClockMeasured);
    }

    fn is_closed(&self) -> bool {
        let firing = self.clock.knowledge().firing;
        firing.is_some_and(|firing| firing.closing != Closing::Awaited)
    }
}

/// Waits for the measurement, and says so where it does not come in time.
async fn in_time(closed: impl Future<Output = ()>) {
    if tokio::time::timeout(CLOSING_WITHIN, closed).await.is_err() {
        tracing::warn!(
            "the clock could not be measured within {CLOSING_WITHIN:?} after the load: a jump around the start cannot be ruled out"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::Logged;

    #[tokio::test]
    async fn a_measurement_that_does_not_come_is_not_waited_for_for_ever() {
        let logged = Logged::here();
        in_time(std::future::pending()).await;
        logged.assert_has(
            "the clock could not be measured within 2s after the load: a jump around the start cannot be ruled out",
        );
    }
}
