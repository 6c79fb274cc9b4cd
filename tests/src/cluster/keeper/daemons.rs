//! The programs of a cluster: the process that starts them, and that they end with.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, Read, Seek, SeekFrom, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
    },
    unistd::Pid,
};

use super::protocol::{Daemon, Reply, Request};

/// How long the kernel may take to end a process that was killed, on a busy machine.
const KILL_TAKES: Duration = Duration::from_secs(10);

/// How much of a program's log is told when it has ended by itself: its last words.
const LAST_WORDS: i64 = 3000;

/// Obeys the test until it has gone, and ends all programs then.
pub fn keep(folder: &Path) -> io::Result<()> {
    let children = Arc::new(Children::default());
    let reaper = children.clone();
    thread::spawn(move || reaper.reap());
    for line in io::stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        let reply = obey(request, &children, folder);
        let mut stdout = io::stdout().lock();
        serde_json::to_writer(&mut stdout, &reply)?;
        writeln!(stdout)?;
        stdout.flush()?;
    }
    children.kill_all();
    Ok(())
}

fn obey(request: Request, children: &Children, folder: &Path) -> Reply {
    match request {
        Request::Start(daemon) => {
            let name = daemon.name.clone();
            // Locked meanwhile, so that it is known before it can be reaped, and the standard library reaps one
            // that could not be started.
            let mut children = children.lock();
            let process = start(daemon, folder).map_err(|error| format!("{name}: {error}"))?;
            children.insert(name, Child::Runs(process));
            Ok(())
        }
        Request::Signal(name, number) => {
            let signal = Signal::try_from(number).map_err(|error| error.to_string())?;
            children.signal(&name, signal)
        }
        Request::Kill(name) => {
            children.signal(&name, Signal::SIGKILL)?;
            children.wait(&name)
        }
        Request::Check => {
            let ended = children.ended();
            if ended.is_empty() {
                return Ok(());
            }
            let told = ended
                .iter()
                .map(|(name, how)| format!("{name} {how}:\n{}", last_words(&log_of(name, folder))));
            Err(told.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn log_of(name: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{name}.log"))
}

fn start(daemon: Daemon, folder: &Path) -> io::Result<Pid> {
    let log = log_of(&daemon.name, folder);
    let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(daemon.program);
    command
        .args(daemon.arguments)
        .envs(daemon.environment)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
    unsafe {
        // However this process ends, its programs end with it. It is the main thread that starts them.
        command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?));
    }
    let process = command.spawn()?.id();
    Ok(Pid::from_raw(process.try_into().map_err(io::Error::other)?))
}

fn last_words(log: &Path) -> String {
    let read = || {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len().try_into().unwrap_or(i64::MAX);
        file.seek(SeekFrom::End(-LAST_WORDS.min(length)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("{}: {error}", log.display()))
}

/// The programs by their names.
#[derive(Default)]
struct Children {
    by_name: Mutex<BTreeMap<String, Child>>,
    changed: Condvar,
}

enum Child {
    Runs(Pid),
    Ended(String),
}

impl Children {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Child>> {
        self.by_name.lock().unwrap()
    }

    fn signal(&self, name: &str, signal: Signal) -> Reply {
        // None is reaped meanwhile: so its id is its own.
        match self.lock().get(name) {
            Some(Child::Runs(process)) => {
                kill(*process, signal).map_err(|error| format!("{name}: {error}"))
            }
            Some(Child::Ended(how)) => Err(format!("{name} {how}")),
            None => Err(format!("{name} was never started")),
        }
    }

    /// Waits for the end of one that was killed, and forgets it.
    fn wait(&self, name: &str) -> Reply {
        let runs = |children: &mut BTreeMap<String, Child>| {
            matches!(children.get(name), Some(Child::Runs(_)))
        };
        let (mut children, timeout) = self
            .changed
            .wait_timeout_while(self.lock(), KILL_TAKES, runs)
            .unwrap();
        if timeout.timed_out() {
            return Err(format!("{name} still runs {KILL_TAKES:?} after SIGKILL"));
        }
        children.remove(name);
        Ok(())
    }

    fn ended(&self) -> Vec<(String, String)> {
        let children = self.lock();
        let ended = children.iter().filter_map(|(name, child)| match child {
            Child::Ended(how) => Some((name.clone(), how.clone())),
            Child::Runs(_) => None,
        });
        ended.collect()
    }

    fn kill_all(&self) {
        let names: Vec<_> = self.lock().keys().cloned().collect();
        for name in &names {
            // One that has ended already is as good.
            let _ = self.signal(name, Signal::SIGKILL);
        }
        for name in &names {
            let _ = self.wait(name);
        }
    }

    /// Reaps all that ends, for ever: the programs, and what is left to this process by them.
    fn reap(&self) {
        loop {
            match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(status) => self.bury(status),
                // No child yet.
                Err(Errno::ECHILD) => thread::sleep(Duration::from_millis(10)),
                Err(_) => {}
            }
        }
    }

    fn bury(&self, status: WaitStatus) {
        let Some(process) = status.pid() else { return };
        let mut children = self.lock();
        // Known to be over: this takes no time.
        let _ = waitpid(process, None);
        let child = children
            .values_mut()
            .find(|child| matches!(child, Child::Runs(running) if *running == process));
        if let Some(child) = child {
            *child = Child::Ended(match status {
                WaitStatus::Exited(_, code) => format!("ended with code {code}"),
                WaitStatus::Signaled(_, signal, _) => format!("was killed by {signal}"),
                other => format!("ended: {other:?}"),
            });
        }
        self.changed.notify_all();
    }
}
