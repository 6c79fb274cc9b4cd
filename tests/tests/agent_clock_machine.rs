//! Machines that are not as they should be: a runner that is stopped, too little CPU time. The instant is kept all the
//! same, by NTP.
#![allow(clippy::unwrap_used)]

use std::{
    fs, io,
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal;
use rendezvous::Phase;
use support::{
    fake_k6::{Behaviour, FakeK6},
    ntp::chronyd::Chronyd,
    process::{Program, Running},
    programs::{self, K6},
    runner::{Ended, Launch, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
};

/// A runner that has its time from a server, to which this happens while it waits for an instant so far ahead. That
/// instant, and how it ended; nothing where there is no server to be had.
fn disturbed(ahead: Duration, disturb: impl FnOnce(&Running)) -> Option<(DateTime<Utc>, Ended)> {
    let server = Chronyd::of_the_machine(&programs::chronyd()?);
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = Launch::new(&stage, "runner-1")
        .fake_k6(&k6)
        .options(["--ntp", &server.address().to_string()])
        .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    runner.wait_for_phase(Phase::Ready, SOON);
    let instant = stage.set_in(ahead);
    runner.wait_for_phase(Phase::Armed, SOON);
    disturb(runner.process());
    Some((instant, runner.ended(SOON)))
}

/// The machine's clock is the server's.
fn assert_started_in_time(instant: DateTime<Utc>, ended: &Ended) {
    ended.assert(Phase::Finished, 0);
    let start = ended.report.start.as_ref().unwrap();
    let (late, error) = (start.fired_at - instant, start.clock_error.unwrap());
    println!("fired {late} after the instant, ± {error:?}");
    assert!(late >= -TimeDelta::from_std(error).unwrap(), "{start:?}");
    assert!(
        late <= TimeDelta::seconds(1) && !start.clock_jumped,
        "{start:?}"
    );
}

/// Stops a process for this long.
fn stop_for(process: &Running, time: Duration) {
    process.signal(Signal::SIGSTOP);
    thread::sleep(time);
    process.signal(Signal::SIGCONT);
}

#[test]
fn a_runner_that_is_stopped_while_it_waits_starts_in_time() {
    let ahead = Duration::from_secs(12);
    let Some((instant, ended)) = disturbed(ahead, |agent| stop_for(agent, ahead / 2)) else {
        return;
    };
    assert_started_in_time(instant, &ended);
}

#[test]
fn a_runner_that_is_stopped_across_the_instant_is_late() {
    let ahead = Duration::from_secs(5);
    let stopped = |agent: &Running| stop_for(agent, ahead + Duration::from_secs(2));
    let Some((_, ended)) = disturbed(ahead, stopped) else {
        return;
    };
    ended.assert(Phase::Refused, 74);
    assert!(ended.report.start.is_none());
}

#[test]
fn a_runner_starts_in_time_on_a_machine_that_is_busy() {
    let mut busy = Vec::new();
    let occupy = |_: &Running| {
        let spin = || {
            Program::new("/bin/sh")
                .args(["-c", "while :; do :; done"])
                .start()
        };
        busy.extend([spin(), spin()]);
    };
    if let Some((instant, ended)) = disturbed(Duration::from_secs(5), occupy) {
        assert_started_in_time(instant, &ended);
    }
}

/// What its machine gives a container with `limits: {cpu: 200m}`, where k6 wants all of it: up to 80 ms pass in which
/// nothing of it runs.
#[test]
fn a_runner_with_a_fifth_of_a_core_beside_a_busy_k6_starts_and_says_how_late() {
    let Some(quota) = Quota::new(Duration::from_millis(20), Duration::from_millis(100)) else {
        return;
    };
    let Some(chronyd) = programs::chronyd() else {
        return;
    };
    let server = Chronyd::of_the_machine(&chronyd);
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = K6::V1.program().unwrap();
    let runner = Launch::new(&stage, "runner-1")
        .env("TARGET", target.url())
        .env("GROUP", quota.members())
        .in_shell(r#"echo $$ >"$GROUP" && exec "$0" "$@""#)
        .options(["--ntp", &server.address().to_string()])
        .start(k6_run(&k6, &[], "one-iteration"));
    runner.wait_for_phase(Phase::Ready, SOON);
    let neighbour = Program::new("/bin/sh")
        .args(["-c", r#"echo $$ >"$GROUP" && exec "$0" "$@""#])
        .args(k6_run(&k6, &[], "busy"))
        .env("GROUP", quota.members())
        .env("TARGET", target.url())
        .current_dir(stage.scratch().path())
        .start();
    wait::until("a busy k6", SOON, || {
        (target.load_count("busy") > 0).then_some(())
    });
    let before = quota.throttled();
    let instant = stage.set_in(Duration::from_secs(5));
    let ended = runner.ended(SOON);
    assert!(neighbour.exited().is_none(), "{}", neighbour.stderr());
    // Where the machine has more to do it may not get even that.
    let throttled = quota.throttled() - before;
    println!("throttled in {throttled} periods of 100 ms");
    assert!(throttled > 10, "{throttled}");
    assert_started_in_time(instant, &ended);
    let first = target.first_requests()["runner-1"].first.utc;
    println!("first request {} after the instant", first - instant);
    assert!(first >= instant - TimeDelta::milliseconds(1), "{first}");
}

/// A control group that gets no more CPU time than this.
struct Quota(PathBuf);

impl Quota {
    /// Nothing, said aloud, where this user may not make one.
    fn new(time: Duration, period: Duration) -> Option<Self> {
        let (time, period) = (time.as_micros(), period.as_micros());
        let name = format!("tminus-test-{}", process::id());
        let made = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            let group = Path::new("/sys/fs/cgroup").join(name);
            let limit = format!("{time} {period}");
            make_group(group, &[("cpu.max", limit)])
        } else {
            let group = Path::new("/sys/fs/cgroup/cpu").join(name);
            let limits = [
                ("cpu.cfs_period_us", period.to_string()),
                ("cpu.cfs_quota_us", time.to_string()),
            ];
            make_group(group, &limits)
        };
        made.inspect_err(|error| {
            eprintln!("SKIPPED: no CPU quota to be had: {error} (run it as root)")
        })
        .ok()
    }

    /// Who writes its own number there is in it, with all that it starts.
    fn members(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    /// In how many periods somebody in it had to stop.
    fn throttled(&self) -> u64 {
        let figures = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        let mut figures = figures.lines();
        let figure = figures.find_map(|line| line.strip_prefix("nr_throttled "));
        figure.unwrap().parse().unwrap()
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Processes that were just killed may not have left it yet.
        wait::until("an empty control group", SOON, || {
            fs::remove_dir(&self.0).ok()
        });
    }
}

fn make_group(group: PathBuf, limits: &[(&str, String)]) -> io::Result<Quota> {
    fs::create_dir(&group)?;
    let group = Quota(group);
    for (file, limit) in limits {
        fs::write(group.0.join(file), limit)?;
    }
    Ok(group)
}
