//! The process that a cluster's programs run below. It reads what to do from a pipe that only the test holds: when
//! the test ends, however it does, the pipe closes, and the keeper ends all programs and removes what they made.
//!
//! It is two processes. The outer one, the guard, only clears up. The inner one starts the programs; for a node it
//! is the first process of a PID namespace, with a network and mounts of its own, so that its end is the end of
//! all that runs and all that is mounted there, and needs no cooperation.

mod boundaries;
mod daemons;
mod guard;
mod protocol;

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, setsid},
};

pub use guard::guard;
pub use protocol::Daemon;

use protocol::{Begun, Reply, Request};

use crate::programs;

/// How long the keeper may take to answer, on a busy machine: what it does takes milliseconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// How long it may take to end all and clear up.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The inner process, as `cluster-keeper keep` runs it.
///
/// # Errors
/// If it cannot have its mounts, or reads what is no request.
pub fn keep(folder: &Path, node: bool) -> io::Result<()> {
    if node {
        boundaries::furnish()?;
    }
    daemons::keep(folder)
}

/// A keeper that runs. Dropping it ends all that it keeps and waits until nothing of it is left.
pub struct Keeper {
    guard: Child,
    begun: Begun,
    line: Mutex<Line>,
}

struct Line {
    requests: Option<ChildStdin>,
    replies: Receiver<String>,
}

impl Keeper {
    /// Starts one; for a node, which needs root, in namespaces of its own.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(node: bool) -> Self {
        let mut command = Command::new(programs::cluster_keeper());
        command
            .arg("guard")
            .args(node.then_some("--node"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // SAFETY: between fork and exec only setsid is called, which is async-signal-safe.
        unsafe {
            // An interrupt from the terminal is for the test alone: with its end the keeper has work to do.
            command.pre_exec(|| Ok(setsid().map(drop)?));
        }
        let mut guard = command.spawn().unwrap();
        let stdout = BufReader::new(guard.stdout.take().unwrap());
        let (sender, replies) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let begun = replies.recv_timeout(ANSWERS_WITHIN);
        let begun = begun.unwrap_or_else(|_| panic!("the keeper of the cluster does not begin"));
        Self {
            begun: serde_json::from_str(&begun).unwrap(),
            line: Mutex::new(Line {
                requests: guard.stdin.take(),
                replies,
            }),
            guard,
        }
    }

    /// A folder that goes with the keeper.
    pub fn folder(&self) -> &Path {
        &self.begun.folder
    }

    /// Where the log of a program is.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.log"))
    }

    /// The process that is in the node's namespaces.
    pub fn process(&self) -> Pid {
        Pid::from_raw(self.begun.process)
    }

    /// The node's cgroup, in each hierarchy.
    pub fn cgroup(&self) -> Option<&str> {
        self.begun.cgroup.as_deref()
    }

    /// Starts a program.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run(&self, daemon: Daemon) {
        self.expect(Request::Start(daemon));
    }

    /// Sends a program a signal.
    ///
    /// # Panics
    /// If it does not run.
    pub fn signal(&self, name: &str, signal: Signal) {
        self.expect(Request::Signal(name.to_owned(), signal as i32));
    }

    /// Ends a program with SIGKILL, and returns when it has ended.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&self, name: &str) {
        self.expect(Request::Kill(name.to_owned()));
    }

    /// # Panics
    /// If a program has ended without having been killed; its last words are told.
    pub fn assert_all_run(&self) {
        self.expect(Request::Check);
    }

    fn expect(&self, request: Request) {
        let told = format!("{request:?}");
        if let Err(error) = self.ask(&request) {
            panic!("test cluster: {told}: {error}");
        }
    }

    fn ask(&self, request: &Request) -> Reply {
        // A test that panicked here has not left half a line.
        let mut line = self
            .line
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        let mut text = serde_json::to_string(request).unwrap();
        text.push('\n');
        let sent = line.requests.as_mut().unwrap().write_all(text.as_bytes());
        sent.map_err(|error| format!("the keeper has gone: {error}"))?;
        let reply = line.replies.recv_timeout(ANSWERS_WITHIN);
        let reply = reply.map_err(|_| "the keeper does not answer".to_owned())?;
        serde_json::from_str(&reply).unwrap()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let line = self.line.get_mut();
        let line = line.unwrap_or_else(|poison| poison.into_inner());
        line.requests = None;
        // Its output ends when it does.
        loop {
            match line.replies.recv_timeout(ENDS_WITHIN) {
                Ok(_) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    eprintln!(
                        "the keeper of the cluster does not end within {ENDS_WITHIN:?}: killed"
                    );
                    // Not reaped yet, so the id is its own; all it keeps ends with it.
                    let _ = kill(Pid::from_raw(self.guard.id() as i32), Signal::SIGKILL);
                    break;
                }
            }
        }
        let _ = self.guard.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::wait;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Daemon {
        Daemon {
            name: "shell".into(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: Vec::new(),
        }
    }

    fn wait_for(file: &Path, text: &str) {
        wait::until(text, SOON, || {
            (fs::read_to_string(file).ok()? == text).then_some(())
        });
    }

    #[test]
    fn a_program_that_was_killed_can_be_started_again() {
        let keeper = Keeper::start(false);
        for begun in ["begun\n", "begun\nbegun\n"] {
            keeper.run(shell("echo begun; sleep 300"));
            wait_for(&keeper.log("shell"), begun);
            keeper.assert_all_run();
            keeper.kill("shell");
        }
        keeper.assert_all_run();
    }

    #[test]
    #[should_panic(expected = "shell ended with code 3:\nfarewell")]
    fn a_program_that_ends_by_itself_is_told_with_its_last_words() {
        let keeper = Keeper::start(false);
        keeper.run(shell("echo farewell; exit 3"));
        wait::until("its end", SOON, || {
            keeper.assert_all_run();
            None::<()>
        });
    }

    #[test]
    fn what_a_program_left_behind_is_gone_with_the_keeper() {
        let keeper = Keeper::start(false);
        let folder = keeper.folder().to_owned();
        keeper.run(shell("sleep 300 & echo $!; wait"));
        let log = keeper.log("shell");
        let sleeper = wait::until("the id of the process left behind", SOON, || {
            let text = fs::read_to_string(&log).ok()?;
            text.strip_suffix('\n')?.parse::<i32>().ok()
        });
        keeper.kill("shell");
        let sleeper = Path::new("/proc").join(sleeper.to_string());
        assert!(sleeper.exists());
        drop(keeper);
        assert!(!folder.exists());
        assert!(!sleeper.exists());
    }
}
