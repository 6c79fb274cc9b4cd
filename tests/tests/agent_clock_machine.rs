//! Machines that are not as they should be: wall clocks that are wrong, a runner that is stopped, too little CPU time.
//! The instant is kept all the same, by NTP.
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
    scheduler::{Run, SOONEST, ended},
    stage::Stage,
    target::Target,
    wait,
};

/// What the runners' machines believe beside the truth. Nodes have been seen to.
const WALL_CLOCKS: [(&str, &str); 3] = [("slow", "-0.13"), ("fast", "+420"), ("true", "+0")];

/// How many starts are judged together.
const STARTS: usize = 10;

/// Long enough for the runners to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// How far apart first requests may be in the median: a clock that is 130 ms off shows, and a machine with more to do
/// than it can passes. On an idle one they are some 3 ms apart.
const APART: TimeDelta = TimeDelta::milliseconds(60);

/// How late any of them may be on a machine with more to do than it can.
const LATE: TimeDelta = TimeDelta::seconds(5);

/// Lets the agent believe another wall clock, by `seconds`. Its k6 is linked statically, and does not see it.
fn believing<'a>(launch: Launch<'a>, seconds: &str, faketime: &PathBuf) -> Launch<'a> {
    launch
        .env("LD_PRELOAD", faketime)
        .env("FAKETIME", seconds)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_RESET", "1")
}

#[test]
fn runners_that_believe_other_wall_clocks_start_together_at_the_true_instant() {
    let (Some(chronyd), Some(faketime)) = (programs::chronyd(), programs::faketime()) else {
        return;
    };
    let server = Chronyd::of_the_machine(&chronyd);
    let k6 = k6_run(&K6::V1.program().unwrap(), &[], "one-iteration");
    let mut spreads = Vec::new();
    for _ in 0..STARTS {
        let (stage, target) = (Stage::new(), Target::start());
        let runners = WALL_CLOCKS.map(|(name, believed)| {
            let launch = Launch::new(&stage, name)
                .env("TARGET", target.url())
                // There are more runners than cores.
                .options(["--ntp", &server.address().to_string(), "--spin", "0s"]);
            believing(launch, believed, &faketime).start(&k6)
        });
        for (runner, (_, believed)) in runners.iter().zip(WALL_CLOCKS) {
            let clock = runner.wait_for_phase(Phase::Ready, SOON).clock;
            let wrong: f64 = believed.parse().unwrap();
            let seconds = clock.offset.unwrap().as_seconds_f64();
            assert!((seconds + wrong).abs() < 0.05, "{clock:?}");
        }
        let instant = stage.set_in(LEAD);
        for runner in &runners {
            let ended = runner.ended(SOON);
            ended.assert(Phase::Finished, 0);
        }
        let load = target.first_requests();
        assert_eq!(load.len(), runners.len());
        let after = load.values().map(|hits| hits.first.utc - instant);
        let (first, last) = (after.clone().min().unwrap(), after.max().unwrap());
        assert!(
            first >= TimeDelta::milliseconds(-1) && last < LATE,
            "{load:?}"
        );
        println!(
            "first requests {} to {} µs after the instant",
            first.num_microseconds().unwrap(),
            last.num_microseconds().unwrap()
        );
        spreads.push(last - first);
    }
    spreads.sort_unstable();
    println!("apart: {spreads:?}");
    assert!(spreads[STARTS / 2] < APART, "{spreads:?}");
}

#[test]
fn without_ntp_the_scheduler_names_the_runner_that_is_seven_minutes_off_and_refuses() {
    let Some(faketime) = programs::faketime() else {
        return;
    };
    let run = Run::new();
    let runners = WALL_CLOCKS.map(|(name, believed)| {
        let launch = run.launch(name).env("DURATION", "1s");
        believing(launch, believed, &faketime).start(run.k6("one-is-different"))
    });
    for runner in &runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    let scheduler = run.start(3, SOONEST.into_iter().chain(["--max-wait", "5s"]));
    let refused = ended(&scheduler);
    refused.assert(75).assert_told("fast");
    assert!(
        refused.stderr.contains("7m") || refused.stderr.contains("420"),
        "{}",
        refused.stderr
    );
    assert!(run.target.first_requests().is_empty());
    for runner in &runners {
        runner.ended(SOON).assert(Phase::Aborted, 76);
    }
}

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
    let ahead = Duration::from_secs(2);
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
    if let Some((instant, ended)) = disturbed(Duration::from_secs(3), occupy) {
        assert_started_in_time(instant, &ended);
    }
}

#[test]
fn a_runner_starts_in_time_with_a_fifth_of_a_core() {
    let Some(quota) = Quota::new(Duration::from_millis(20), Duration::from_millis(100)) else {
        return;
    };
    let mut busy = Vec::new();
    let throttle = |agent: &Running| {
        let neighbour = Program::new("/bin/sh")
            .args(["-c", "while :; do :; done"])
            .start();
        quota.add(agent);
        quota.add(&neighbour);
        busy.push(neighbour);
    };
    if let Some((instant, ended)) = disturbed(Duration::from_secs(3), throttle) {
        assert_started_in_time(instant, &ended);
    }
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

    fn add(&self, process: &Running) {
        fs::write(self.0.join("cgroup.procs"), process.id().to_string()).unwrap();
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
