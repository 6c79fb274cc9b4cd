//! What the scheduler prints, and where: on a terminal, in a pipe, and where nobody reads it.
#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    io::Read,
    os::fd::AsRawFd,
    thread,
};

use nix::pty::{Winsize, openpty};
use rstest::rstest;
use support::{
    process::Program,
    programs::{self, K6},
    runner::{SOON, k6_run},
    scheduler::{Local, Run, SOONEST, ended},
    target::Target,
};

#[rstest]
#[case::both_closed(r#""$0" "$@" >&- 2>&-; echo $? >code"#)]
#[case::nobody_reads(r#"{ "$0" "$@" 2>&1; echo $? >code; } | true"#)]
#[case::no_room(r#""$0" "$@" >/dev/full 2>&1; echo $? >code"#)]
#[case::no_input(r#""$0" "$@" <&-; echo $? >code"#)]
fn outputs_that_cannot_be_written_to_change_nothing(#[case] shell: &str) {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let shell = Program::new("/bin/sh")
        .args(["-c", shell])
        .args([programs::scheduler()])
        .args([
            "local",
            "--runners",
            "2",
            "--lead",
            "1s",
            "--dir",
            "out",
            "--",
        ])
        .args(k6_run(&k6, &[], "one-iteration"))
        .current_dir(local.home().path())
        .env("TARGET", target.url())
        .start();
    shell.wait(SOON);
    shell.assert_nothing_left();
    let code = fs::read_to_string(local.home().path().join("code")).unwrap();
    assert_eq!(code, "0\n", "{}", shell.stderr());
    assert_eq!(target.first_requests().len(), 2);
    local.assert_tidy(&["code"]);
}

#[rstest]
#[case::as_usual(100)]
#[case::narrow(30)]
#[case::of_unknown_size(0)]
fn on_a_terminal_a_bar_is_drawn_and_the_table_is_whole(#[case] columns: u16) {
    let Some(k6) = K6::V1.program() else { return };
    let (local, target) = (Local::new(), Target::start());
    let size = Winsize {
        ws_row: 25,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = openpty(&size, None).unwrap();
    let device = fs::read_link(format!("/proc/self/fd/{}", terminal.slave.as_raw_fd())).unwrap();
    let reader = thread::spawn(move || {
        let (mut screen, mut master) = (Vec::new(), File::from(terminal.master));
        // It ends with an error when nobody has the terminal open any more.
        let _ = master.read_to_end(&mut screen);
        String::from_utf8(screen).unwrap()
    });
    let shell = Program::new("/bin/sh")
        .args(["-c", r#"exec "$0" "$@" >"$TERMINAL" 2>&1"#])
        .args([programs::scheduler()])
        .args([
            "local",
            "--runners",
            "2",
            "--lead",
            "2s",
            "--dir",
            "out",
            "--",
        ])
        .args(k6_run(&k6, &[], "constant-vus"))
        .current_dir(local.home().path())
        .env("TARGET", target.url())
        .env("TERMINAL", &device)
        .env("TERM", "xterm")
        .start();
    let ended = ended(&shell);
    drop(terminal.slave);
    let screen = reader.join().unwrap();
    ended.assert(0);
    assert!(
        screen.contains("\u{1b}[") && screen.contains("====="),
        "no bar in {screen:?}"
    );
    for number in 1..=2 {
        let line = format!("runner-{number} is ready (5 VUs)");
        let mut lines = screen.split(['\r', '\n']);
        let whole = lines.any(|it| it.trim_start_matches("\u{1b}[2K") == line);
        assert!(whole, "no {line:?} in {screen:?}");
    }
    let (_, table) = screen.split_once(", stage main: start set for ").unwrap();
    assert!(!table.contains('\u{1b}'), "{table:?}");
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 4, "{table}");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{table}");
    assert!(
        table.trim_end().ends_with("exit code 0: all is well"),
        "{table}"
    );
}

#[test]
fn a_target_that_does_not_answer_costs_a_warning() {
    let run = Run::new();
    let _runner = run.runner("a", "1s");
    let options = ["--first-requests", "http://127.0.0.1:1/"];
    let ended = ended(&run.start(1, SOONEST.iter().chain(&options)));
    ended
        .assert(0)
        .assert_told("warning: the first requests are not known");
}
