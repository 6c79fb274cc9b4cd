//! How far apart the resumes are that any number of runners send, by a stand-in's clock instead of k6's first requests.

use std::time::Duration;

use support::{
    fake_k6::{Behaviour, FakeK6},
    process::Program,
    programs,
    scratch::Scratch,
};

use crate::{
    figures::{Figures, millis},
    progress::progress,
};

/// One alone, and as many as a machine may have to start at once.
const RUNNERS: [usize; 3] = [1, 10, 50];

/// The bar, for any number of them.
const APART: Duration = Duration::from_millis(20);

/// Far more than fifty starts take on a busy machine.
const DONE_WITHIN: Duration = Duration::from_secs(180);

/// Starts so many stand-ins so often, and prints how far apart they were resumed.
pub fn print_spreads(starts: usize) {
    println!("spread of the resumes as they arrive at stand-ins for k6");
    println!(
        "  {:<32} {:>9} {:>9} {:>9}",
        "runners", "median", "p90", "max"
    );
    let mut most = Duration::ZERO;
    for runners in RUNNERS {
        let progress = progress(&format!("starts of {runners} stand-ins"), starts);
        let spread = |_| {
            progress.inc(1);
            spread(runners)
        };
        let spreads = Figures::new((0..starts).map(spread).collect());
        progress.finish_and_clear();
        println!(
            "  {:<32} {:>9.3} {:>9.3} {:>9.3}",
            runners,
            millis(spreads.median()),
            millis(spreads.quantile(0.9)),
            millis(spreads.max())
        );
        most = most.max(spreads.max());
    }
    let is_met = if most < APART { "yes" } else { "NO" };
    println!("  always less than {} ms: {is_met}\n", millis(APART));
}

fn spread(runners: usize) -> Duration {
    let scratch = Scratch::new();
    // All write to one record.
    let k6 = FakeK6::new(&scratch, "k6", &Behaviour::default());
    let scheduler = Program::new(programs::scheduler())
        .args(["local", "--lead", "3s", "--runners", &runners.to_string()])
        .args(["--agent".as_ref(), programs::agent().as_os_str()])
        .args(["--dir".as_ref(), scratch.path().join("run").as_os_str()])
        .args(["--".as_ref(), k6.program().as_os_str()])
        .args(["run", "load.js"])
        .current_dir(scratch.path());
    let scheduler = k6.environment(scheduler).start();
    let exit = scheduler.wait(DONE_WITHIN);
    assert_eq!(exit.code, Some(0), "{}", scheduler.stderr());
    let resumes = k6.requests("PATCH /v1/status");
    assert_eq!(resumes.len(), runners);
    let first = resumes.iter().map(|it| it.at).min().unwrap();
    let last = resumes.iter().map(|it| it.at).max().unwrap();
    (last - first).to_std().unwrap()
}
