//! The countdown to the instant: a thread of its own, begun once whoever comes after this process can know of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clock::{Cancel, Disturbance};
use rendezvous::LatePolicy;

use super::Runner;
use super::mark::Taken;
use crate::control::api::Api;
use crate::control::trigger::{Order, wait_and_resume};
use crate::decide::instant::Instant;
use crate::decide::machine::{Event, Triggered};
use crate::decide::mark::Mark;

/// The thread that waits for the instant.
pub(super) struct Countdown {
    pub(super) cancel: Cancel,
    pub(super) thread: std::thread::JoinHandle<()>,
}

impl Runner {
    /// Begins to wait for the instant.
    pub(super) fn arm(
        &mut self,
        start_at: DateTime<Utc>,
        late: LatePolicy,
        tolerance: Duration,
        terms: clock::Terms,
    ) {
        self.timekeeper.instant_set(start_at);
        // Without NTP the machine's clock is the only truth, and all runners of a machine read it at the same
        // moment: when the plan comes. From here on its steps change nothing. A clock that was measured stays as it is.
        let stepped = self.clock.anchor_again();
        tracing::debug!(?stepped, "clock read again");
        let armed_written = self.publisher.armed(start_at);
        let Some(owner) = self.api.as_ref().map(Api::owner) else {
            return;
        };
        if let Err(taken) = self.leave_mark(start_at, late) {
            let not_sent = Triggered::NotSent(taken.to_string());
            let _ = self.events.send(Event::Triggered(not_sent));
            return;
        }
        let order = Order {
            instant: Instant {
                start_at,
                late,
                tolerance,
            },
            clock: terms,
            owner,
            spin: self.spin,
        };
        let (clock, cancel, events) = (self.clock.clone(), Cancel::new(), self.events.clone());
        let (called_off, timekeeper) = (cancel.clone(), Arc::clone(&self.timekeeper));
        let thread = std::thread::Builder::new()
            .name("countdown".to_owned())
            .spawn(move || {
                let outgoing = wait_and_resume(&order, &armed_written, &clock, &called_off);
                if let Some(moment) = outgoing.fired {
                    timekeeper.fired(moment);
                }
                let _ = events.send(Event::Triggered(outgoing.triggered));
                tell(&outgoing.disturbances);
            });
        match thread {
            Ok(thread) => self.countdown = Some(Countdown { cancel, thread }),
            Err(error) => {
                let not_sent = Triggered::NotSent(error.to_string());
                let _ = self.events.send(Event::Triggered(not_sent));
            }
        }
    }

    /// Before anything is sent, and before the thread that counts down begins.
    fn leave_mark(&mut self, start_at: DateTime<Utc>, late: LatePolicy) -> Result<(), Taken> {
        let (Some(plan), _) = self.machine.plan() else {
            return Ok(());
        };
        self.mark.leave(&Mark {
            plan: plan.clone(),
            start_at,
            late,
            fired: false,
        })
    }
}

fn tell(disturbances: &[Disturbance]) {
    for disturbance in disturbances {
        tracing::warn!("while waiting: {disturbance}; the instant was kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::Logged;
    use chrono::TimeDelta;

    #[test]
    fn what_happened_to_the_clocks_meanwhile_is_told() {
        let logged = Logged::here();
        let by = TimeDelta::milliseconds(-2_500);
        let asleep = Duration::from_mins(5);
        tell(&[
            Disturbance::WallStepped { by },
            Disturbance::Suspended { asleep },
        ]);
        for what in [
            "the wall clock was stepped by -2.5s",
            "the machine was suspended for 300s",
        ] {
            logged.assert_has(&format!("while waiting: {what}; the instant was kept"));
        }
    }
}
