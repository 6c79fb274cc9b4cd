//! Calling off a wait from another thread.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A flag that is raised once and wakes whoever sleeps on it. Clones are the
/// same flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    cancelled: Mutex<bool>,
    raised: Condvar,
}

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag, for good, and wakes every thread that waits for it.
    pub fn cancel(&self) {
        *self.lock() = true;
        self.shared.raised.notify_all();
    }

    /// Whether the flag is raised.
    pub fn is_cancelled(&self) -> bool {
        *self.lock()
    }

    /// Blocks until the flag is raised, for at most `at_most`.
    pub(crate) fn wait(&self, at_most: Duration) {
        // The result is the guard, poisoned or not: the flag is read afresh by
        // who needs it, and the guard has to be let go either way.
        drop(
            self.shared
                .raised
                .wait_timeout_while(self.lock(), at_most, |cancelled| !*cancelled),
        );
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A bool cannot be left half written by a thread that panicked.
        self.shared
            .cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc, thread, time::Instant};

    use nix::unistd::{Pid, gettid};

    use super::*;

    #[test]
    fn a_clone_is_the_same_flag() {
        let cancel = Cancel::new();
        let other = cancel.clone();
        assert!(!other.is_cancelled());
        cancel.cancel();
        cancel.cancel();
        assert!(other.is_cancelled());
    }

    #[test]
    fn a_cancel_wakes_the_thread_that_sleeps() {
        let cancel = Cancel::new();
        let began = Instant::now();
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let cancel = &cancel;
            scope.spawn(move || {
                tell.send(gettid()).ok();
                cancel.wait(Duration::from_secs(3600));
            });
            let sleeper = told.recv().expect("the thread says who it is");
            while !sleeps(sleeper) && began.elapsed() < Duration::from_secs(60) {
                thread::yield_now();
            }
            cancel.cancel();
        });
        assert!(began.elapsed() < Duration::from_secs(120));
    }

    /// Whether a thread of this process is off the CPU, waiting.
    fn sleeps(thread: Pid) -> bool {
        let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
        stat.is_ok_and(|stat| stat.contains(") S "))
    }

    #[test]
    fn waiting_on_a_raised_flag_ends_at_once() {
        let cancel = Cancel::new();
        cancel.cancel();
        let began = Instant::now();
        cancel.wait(Duration::from_secs(3600));
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn waiting_without_a_cancel_lasts_its_time() {
        let began = Instant::now();
        Cancel::new().wait(Duration::from_millis(5));
        assert!(began.elapsed() >= Duration::from_millis(5));
    }
}
