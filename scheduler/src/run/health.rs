//! Whether the store can be reached, and for how long it may be away.

use std::time::Duration;

use rendezvous::StoreError;
use tokio::time::Instant;

use crate::trouble::Trouble;

/// How long a store that was there before may be away: a restart of a Kubernetes
/// API server takes up to a minute, and half of that again to be sure.
const AWAY: Duration = Duration::from_secs(90);

/// How long a store may be away that was never there: more likely it is misspelt
/// than late.
const NEVER_THERE: Duration = Duration::from_secs(10);

/// How often a store that is away is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Whether the store can be reached.
#[derive(Debug, Default)]
pub struct Health {
    was_there: bool,
    clear_since: Option<Instant>,
    away: Option<Away>,
}

#[derive(Debug)]
struct Away {
    since: Instant,
    ask_at: Instant,
}

impl Health {
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
        let trouble = || Some(Trouble::Store(error.clone()));
        if matches!(error, StoreError::Denied { .. }) {
            return trouble();
        }
        self.clear_since = None;
        let ask_at = now + ASK_AGAIN;
        let away = self.away.get_or_insert(Away { since: now, ask_at });
        away.ask_at = ask_at;
        let patience = if self.was_there { AWAY } else { NEVER_THERE };
        if now.saturating_duration_since(away.since) >= patience {
            return trouble();
        }
        None
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
    fn what_is_not_allowed_is_not_waited_for() {
        let mut health = Health::default();
        let trouble = health.failed(&denied(), Instant::now());
        assert_eq!(trouble, Some(Trouble::Store(denied())));
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
