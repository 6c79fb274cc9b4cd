//! Waiting for what cannot be waited for by itself.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How often it is looked: often enough that no test is slow for it, seldom enough to leave the cores alone.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until `look` finds something, and gives that.
///
/// # Panics
/// If it has found nothing within `limit`; `what` says what was waited for.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {limit:?} in vain for {what}"
        );
        sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_is_found_at_last() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(10), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "in vain for a miracle")]
    fn says_what_never_came() {
        until("a miracle", Duration::ZERO, || None::<()>);
    }
}
