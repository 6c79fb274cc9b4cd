//! Whether the store can be reached, and for how long it may be away.

use std::time::Duration;

use rendezvous::StoreError;
use tokio::time::Instant;

use crate::trouble::Trouble;

/// How long a store that was there before may be away: a restart of a Kubernetes
/// API server takes up to a minute, and half of that again to be sure.
const AWAY: Duration = Duration::from_secs(90);

/// How long it may be away once an instant is set: runners that are armed need it no more, and an upgrade of a
/// control plane takes some minutes.
const AWAY_FROM_A_START: Duration = Duration::from_secs(900);

/// How long a store may be away that was never there: more likely it is misspelt
/// than late.
const NEVER_THERE: Duration = Duration::from_secs(10);

/// How long a store may refuse who was let in before: a Kubernetes API server that has just started knows no Roles
/// for some seconds, on a busy machine for ten and more; and where there are several, the others have answered all the
/// while.
const LOCKED_OUT: Duration = Duration::from_secs(30);

/// How often a store that is away is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Whether the store can be reached.
#[derive(Debug, Default)]
pub struct Health {
    was_there: bool,
    clear_since: Option<Instant>,
    away: Option<Away>,
    is_patient: bool,
}

#[derive(Debug)]
struct Away {
    since: Instant,
    ask_at: Instant,
    /// Since when it answers, but refuses.
    refuses_since: Option<Instant>,
}

impl Health {
    /// An instant is set: from now on it may be away for longer.
    pub fn instant_is_set(&mut self) {
        self.is_patient = true;
    }

    /// Since when it has been reachable without a break; `None` while it is not.
    pub fn clear_since(&self) -> Option<Instant> {
        self.clear_since
    }

    /// When to ask a store that is away again.
    pub fn ask_at(&self) -> Option<Instant> {
        self.away.as_ref().map(|away| away.ask_at)
    }

    /// It answered. Returns for how long it was away, if it was.
    pub fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.was_there = true;
        self.clear_since.get_or_insert(now);
        let away = self.away.take()?;
        Some(now.saturating_duration_since(away.since))
    }

    /// It failed. Returns what that means if waiting does not help, or not any more.
    pub fn failed(&mut self, error: &StoreError, now: Instant) -> Option<Trouble> {
        let ask_at = now + ASK_AGAIN;
        let (since, patience) = if matches!(error, StoreError::Denied { .. }) {
            if self.was_there {
                self.clear_since = None;
                let away = self.away.get_or_insert(Away {
                    since: now,
                    ask_at,
                    refuses_since: None,
                });
                away.ask_at = ask_at;
                (*away.refuses_since.get_or_insert(now), LOCKED_OUT)
            } else {
                (now, Duration::ZERO)
            }
        } else {
            self.clear_since = None;
            let away = self.away.get_or_insert(Away {
                since: now,
                ask_at,
                refuses_since: None,
            });
            (away.ask_at, away.refuses_since) = (ask_at, None);
            let patience = match (self.was_there, self.is_patient) {
                (false, _) => NEVER_THERE,
                (true, false) => AWAY,
                (true, true) => AWAY_FROM_A_START,
            };
            (away.since, patience)
        };
        let is_over = now.saturating_duration_since(since) >= patience;
        is_over.then(|| Trouble::Store(error.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{seconds, unavailable};

    fn denied() -> StoreError {
        StoreError::Denied {
            action: "read the plan".to_owned(),
            detail: "permission denied".to_owned(),
            cure: "Ask for it".to_owned(),
        }
    }

    #[test]
    fn what_was_never_allowed_is_not_waited_for() {
        let mut health = Health::default();
        let trouble = health.failed(&denied(), Instant::now());
        assert_eq!(trouble, Some(Trouble::Store(denied())));
    }

    #[test]
    fn what_was_allowed_before_may_be_refused_for_half_a_minute() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert_eq!(health.answered(now), None);
        assert_eq!(health.failed(&denied(), now + seconds(1)), None);
        assert_eq!(health.clear_since(), None);
        assert_eq!(health.failed(&denied(), now + seconds(30)), None);
        assert_eq!(health.answered(now + seconds(31)), Some(seconds(30)));
        assert_eq!(health.failed(&denied(), now + seconds(32)), None);
        assert!(health.failed(&denied(), now + seconds(62)).is_some());
    }

    #[test]
    fn a_store_that_comes_back_may_refuse_for_half_a_minute() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.answered(now);
        assert_eq!(health.failed(&unavailable(), now + seconds(1)), None);
        assert_eq!(health.failed(&denied(), now + seconds(60)), None);
        assert_eq!(health.ask_at(), Some(now + seconds(60) + ASK_AGAIN));
        assert_eq!(health.failed(&denied(), now + seconds(89)), None);
        assert!(health.failed(&denied(), now + seconds(90)).is_some());

        let back = health.answered(now + seconds(91));
        assert_eq!(back, Some(seconds(90)));
    }

    #[test]
    fn a_store_that_was_never_there_and_then_refuses_is_not_waited_for() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert_eq!(health.failed(&unavailable(), now), None);
        assert!(health.failed(&denied(), now + seconds(1)).is_some());
    }

    #[test]
    fn a_store_that_was_never_there_is_waited_for_briefly() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert_eq!(health.failed(&unavailable(), now), None);
        assert_eq!(health.ask_at(), Some(now + ASK_AGAIN));
        assert_eq!(health.failed(&unavailable(), now + seconds(9)), None);
        let trouble = health.failed(&unavailable(), now + NEVER_THERE);
        assert_eq!(trouble, Some(Trouble::Store(unavailable())));
    }

    #[test]
    fn once_an_instant_is_set_it_may_be_away_for_a_quarter_of_an_hour() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.answered(now);
        health.instant_is_set();
        assert_eq!(health.failed(&unavailable(), now), None);
        assert_eq!(health.failed(&unavailable(), now + seconds(899)), None);
        assert!(health.failed(&unavailable(), now + seconds(900)).is_some());
    }

    #[test]
    fn a_store_that_was_there_may_be_away_for_more_than_a_minute() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert_eq!(health.answered(now), None);
        assert_eq!(health.clear_since(), Some(now));
        assert_eq!(health.failed(&unavailable(), now + seconds(5)), None);
        assert_eq!(health.clear_since(), None);
        assert_eq!(health.failed(&unavailable(), now + seconds(65)), None);
        let back = health.answered(now + seconds(70));
        assert_eq!(back, Some(seconds(65)));
        assert_eq!(health.clear_since(), Some(now + seconds(70)));
        assert_eq!(health.ask_at(), None);
        assert_eq!(health.failed(&unavailable(), now + seconds(100)), None);
        let trouble = health.failed(&unavailable(), now + seconds(190));
        assert!(trouble.is_some());
    }
}
