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
    let nothing = String::new;
    until_ok(what, limit, || look().ok_or_else(nothing))
}

/// Tries again and again until `attempt` succeeds, and gives what it does.
///
/// # Panics
/// If it has not within `limit`; `what` says what was waited for, and the last attempt why that did not come.
pub fn until_ok<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        let why = match attempt() {
            Ok(done) => return done,
            Err(why) => why,
        };
        if Instant::now() >= deadline {
            let at_last = if why.is_empty() { "" } else { "; at last: " };
            panic!("waited {limit:?} in vain for {what}{at_last}{why}");
        }
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

    #[test]
    #[should_panic(expected = "in vain for a miracle; at last: none today")]
    fn says_why_it_never_came() {
        let attempt = || Err::<(), _>("none today".to_owned());
        until_ok("a miracle", Duration::ZERO, attempt);
    }
}
