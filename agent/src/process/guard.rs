//! What ends k6 where the agent is killed (SIGKILL) and can end nothing itself. The kernel then kills k6, the agent's
//! own child, but not what that has started in turn: a launcher's k6, a wrapper's. So a second process of this
//! program waits for the agent's end, and kills the group that they are all in.
//!
//! The first process of a container needs none: all others go with it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The word on the command line that makes this program a guard.
const WORD: &str = "guard";

/// A guard over one process group. To drop it is to let it strike.
#[derive(Debug)]
pub struct Guard {
    /// It ends with us, however we end: that is what the guard waits for.
    line: ChildStdin,
}

impl Guard {
    /// Sets one over a group.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn over(group: u32) -> io::Result<Self> {
        // Also where the file was replaced since.
        let mut guard = Command::new("/proc/self/exe")
            .arg0("tminus-agent")
            .args([WORD, &group.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // What is sent to our group is not for it.
            .process_group(0)
            .spawn()?;
        // It is collected with the orphans.
        let line = guard.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { line })
    }

    /// There is nothing left to guard.
    pub fn stand_down(mut self) {
        // A guard that is gone guards nothing any more, either.
        let _ = self.line.write_all(b".");
    }
}

/// Over which group this process is called to be a guard, if it is.
#[must_use]
pub fn called(words: impl Iterator<Item = OsString>) -> Option<Pid> {
    let words: Vec<OsString> = words.skip(1).collect();
    let [word, group] = words.as_slice() else {
        return None;
    };
    let group = group.to_str()?.parse().ok()?;
    // 0 and 1 would mean its own group, and the first process of all.
    (word == WORD && group > 1).then(|| Pid::from_raw(group))
}

/// The guard itself. Signals are held back by now: nothing but a SIGKILL ends it.
pub fn watch(group: Pid) {
    // So that a list of processes tells it from the agent.
    let _ = nix::sys::prctl::set_name(c"tminus-guard");
    let told = io::stdin().read(&mut [0]);
    // While anybody is in the group, no other process can have its id; if nobody is, it was free for microseconds
    // only, and ids are given out in turn.
    if matches!(told, Ok(0)) {
        let _ = killpg(group, Signal::SIGKILL);
    }
}
