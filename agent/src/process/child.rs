//! Starting k6 and ending it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rendezvous::code;
use std::os::unix::process::ExitStatusExt;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::guard::Guard;
use super::stderr::{self, Tail};
use super::{family, signals};
use crate::decide::ending::K6Exit;

/// A running k6.
#[derive(Debug)]
pub struct K6 {
    child: Child,
    pid: u32,
    passing: Option<oneshot::Receiver<()>>,
    guard: Option<Guard>,
    /// The processes among ours that are none of k6's doing.
    others: HashSet<family::Birth>,
    /// Until when what it left is waited for, once it has ended.
    left_overs_until: Option<Instant>,
    /// Until when its last words are waited for, once it has ended.
    last_words_until: Option<Instant>,
}

/// k6 could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{program} cannot be run: {source}{cure}")]
pub struct NotStarted {
    program: String,
    source: io::Error,
    cure: &'static str,
}

impl NotStarted {
    /// The code that a shell gives: 127 if there is no such program, else 126.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self.source.kind() {
            io::ErrorKind::NotFound => code::NOT_FOUND,
            _ => code::CANNOT_RUN,
        }
    }
}

impl K6 {
    /// Starts it: standard input and output are ours, standard error comes through us, and it is
    /// killed when we die. The calling thread must live as long as k6 is to: the kernel's parent-death signal
    /// goes by the thread (prctl(2)).
    ///
    /// # Errors
    /// [`NotStarted`].
    pub fn start(
        argv: &[OsString],
        environment: &[(&str, &str)],
        tail: &Tail,
    ) -> Result<Self, NotStarted> {
        let (program, arguments) = argv.split_first().ok_or_else(|| NotStarted {
            program: "nothing".to_owned(),
            source: io::ErrorKind::NotFound.into(),
            cure: "",
        })?;
        let mut command = Command::new(program);
        command.args(arguments).envs(environment.iter().copied());
        // A group of its own: what is sent to it reaches a launcher's child as well, and a
        // terminal's Ctrl-C reaches k6 only through us.
        command.process_group(0);
        command.kill_on_drop(true);
        if stderr::is_to_be_read() {
            command.stderr(Stdio::piped());
        }
        let (parent, held_back) = (std::process::id(), signals::held_back_at_start());
        let others = family::ours();
        // SAFETY: the closure runs between fork and exec, and makes only async-signal-safe system calls.
        unsafe {
            command.pre_exec(move || {
                held_back.thread_set_mask()?;
                die_with_parent(parent)
            });
        }
        let mut child = command.spawn().map_err(|source| {
            let cure = match source.kind() {
                io::ErrorKind::NotFound => "; is k6 installed, and on the PATH?",
                _ => "",
            };
            NotStarted {
                program: program.to_string_lossy().into_owned(),
                source,
                cure,
            }
        })?;
        // Only a child that was waited for already has no id.
        let pid = child.id().unwrap_or_default();
        let passing = child
            .stderr
            .take()
            .map(|pipe| stderr::pass_on(pipe, tail.clone()))
            .transpose()
            .map_err(|source| NotStarted {
                program: program.to_string_lossy().into_owned(),
                source,
                cure: "",
            })?;
        Ok(Self {
            child,
            pid,
            passing,
            guard: None,
            others,
            left_overs_until: None,
            last_words_until: None,
        })
    }

    /// Lets it end with us also where we can do nothing for it any more: see [`Guard`]. Without one it is still ended
    /// in each way but that.
    #[must_use]
    pub fn guarded(mut self) -> Self {
        if std::process::id() != 1 {
            self.guard = Guard::over(self.pid)
                .inspect_err(|error| {
                    tracing::warn!(
                        "nobody will end what k6 starts in turn if this agent is killed: {error}"
                    );
                })
                .ok();
        }
        self
    }

    /// Its process id, and that of its group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end, and for its last words to have been passed on.
    /// Can be dropped and called again.
    ///
    /// # Errors
    /// If the system cannot say.
    pub async fn ended(&mut self) -> io::Result<K6Exit> {
        let status = self.child.wait().await?;
        let until = match self.last_words_until {
            Some(until) => until,
            None => {
                self.end_left_overs().await;
                *self.last_words_until.insert(Instant::now() + LAST_WORDS)
            }
        };
        if let Some(passing) = &mut self.passing {
            // One that left the group may hold the pipe open after it.
            let _ = tokio::time::timeout_at(until, passing).await;
            self.passing = None;
        }
        Ok(exit_of(status))
    }

    /// Kills what k6 leaves when it ends: the child of a launcher that was killed would go on making load, and a
    /// browser would stay. First its group, all at once, so that nobody in there starts more. While anybody is in
    /// the group, no other process can have its id; if nobody is, it was free for microseconds only, and ids are
    /// given out in turn.
    async fn end_left_overs(&mut self) {
        let until = match self.left_overs_until {
            Some(until) => until,
            None => {
                if let Ok(group @ 2..) = i32::try_from(self.pid) {
                    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
                }
                if let Some(guard) = self.guard.take() {
                    guard.stand_down();
                }
                *self.left_overs_until.insert(Instant::now() + GONE_WITHIN)
            }
        };
        family::end_all_but(&self.others, until).await;
    }

    /// Sends a signal to its whole group. One that is gone already gets none.
    pub fn signal(&self, signal: Signal) {
        // An id that does not fit, or 0, would mean other processes than k6's.
        if let Ok(group @ 2..) = i32::try_from(self.pid)
            && self.child.id().is_some()
        {
            let _ = killpg(Pid::from_raw(group), signal);
        }
    }
}

/// How long killed processes may take to go. The kernel needs milliseconds; what takes longer hangs in it, and
/// nothing more can be done.
const GONE_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);
/// How long what k6 wrote last may take to come through the pipe, once k6 has ended.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_millis(500);

fn exit_of(status: ExitStatus) -> K6Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => K6Exit::Code(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => K6Exit::Signal(
            signal
                .and_then(|signal| u8::try_from(signal).ok())
                .unwrap_or(u8::MAX),
        ),
    }
}

fn die_with_parent(parent: u32) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // A parent that died before the call above sends nothing any more.
    if std::os::unix::process::parent_id() == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(nix::libc::ESRCH))
    }
}
