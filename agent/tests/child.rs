//! A child's end, as the agent tells it.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::Duration;

use agent::decide::ending::K6Exit;
use agent::process::child::K6;
use agent::process::family::family;
use agent::process::stderr::Tail;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{self, SigHandler, Signal};
use procfs::process::Process;
use tokio::sync::{Mutex, MutexGuard};

/// One at a time: at the end of a child, whatever this process has started since is ended with it.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

fn start(script: &str) -> K6 {
    let argv = ["/bin/sh", "-c", script].map(OsString::from);
    K6::start(&argv, &[], &Tail::default()).unwrap()
}

#[tokio::test]
async fn each_of_the_256_codes_is_told_as_it_is() {
    let _alone = alone().await;
    for code in 0..=u8::MAX {
        let exit = start(&format!("exit {code}")).ended().await.unwrap();
        assert_eq!((exit, exit.code()), (K6Exit::Code(code), code));
    }
}

#[tokio::test]
async fn a_signal_that_kills_is_told_as_a_shell_does() {
    let _alone = alone().await;
    // A shell has what it runs in the background ignore these, and so would the child.
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: no handler is set that could run.
        unsafe { signal::signal(signal, SigHandler::SigDfl) }.unwrap();
    }
    // Without those that stop or continue a process, or are ignored.
    for signal in (1..=31_u8).filter(|signal| !matches!(signal, 17..=23 | 28)) {
        // No core is dumped.
        let mut child = start(&format!("ulimit -c 0; kill -{signal} $$; sleep 60"));
        let exit = child.ended().await.unwrap();
        assert_eq!((exit, exit.code()), (K6Exit::Signal(signal), 128 + signal));
    }
}

#[tokio::test]
async fn what_cannot_be_run_has_the_code_of_a_shell() {
    let _alone = alone().await;
    for (program, code) in [("/nowhere/k6", 127), ("./Cargo.toml", 126), ("/", 126)] {
        let error = K6::start(&[program.into()], &[], &Tail::default()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(program), "{error}");
    }
}

#[tokio::test]
async fn what_it_leaves_goes_with_it_also_out_of_its_group_and_nothing_else_does() {
    let _alone = alone().await;
    set_child_subreaper(true).unwrap();
    let sleep = std::process::Command::new("/bin/sleep").arg("60").spawn();
    let mut bystander = sleep.unwrap();
    let mut child = start("sleep 61 & setsid sh -c 'sleep 62 & sleep 63' & wait; exit 7");
    let family = || family(child.pid(), &HashSet::new());
    // It, its sleep, the shell of another session, and its two.
    while family().len() < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let family = family();
    child.signal(Signal::SIGKILL);
    assert_eq!(child.ended().await.unwrap(), K6Exit::Signal(9));
    for process in family {
        let state = Process::new(process.pid).and_then(|it| it.stat());
        assert!(state.is_err(), "{state:?}");
    }
    assert!(bystander.try_wait().unwrap().is_none());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}
