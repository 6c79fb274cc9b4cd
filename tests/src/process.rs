//! Programs under test, none of which outlives its test.

mod seen;

use std::{
    env,
    ffi::OsStr,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    sys::{
        prctl,
        signal::{Signal, kill, killpg},
    },
    unistd::Pid,
};

use seen::{Seen, capture, watch};

use crate::{
    mark::{self, Mark, Marked},
    moment::Moment,
};

/// How long after a program's end its output may still come: as good as at once, unless something that it left
/// behind holds the pipe open, which is another assertion's business.
const OUTPUT_LAGS: Duration = Duration::from_secs(1);

/// A program that is about to be started.
pub struct Program {
    command: Command,
    input: Option<Vec<u8>>,
    mark: Mark,
}

impl Program {
    /// A program that gets no input, and of this process's environment all but what would steer tminus and k6.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let mark = Mark::new();
        let mut command = Command::new(path.as_ref());
        for (variable, _) in env::vars_os() {
            let name = variable.to_string_lossy();
            if name.starts_with("TMINUS_") || name.starts_with("K6_") {
                command.env_remove(&variable);
            }
        }
        command
            .env(mark::VARIABLE, mark.value())
            // k6 reports its use over the internet, which can hold up its exit for seconds.
            .env("K6_NO_USAGE_REPORT", "true")
            // No agent asks anybody for the time unless its test says whom: nothing leaves this machine.
            .env("TMINUS_NTP", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
        unsafe {
            // A test run that is interrupted drops no guard: the kernel then tells the program to end.
            command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGTERM)?));
        }
        Self {
            command,
            input: None,
            mark,
        }
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Sets the directory that it runs in.
    pub fn current_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    /// What it reads from its standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self.command.stdin(Stdio::piped());
        self
    }

    /// Starts it, in a process group of its own. The thread that does so must live as long as the program is to:
    /// at that thread's end the kernel sends it SIGTERM.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(mut self) -> Running {
        let name = self.command.get_program().to_string_lossy().into_owned();
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let id = Pid::from_raw(child.id().try_into().unwrap());
        let seen = Arc::new(Seen::default());
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), self.input) {
            // It may end without having read it all.
            thread::spawn(move || stdin.write_all(&input));
        }
        capture(child.stdout.take().unwrap(), &seen, |state| {
            &mut state.stdout
        });
        capture(child.stderr.take().unwrap(), &seen, |state| {
            &mut state.stderr
        });
        Running {
            name,
            id,
            child,
            watcher: Some(watch(id, &seen)),
            seen,
            mark: self.mark,
        }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Its exit code, if no signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<Signal>,
    /// When its end was seen.
    pub at: Moment,
}

/// A program under test. Dropping it kills it and all that it started, at once.
pub struct Running {
    name: String,
    id: Pid,
    // It is reaped when it is dropped and not before, so that its id, which is its group's as well, can never be
    // another process's while it is used here.
    child: Child,
    watcher: Option<JoinHandle<()>>,
    seen: Arc<Seen>,
    mark: Mark,
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> Pid {
        self.id
    }

    /// What it has written to its standard output so far.
    pub fn stdout(&self) -> String {
        text(&self.seen.lock().stdout)
    }

    /// What it has written to its standard error so far.
    pub fn stderr(&self) -> String {
        text(&self.seen.lock().stderr)
    }

    /// How it ended, if it has.
    pub fn exited(&self) -> Option<Exit> {
        self.seen.lock().exit
    }

    /// Waits for a whole line of its output, standard or error, that contains `part`, and gives that line.
    ///
    /// # Panics
    /// If there is none within `limit`, or when it has ended without.
    pub fn wait_for_line(&self, part: &str, limit: Duration) -> String {
        self.wait_for_parts(&[part], limit)
    }

    /// The same for a line that contains all of these.
    ///
    /// # Panics
    /// As [`Self::wait_for_line`].
    pub fn wait_for_parts(&self, parts: &[&str], limit: Duration) -> String {
        let contains_all = |line: &str| parts.iter().all(|part| line.contains(part));
        let found = self.seen.wait(limit, |state| {
            let found = [&state.stdout, &state.stderr]
                .into_iter()
                .find_map(|stream| {
                    let whole = text(stream);
                    let mut lines = whole
                        .split_inclusive('\n')
                        .filter(|line| line.ends_with('\n'));
                    lines
                        .find(|line| contains_all(line))
                        .map(|line| line.trim_end().to_owned())
                });
            match found {
                None if state.is_over() => Some(None),
                found => found.map(Some),
            }
        });
        found.flatten().unwrap_or_else(|| {
            let parts: Vec<_> = parts.iter().map(|part| format!("{part:?}")).collect();
            self.fail(&format!(
                "no line with {} within {limit:?}",
                parts.join(", ")
            ))
        })
    }

