//! Keeping the cores busy.

use std::{
    env, hint,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use support::process::{Program, Running};

/// What the program is told when it is to be one busy loop.
pub const ROLE: &str = "busy-loop";

/// Longer than any measurement takes, so that a loop that was forgotten does not stay for ever.
const AT_MOST: Duration = Duration::from_secs(1800);

/// One busy loop for every core, until they are dropped.
pub fn start() -> Vec<Running> {
    let cores = available_parallelism().unwrap().get();
    let this = env::current_exe().unwrap();
    (0..cores)
        .map(|_| Program::new(&this).args([ROLE]).start())
        .collect()
}

/// One of them.
pub fn spin() {
    let began = Instant::now();
    while began.elapsed() < AT_MOST {
        hint::spin_loop();
    }
}
