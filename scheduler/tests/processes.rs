//! The program itself, with agents that are shell scripts: what it exits with, and that
//! it leaves nothing behind.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Nothing here takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

fn scheduler(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tminus-scheduler"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TMINUS_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = scheduler(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Waits until something is so.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        sleep(Duration::from_millis(5));
    }
}

fn ended(mut child: Child) -> (Option<i32>, String) {
    let status = until("its end", || child.try_wait().unwrap());
    let mut stderr = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_string(&mut stderr).unwrap();
    }
    (status.code(), stderr)
}

fn send(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(id), signal).unwrap();
}

/// A run with a directory of its own and agents of this script, each of which writes its id into
/// `agent.pid`.
struct Local {
    home: TempDir,
}

impl Local {
    fn new(script: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let agent = home.path().join("agent");
        fs::write(&agent, format!("#!/bin/sh\necho $$ >agent.pid\n{script}\n")).unwrap();
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
        Self { home }
    }

    fn command(&self, script: &[&str], flags: &[&str]) -> Command {
        let mut command = scheduler(&["local", "--runners", "2", "--dir", "out"]);
        if !flags.contains(&"--agent") {
            command.args(["--agent", "./agent"]);
        }
        command
            .args(flags)
            .args(["--", "k6", "run"])
            .args(script)
            .current_dir(self.home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn start(&self, flags: &[&str]) -> Child {
        self.command(&["script.js"], flags).spawn().unwrap()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join("out").join(below)
    }

    /// The process that wrote its id into this file, once it has.
    fn process(&self, file: &str) -> i32 {
        until(file, || {
            let text = fs::read_to_string(self.path(file)).ok()?;
            text.strip_suffix('\n')?.parse().ok()
        })
    }

    fn both_agents(&self) -> [i32; 2] {
        ["runner-1/agent.pid", "runner-2/agent.pid"].map(|file| self.process(file))
    }
}

fn is_alive(process: i32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with('Z'))
    })
}

fn gone(process: i32) {
    until("the end of a process", || {
        (!is_alive(process)).then_some(())
    });
}

#[test]
fn agents_that_end_at_once_make_a_quorum_impossible() {
    let local = Local::new("exit 107");
    let (code, stderr) = ended(local.start(&[]));
    assert_eq!(code, Some(107), "{stderr}");
    assert!(stderr.contains("ended without a word (107)"), "{stderr}");
    assert!(!local.path("store").exists());
    assert!(local.path("runner-1/k6.log").exists());
}

#[test]
fn an_agent_gets_what_it_needs_in_a_directory_of_its_own() {
    let local = Local::new("echo \"$PWD $*\"; echo amiss >&2; exit 1");
    let (code, stderr) = ended(local.start(&[]));
    assert_eq!(code, Some(1), "{stderr}");
    let home = local.home.path().canonicalize().unwrap();
    let home = home.display();
    let log = fs::read_to_string(local.path("runner-2/k6.log")).unwrap();
    assert!(
        log.starts_with(&format!(
            "{home}/out/runner-2 --store dir:{home}/out/store "
        )),
        "{log}"
    );
    assert!(log.contains(" --runner runner-2 "), "{log}");
    assert!(
        log.contains(&format!(" -- k6 run {home}/script.js\namiss\n")),
        "{log}"
    );
}

#[test]
fn a_second_signal_ends_everything_at_once() {
    // Deaf to everything, and with a child that has a session of its own.
    let local = Local::new(
        "trap '' TERM INT HUP; setsid sh -c 'echo $$ >child.pid; exec sleep 1000' & while :; do sleep 1; done",
    );
    let child = local.start(&[]);
    let mut processes = local.both_agents().to_vec();
    processes.push(local.process("runner-1/child.pid"));
    processes.push(local.process("runner-2/child.pid"));
    send(&child, Signal::SIGINT);
    until("the abort", || {
        local.path("store/abort.json").exists().then_some(())
    });
    send(&child, Signal::SIGINT);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(76), "{stderr}");
    processes
        .into_iter()
        .for_each(|process| assert!(!is_alive(process), "{stderr}"));
    assert!(
        stderr.contains("killing the runners that are left"),
        "{stderr}"
    );
    assert!(!local.path("store").exists());
}

