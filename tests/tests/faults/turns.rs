//! How many may be busy at the same time.

use std::sync::{Condvar, Mutex};

/// So many turns.
pub struct Turns {
    left: Mutex<usize>,
    given_back: Condvar,
}

/// One that was taken. Dropping it gives it back.
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// So many, at least one.
    pub fn new(turns: usize) -> Self {
        Self {
            left: Mutex::new(turns.max(1)),
            given_back: Condvar::new(),
        }
    }

    /// Waits for one.
    pub fn take(&self) -> Turn<'_> {
        let left = self.left.lock().unwrap();
        let mut left = self.given_back.wait_while(left, |left| *left == 0).unwrap();
        *left -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.left.lock().unwrap() += 1;
        self.0.given_back.notify_one();
    }
}
