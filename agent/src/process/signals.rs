//! The signals that the agent minds, before anybody listens for them: the first process of a container is not ended
//! by a signal that it does not handle, so the signal would be lost; any other process would be ended by it.

use std::sync::OnceLock;

use nix::sys::signal::{SigSet, Signal};

/// Which signals this process was started with held back.
static AT_START: OnceLock<SigSet> = OnceLock::new();

fn minded() -> SigSet {
    SigSet::from_iter([
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGWINCH,
    ])
}

/// Holds them back from now on, for this thread and those that it starts. To be called once, first of all.
pub fn hold_back() {
    // The only error is a wrong argument, and then they come as ever.
    if let Ok(before) = minded().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK) {
        AT_START.get_or_init(|| before);
    }
}

/// Lets them through to this thread, also those that came meanwhile.
pub fn let_through() {
    let _ = minded().thread_unblock();
}

/// What was held back when this process was started: k6 gets it so, as if nobody stood in between.
#[must_use]
pub fn held_back_at_start() -> SigSet {
    AT_START.get().copied().unwrap_or_else(SigSet::empty)
}
