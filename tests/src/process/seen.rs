//! What is seen of a program by threads that do nothing else, so that every test can wait for it.

use std::{
    io::Read,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::Pid,
};

use super::Exit;
use crate::moment::Moment;

/// What threads have seen of a program.
#[derive(Default)]
pub struct Seen {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub struct State {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    streams_ended: usize,
    pub exit: Option<Exit>,
}

impl State {
    /// Whether nothing more can come.
    pub fn is_over(&self) -> bool {
        self.exit.is_some() && self.streams_ended == 2
    }
}

impl Seen {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `look` finds something.
    pub fn wait<T>(&self, limit: Duration, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// Collects what comes out of a pipe.
pub fn capture(
    mut pipe: impl Read + Send + 'static,
    seen: &Arc<Seen>,
    stream: fn(&mut State) -> &mut Vec<u8>,
) {
    let seen = seen.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            seen.change(|state| stream(state).extend_from_slice(&buffer[..read]));
        }
        seen.change(|state| state.streams_ended += 1);
    });
}

/// Waits for the end of a child without reaping it.
pub fn watch(id: Pid, seen: &Arc<Seen>) -> JoinHandle<()> {
    let seen = seen.clone();
    thread::spawn(move || {
        let status = loop {
            match waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Err(nix::errno::Errno::EINTR) => {}
                status => break status,
            }
        };
        let at = Moment::now();
        let (code, signal) = match status {
            Ok(WaitStatus::Exited(_, code)) => (Some(code), None),
            Ok(WaitStatus::Signaled(_, signal, _)) => (None, Some(signal)),
            other => panic!("waiting for process {id} gave {other:?}"),
        };
        seen.change(|state| state.exit = Some(Exit { code, signal, at }));
    })
}
