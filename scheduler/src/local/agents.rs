//! The agents as children of this process.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getppid};
use rendezvous::RunnerId;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::UnboundedSender;

use crate::decide::witness::{Seen, Sighting};
use crate::run::testimony::Testimony;

/// Those that have not ended. A child's id is its own until its end has been taken note
/// of, and that happens in one step with taking it out of here: so no id in here is ever
/// another process's.
type Running = BTreeMap<RunnerId, Pid>;

/// The agents. Those that still run when this is dropped are killed.
#[derive(Debug)]
pub struct Agents {
    running: Arc<Mutex<Running>>,
    witness: UnboundedSender<Testimony>,
}

impl Agents {
    /// None yet. What becomes of each is told to `witness`.
    #[must_use]
    pub fn new(witness: UnboundedSender<Testimony>) -> Self {
        Self {
            running: Arc::default(),
            witness,
        }
    }

    /// Starts one: in a process group of its own, so that a Ctrl-C at the terminal reaches this
    /// process alone, which then ends the run in good order; and told to end should this
    /// process be killed.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&mut self, runner: &RunnerId, mut command: Command) -> io::Result<()> {
        let parent = Pid::this();
        command.process_group(0);
        // SAFETY: between fork and exec only async-signal-safe calls are made (prctl,
        // getppid), and nothing is allocated.
        unsafe {
            command.pre_exec(move || {
                prctl::set_pdeathsig(Signal::SIGTERM)?;
                // This process may have died before that.
                if getppid() == parent {
                    Ok(())
                } else {
                    Err(Errno::ESRCH.into())
                }
            });
        }
        let child = command.spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let Some(id) = id else {
            return Err(Errno::ESRCH.into());
        };
        lock(&self.running).insert(runner.clone(), Pid::from_raw(id));
        tell(&self.witness, runner.clone(), Seen::Up(None));
        self.await_end(runner.clone(), child);
        Ok(())
    }

    fn await_end(&self, runner: RunnerId, mut child: Child) {
        let (running, witness) = (Arc::clone(&self.running), self.witness.clone());
        tokio::spawn(async move {
            let status = child.wait().await;
            lock(&running).remove(&runner);
            // Waiting for a child of one's own does not fail.
            let code = status.map_or(u8::MAX, exit_code);
            tell(&witness, runner, Seen::Ended(code, None));
        });
    }

    /// Whether all have ended.
    #[must_use]
    pub fn have_ended(&self) -> bool {
        lock(&self.running).is_empty()
    }

    /// Sends a signal to the process group of each that has not ended.
    pub fn signal(&self, signal: Signal) {
        for group in lock(&self.running).values() {
            // It may have ended a moment ago.
            let _ = killpg(*group, signal);
        }
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

fn tell(witness: &UnboundedSender<Testimony>, runner: RunnerId, state: Seen) {
    let name = None;
    // Nobody listens any more when this process is about to end.
    let _ = witness.send(Testimony::Runner(Sighting {
        runner,
        name,
        state,
    }));
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As a shell has it: 128 + n where signal n ended it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::well(0, 0)]
    #[case::a_threshold(99 << 8, 99)]
    #[case::usage(255 << 8, 255)]
    #[case::killed(9, 137)]
    #[case::terminated(15, 143)]
    #[case::dumped(6 | 0x80, 134)]
    fn an_end_has_the_code_that_a_shell_gives_it(#[case] raw: i32, #[case] code: u8) {
        assert_eq!(exit_code(ExitStatus::from_raw(raw)), code);
    }
}