/// Four files are enough to load the program's libraries, and up to seven not for what it waits with.
#[test]
fn a_process_that_may_not_open_what_it_waits_with_ends_at_once() {
    for files in 4..8 {
        let local = Local::new("exit 1");
        // Whoever runs the tests, such as make with a job server, may have left files open.
        let line = format!("exec 3>&- 4>&- 5>&- 6>&- && ulimit -n {files} && exec \"$@\"");
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &line, "sh"])
            .arg(env!("CARGO_BIN_EXE_tminus-scheduler"))
            .args(["local", "--runners", "2", "--dir", "out", "--agent"])
            .args(["./agent", "--", "k6", "run", "script.js"])
            .current_dir(local.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let (code, stderr) = ended(limited.spawn().unwrap());
        assert_eq!(code, Some(69), "{files} files: {stderr}");
        assert!(stderr.contains("cannot begin: "), "{stderr}");
        assert!(!local.home.path().join("out").exists());
    }
}

#[test]
fn agents_do_not_outlive_a_scheduler_that_is_killed() {
    let local = Local::new("while :; do sleep 0.1; done");
    let child = local.start(&[]);
    let agents = local.both_agents();
    send(&child, Signal::SIGKILL);
    assert_eq!(ended(child).0, None);
    agents.into_iter().for_each(gone);
}

#[test]
fn nothing_is_made_where_the_command_line_is_refused() {
    let local = Local::new("exit 1");
    let (code, stderr) = ended(local.start(&["--min-runners", "3"]));
    assert_eq!(code, Some(64), "{stderr}");
    assert!(!local.home.path().join("out").exists());
}

#[test]
fn a_script_on_standard_input_is_handed_to_each() {
    let local = Local::new("cat; exit 1");
    let script = local.home.path().join("given.js");
    fs::write(&script, "export default () => {}").unwrap();
    let mut command = local.command(&["-"], &[]);
    let child = command.stdin(fs::File::open(script).unwrap()).spawn();
    let (code, stderr) = ended(child.unwrap());
    assert_eq!(code, Some(1), "{stderr}");
    for log in ["runner-1/k6.log", "runner-2/k6.log"] {
        let log = fs::read_to_string(local.path(log)).unwrap();
        assert_eq!(log, "export default () => {}");
    }
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let local = Local::new("");
    let (code, stderr) = ended(
        local
            .command(&["script.js"], &["--agent", "elsewhere"])
            .spawn()
            .unwrap(),
    );
    assert_eq!(code, Some(64), "{stderr}");
    assert!(stderr.contains("elsewhere"), "{stderr}");
    assert!(!local.home.path().join("out").exists());
}

struct Store {
    directory: TempDir,
    location: String,
}

impl Store {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = format!("dir:{}", directory.path().display());
        Self {
            directory,
            location,
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    fn arguments<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec![command, "--store", &self.location, "--run", "r1"];
        arguments.extend(more);
        arguments
    }

    /// A plan of a run, as its scheduler leaves it while it gathers.
    fn write_plan(&self, run: &str) {
        let plan = format!(
            r#"{{"version":1,"run":"{run}","stage":"main","plan":"p1","state":"gathering","seconds_left":60,"runners_wanted":1}}"#
        );
        fs::write(self.path("plan-main.json"), plan).unwrap();
    }

    fn output(&self, command: &str, more: &[&str]) -> (i32, String, String) {
        output(&self.arguments(command, more))
    }
}

#[test]
fn a_start_that_is_told_to_end_aborts_its_run() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let store = Store::new();
        let arguments = store.arguments("start", &["--runners", "2"]);
        let child = scheduler(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("the plan", || {
            store.path("plan-main.json").exists().then_some(())
        });
        send(&child, signal);
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(76), "{stderr}");
        let abort = fs::read_to_string(store.path("abort.json")).unwrap();
        assert!(abort.contains(signal.as_str()), "{abort}");
    }
}

