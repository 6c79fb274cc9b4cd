//! The signals that end a run, before anybody listens for them. The first process of a container is not ended by a
//! signal that it does not handle: the signal is lost, unless it is held back until it is.

use nix::sys::signal::{SigSet, Signal};

fn ends_a_run() -> SigSet {
    SigSet::from_iter([
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ])
}

/// Holds them back from now on, for this thread and those that it starts.
pub fn hold_back() {
    // The only error is a wrong argument, and then they come as ever.
    let _ = ends_a_run().thread_block();
}

/// Lets them through to this thread, also those that came meanwhile.
pub fn let_through() {
    let _ = ends_a_run().thread_unblock();
}
