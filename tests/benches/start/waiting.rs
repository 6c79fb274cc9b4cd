//! What waiting with tminus costs beside k6: memory, and CPU time a minute.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use procfs::process::Process;
use rendezvous::{
    DirectoryStore, Phase, Plan, PlanId, PlanState, RunId, RunnerId, StageName, Store, Terms,
};
use support::process::Program;
use support::programs;
use support::scratch::Scratch;
use support::wait;

use crate::paused::SCRIPT;

/// How long it is watched: a minute, so that the figure needs no arithmetic.
const WATCHED: Duration = Duration::from_secs(60);

/// Prints the agent's resident memory and CPU time while it waits, ready, for a plan to be set.
pub fn print_costs(k6: &Path) {
    let scratch = Scratch::new();
    let script = scratch.write("load.js", SCRIPT);
    let store = DirectoryStore::open(scratch.path().join("store")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (stage, runner) = (StageName::new("main").unwrap(), RunnerId::new("a").unwrap());
    let gathering = Plan {
        run: RunId::new("bench").unwrap(),
        stage: stage.clone(),
        id: PlanId::random(),
        state: PlanState::Gathering {
            left: Duration::from_secs(600),
        },
        runners_wanted: 1,
        terms: Terms::default(),
    };
    let board = runtime.block_on(store.read(&stage)).unwrap();
    runtime
        .block_on(store.write_plan(&gathering, &board.revision))
        .unwrap();
    let agent = Program::new(programs::agent())
        .args([
            "--store",
            &format!("dir:{}", scratch.path().join("store").display()),
        ])
        .args(["--run", "bench", "--runner", "a", "--"])
        .args([
            k6.as_os_str(),
            "run".as_ref(),
            "--quiet".as_ref(),
            script.as_os_str(),
        ])
        .current_dir(scratch.path())
        .start();
    wait::until("a ready runner", Duration::from_secs(60), || {
        let report = runtime
            .block_on(store.read_report(&stage, &runner))
            .unwrap()
            .unwrap();
        report
            .is_some_and(|report| report.phase == Phase::Ready)
            .then_some(())
    });
    let process = Process::new(agent.id().as_raw()).unwrap();
    let before = cpu(&process);
    let began = Instant::now();
    std::thread::sleep(WATCHED);
    let per_minute = (cpu(&process) - before).mul_f64(60.0 / began.elapsed().as_secs_f64());
    let resident = process.status().unwrap().vmrss.unwrap();
    #[allow(clippy::cast_precision_loss)]
    let mebibytes = resident as f64 / 1024.0;
    println!(
        "an agent that waits: {mebibytes:.1} MiB resident, {per_minute:?} of CPU time a minute"
    );
    agent.signal(Signal::SIGTERM);
    agent.wait(Duration::from_secs(60));
}

fn cpu(process: &Process) -> Duration {
    let stat = process.stat().unwrap();
    let ticks = stat.utime + stat.stime;
    #[allow(clippy::cast_precision_loss)]
    let seconds = ticks as f64 / procfs::ticks_per_second() as f64;
    Duration::from_secs_f64(seconds)
}
