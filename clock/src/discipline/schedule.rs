//! When to measure next.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::LAST_SECOND;
use crate::{Moment, Reading, ntp::Occasion, span};

/// From the end of one round to the next, give or take a fifth, so that the runners
/// of a cluster do not ask in step. Near servers are asked in every such round,
/// others in about every fourth ([`Occasion::Waiting`] knows which). At the 500 ppm
/// that are assumed at first the bound grows by 8 ms in this time.
const INTERVAL: Duration = Duration::from_secs(16);
const JITTER: f64 = 0.2;

/// From one round to the next while nothing is known, because nobody answers or no
/// majority agrees: the runner can do nothing but wait for it, and a server or a
/// network that comes up is found within seconds. Each is asked two questions at
/// most if it keeps silent, so a thousand runners ask some 500 a second.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// From one round to the next while there is a doubt to be settled: as long as the
/// answers that settle it have to lie apart.
const DOUBT: Duration = Duration::from_secs(2);

/// The final round begins at a random moment from 8 to 3 s before the instant: late
/// enough for the bound to have grown by 4 ms at most, early enough to be over
/// before the last second, and spread so that a thousand runners do not ask a
/// server at once.
const FINAL: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(8));

/// The closing round begins at a random moment from 0.2 to 3 s after the firing: it
/// must not disturb the start, and its bound grows while it is carried back.
const CLOSING: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3));

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The first measurement.
    Start,
    /// The same again, as it brought nothing.
    Retry,
    /// Keeping the bound small while waiting.
    Waiting,
    /// Settling a doubt, or keeping a bound within the budget that is about to
    /// leave it.
    Doubt,
    /// The last one before the instant.
    Final,
    /// The one just after the firing.
    Closing,
}

impl Purpose {
    /// What the servers are asked as.
    pub(crate) fn occasion(self) -> Occasion {
        match self {
            Self::Start => Occasion::Start,
            Self::Retry => Occasion::Retry,
            Self::Waiting => Occasion::Waiting,
            Self::Doubt | Self::Final | Self::Closing => Occasion::Final,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing for so long, unless something happens.
    Wait(Duration),
    /// Hold a round.
    Round(Purpose),
}

/// How much in need of a measurement the clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// None in particular.
    Ordinary,
    /// Nothing is known.
    Lost,
    /// It is synchronised, and its bound would leave the budget if nobody answered
    /// in the next round. Far servers, asked every 64 s as they like it, could not
    /// keep it within at 500 ppm; a runner would be fit and unfit by turns.
    Thin,
    /// There is a doubt.
    Urgent,
}

/// The rounds to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schedule {
    last: Option<Last>,
    /// How many rounds in a row have brought nothing that could be known.
    in_vain: usize,
    /// When the last round ended that may have resolved names.
    resolved: Option<Moment>,
    instant: Option<Instant>,
    closing: Option<Moment>,
}

/// A round that was held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// What for.
    pub(crate) purpose: Purpose,
    /// When it ended.
    pub(crate) end: Moment,
    /// Whether somebody answered.
    pub(crate) answered: bool,
    /// Whether nothing is known after it.
    pub(crate) in_vain: bool,
}

/// The last round.
#[derive(Debug, Clone, Copy)]
struct Last {
    end: Moment,
    /// From there to the next one in the ordinary.
    interval: Duration,
    /// The same while nothing is known.
    retry: Duration,
    answered: bool,
}

/// The instant to come.
#[derive(Debug, Clone, Copy)]
struct Instant {
    at: DateTime<Utc>,
    /// How long before it the final round begins; none once it has been held.
    lead: Option<Duration>,
}