#[test]
fn a_reader_that_went_away_changes_nothing() {
    let store = Store::new();
    let arguments = store.arguments("start", &["--runners", "2", "--max-wait", "1s"]);
    let mut child = scheduler(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(ended(child).0, Some(75));
}

#[test]
fn a_run_of_which_nothing_stands_there_is_not_aborted() {
    let store = Store::new();
    store.write_plan("yesterday");
    let (code, _, _) = output(&["abort", "--store", &store.location, "--run", "yesterday"]);
    assert_eq!(code, 0);
    let before = fs::read_to_string(store.path("abort.json")).unwrap();
    let (code, _, told) = store.output("abort", &[]);
    assert_eq!(code, 69);
    assert!(told.contains("no plan or report of run r1"), "{told}");
    assert!(told.contains("nothing was aborted"), "{told}");
    assert_eq!(
        fs::read_to_string(store.path("abort.json")).unwrap(),
        before
    );
}

#[test]
fn waiting_may_be_asked_for_by_the_environment_as_pipelines_write_it() {
    let store = Store::new();
    for (wait, expected) in [
        ("1", 75),
        ("true", 75),
        ("0", 75),
        ("false", 75),
        ("perhaps", 64),
    ] {
        let run = format!("r-{wait}");
        let arguments = [
            "start",
            "--store",
            &store.location,
            "--run",
            &run,
            "--runners",
            "1",
        ];
        let told = scheduler(&arguments)
            .args(["--max-wait", "1s"])
            .env("TMINUS_WAIT", wait)
            .output()
            .unwrap();
        assert_eq!(told.status.code(), Some(expected), "{wait}");
    }
}

#[test]
fn the_log_that_is_asked_of_the_scheduler_is_not_asked_of_the_agents() {
    let local = Local::new("echo \"log: ${TMINUS_LOG-as it pleases}\"; exit 1");
    let mut command = local.command(&["script.js"], &[]);
    let (code, _) = ended(command.env("TMINUS_LOG", "scheduler=warn").spawn().unwrap());
    assert_eq!(code, Some(1));
    let log = fs::read_to_string(local.path("runner-1/k6.log")).unwrap();
    assert_eq!(log, "log: as it pleases\n");
}

#[test]
fn an_aborted_run_is_shown_as_such_and_not_started() {
    let store = Store::new();
    let (code, shown, _) = store.output("status", &[]);
    assert_eq!(code, 0);
    assert!(
        shown.contains("no plan\nnot aborted\nno runner has reported\n"),
        "{shown}"
    );
    store.write_plan("r1");
    let (code, _, told) = store.output("abort", &["--why", "a bad day"]);
    assert_eq!(code, 0);
    assert!(told.contains("run r1 is aborted"), "{told}");
    let (_, shown, _) = store.output("status", &["--output", "json"]);
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["abort"]["why"], "a bad day");
    let (code, result, _) = store.output("start", &["--runners", "1"]);
    assert_eq!(code, 76);
    assert!(result.contains("a bad day"), "{result}");
}

#[test]
fn a_quorum_that_does_not_come_is_a_result_in_json_too() {
    let store = Store::new();
    let flags = ["--runners", "3", "--max-wait", "1s", "--output", "json"];
    let (code, result, progress) = store.output("start", &flags);
    assert_eq!(code, 75);
    let json: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(json["result"], "quorum_timed_out");
    assert_eq!(json["exit_code"], 75);
    assert!(
        progress.contains("0/3 ready, 1s left; 3 not heard of yet"),
        "{progress}"
    );
}

#[test]
fn a_store_that_cannot_be_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = Path::new(file.path()).join("store");
    let location = format!("dir:{}", below.display());
    let (code, _, told) = output(&[
        "start",
        "--store",
        &location,
        "--run",
        "r1",
        "--runners",
        "1",
    ]);
    assert_eq!(code, 69);
    assert!(told.contains(below.to_str().unwrap()), "{told}");
}

#[test]
fn a_log_filter_that_makes_no_sense_is_a_usage_error() {
    let store = Store::new();
    let told = scheduler(&store.arguments("abort", &[]))
        .env("TMINUS_LOG", "scheduler=loud")
        .output()
        .unwrap();
    assert_eq!(told.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&told.stderr).contains("TMINUS_LOG"));
    assert!(!store.path("abort.json").exists());
}

#[test]
fn a_closed_terminal_does_not_end_a_start_under_nohup() {
    let store = Store::new();
    let program = env!("CARGO_BIN_EXE_tminus-scheduler");
    // As nohup does it.
    let script = format!(
        "trap '' HUP; exec {program} start --store {} --run r1 --runners 1",
        store.location
    );
    let child = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the plan", || {
        store.path("plan-main.json").exists().then_some(())
    });
    send(&child, Signal::SIGHUP);
    send(&child, Signal::SIGTERM);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(76), "{stderr}");
    let abort = fs::read_to_string(store.path("abort.json")).unwrap();
    assert!(abort.contains("SIGTERM"), "{abort}");
}