    /// Waits for its end, and for the end of its output.
    ///
    /// # Panics
    /// If it has not ended within `limit`.
    pub fn wait(&self, limit: Duration) -> Exit {
        let exit = self.seen.wait(limit, |state| state.exit);
        let exit = exit.unwrap_or_else(|| self.fail(&format!("still runs after {limit:?}")));
        self.seen
            .wait(OUTPUT_LAGS, |state| state.is_over().then_some(()));
        exit
    }

    /// Sends it, and it alone, a signal. One that has ended takes no notice.
    pub fn signal(&self, signal: Signal) {
        kill(self.id, signal).unwrap();
    }

    /// The processes that it has started, and they in their turn, and that still run.
    pub fn descendants(&self) -> Vec<Marked> {
        let mut processes = self.mark.processes();
        processes.retain(|process| process.id != self.id);
        processes
    }

    /// # Panics
    /// If it still runs, or anything that it started.
    pub fn assert_nothing_left(&self) {
        self.mark.assert_none();
    }

    fn fail(&self, what: &str) -> ! {
        let (stdout, stderr, exit) = (self.stdout(), self.stderr(), self.exited());
        panic!(
            "{} (process {}): {what}\nexit: {exit:?}\nstandard output:\n{stdout}\nstandard error:\n{stderr}",
            self.name, self.id
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What is in its group but carries no mark, and what carries its mark but has left its group.
        let _ = killpg(self.id, Signal::SIGKILL);
        let left = self.mark.kill();
        if !left.is_empty() {
            eprintln!(
                "{} (process {}) left behind what cannot be killed: {left:#?}",
                self.name, self.id
            );
        }
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Program {
        Program::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn keeps_both_outputs_apart_and_tells_the_code() {
        let running = shell("echo out; echo err >&2; exit 7").start();
        assert_eq!(running.wait(SOON).code, Some(7));
        assert_eq!(running.stdout(), "out\n");
        assert_eq!(running.stderr(), "err\n");
        running.assert_nothing_left();
    }

    #[test]
    fn tells_the_signal_that_killed_it() {
        let running = shell("kill -TERM $$").start();
        let exit = running.wait(SOON);
        assert_eq!((exit.code, exit.signal), (None, Some(Signal::SIGTERM)));
        // Not reaped yet, so this cannot reach another process.
        running.signal(Signal::SIGKILL);
    }

    #[test]
    fn passes_input_and_environment_on() {
        let running = Program::new("/bin/sh")
            .args(["-c", "cat; pwd; echo $COLOUR"])
            .input("read me\n")
            .env("COLOUR", "green")
            .current_dir("/")
            .start();
        running.wait(SOON);
        assert_eq!(running.stdout(), "read me\n/\ngreen\n");
    }

    #[test]
    fn waits_for_a_whole_line() {
        let running = shell("printf 'rea'; printf 'dy now\\n'; read forever")
            .input("")
            .start();
        assert_eq!(running.wait_for_line("ready", SOON), "ready now");
    }

    #[test]
    #[should_panic(expected = "no line with \"ready\"")]
    fn does_not_wait_for_a_line_of_a_program_that_has_ended() {
        shell("echo no")
            .start()
            .wait_for_line("ready", Duration::from_secs(3600));
    }

    #[test]
    #[should_panic(expected = "left behind: [")]
    fn finds_what_was_left_behind_in_a_session_of_its_own() {
        let running = shell("setsid sleep 300 >/dev/null 2>&1 & exit 0").start();
        running.wait(SOON);
        running.assert_nothing_left();
    }

    #[test]
    fn kills_all_descendants_when_dropped() {
        let running = shell("setsid sleep 300 & sleep 300 & echo started; wait").start();
        running.wait_for_line("started", SOON);
        let sleepers = crate::wait::until("both sleepers", SOON, || {
            let mut found = running.descendants();
            found.retain(|process| process.command_line == ["sleep", "300"]);
            (found.len() == 2).then_some(found)
        });
        drop(running);
        for sleeper in sleepers {
            // At most a zombie, until it is reaped by whoever adopted it.
            let command_line = procfs::process::Process::new(sleeper.id.as_raw())
                .and_then(|process| process.cmdline());
            assert!(
                command_line.is_err() || command_line.unwrap().is_empty(),
                "{sleeper:?}"
            );
        }
    }
}