impl Schedule {
    /// What to do at `now`, when the clock shows `reading`.
    pub(crate) fn next(&self, now: Moment, reading: &Reading, need: Need) -> Next {
        let Some(last) = self.last else {
            return Next::Round(Purpose::Start);
        };
        if let Some(closing) = self.closing {
            return due(closing, now, Purpose::Closing);
        }
        let ordinary = || match need {
            Need::Urgent => due(last.end.plus(DOUBT), now, self.settling(last, now)),
            Need::Lost => due(last.end.plus(last.retry), now, Purpose::Retry),
            Need::Thin => due(last.end.plus(last.interval), now, Purpose::Doubt),
            Need::Ordinary => due(last.end.plus(last.interval), now, Purpose::Waiting),
        };
        let Some(instant) = self.instant else {
            return ordinary();
        };
        let left = instant.at - reading.held;
        let until = |before: Duration| Next::Wait(span::positive(left - span::signed(before)));
        if left <= -span::signed(CLOSING.1) {
            // It was let pass.
            return ordinary();
        }
        if left <= LAST_SECOND {
            return Next::Wait(span::positive(left + span::signed(CLOSING.1)));
        }
        match instant.lead {
            Some(lead) if left <= span::signed(lead) => Next::Round(Purpose::Final),
            Some(lead) if need == Need::Urgent => sooner(ordinary(), until(lead)),
            Some(lead) => {
                // An ordinary round that could last into the final one is left out.
                let room = FINAL.1 + Purpose::Waiting.occasion().limit();
                match ordinary() {
                    Next::Round(_) if left <= span::signed(room) => until(lead),
                    other => sooner(other, until(lead)),
                }
            }
            None if need == Need::Urgent => ordinary(),
            None => until(Duration::ZERO),
        }
    }

    /// The instant is set. `luck`, from 0 to 1, decides when the final round is.
    pub(crate) fn set_instant(&mut self, at: DateTime<Utc>, luck: f64) {
        let lead = Some(within(FINAL, luck));
        self.instant = Some(Instant { at, lead });
    }

    /// The instant has come, and was acted upon at `at`.
    pub(crate) fn fire(&mut self, at: Moment, luck: f64) {
        self.instant = None;
        self.closing = Some(at.plus(within(CLOSING, luck)));
    }

    /// The closing round, if it is still to be held, is not put off any longer.
    pub(crate) fn close(&mut self, now: Moment) {
        if let Some(closing) = &mut self.closing {
            *closing = now;
        }
    }

    /// A round was held. `luck`, from 0 to 1, decides how soon the next one is.
    pub(crate) fn held(&mut self, held: Held, luck: f64) {
        self.in_vain = if held.in_vain { self.in_vain + 1 } else { 0 };
        let retry = RETRIES[self.in_vain.saturating_sub(1).min(RETRIES.len() - 1)];
        let jitter = 1.0 + JITTER * (2.0 * luck - 1.0);
        self.last = Some(Last {
            end: held.end,
            interval: INTERVAL.mul_f64(jitter),
            retry: retry.mul_f64(jitter),
            answered: held.answered,
        });
        if held.purpose.occasion().resolves() {
            self.resolved = Some(held.end);
        }
        match held.purpose {
            Purpose::Final => {
                if let Some(instant) = &mut self.instant {
                    instant.lead = None;
                }
            }
            Purpose::Closing => self.closing = None,
            Purpose::Start | Purpose::Retry | Purpose::Waiting | Purpose::Doubt => {}
        }
    }

    /// What the next round is for while there is a doubt. No name is resolved in
    /// those that settle it, so if nobody answers there is an ordinary one at times.
    fn settling(&self, last: Last, now: Moment) -> Purpose {
        let lately = |resolved: Moment| now.since(resolved) < span::signed(last.interval);
        if last.answered || self.resolved.is_some_and(lately) {
            Purpose::Doubt
        } else {
            Purpose::Waiting
        }
    }

    /// For how long a bound must last to outlive a round without an answer.
    pub(crate) fn horizon() -> Duration {
        INTERVAL.mul_f64(1.0 + JITTER)
    }
}

fn due(at: Moment, now: Moment, purpose: Purpose) -> Next {
    let left = span::positive(at.since(now));
    if left.is_zero() {
        Next::Round(purpose)
    } else {
        Next::Wait(left)
    }
}

/// The one of the two that comes first.
fn sooner(one: Next, other: Next) -> Next {
    match (one, other) {
        (Next::Wait(one), Next::Wait(other)) => Next::Wait(one.min(other)),
        (round @ Next::Round(_), _) | (_, round @ Next::Round(_)) => round,
    }
}

fn within((least, most): (Duration, Duration), luck: f64) -> Duration {
    least + (most - least).mul_f64(luck.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
