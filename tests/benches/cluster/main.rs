//! On a real cluster: how far apart the first requests of six pods are, for tminus and for what people do without it,
//! each start in turn; and how long it takes until the last of many agents is armed.
//!
//! `make bench` runs it. `TMINUS_BENCH_STARTS` sets how many starts of each kind there are (5).
#![allow(clippy::unwrap_used)]

mod agent;
mod armed;
#[path = "../lateness/cpu.rs"]
mod cpu;
#[path = "../start/figures.rs"]
mod figures;
mod files;
mod methods;
mod paused;
#[path = "../lateness/progress.rs"]
mod progress;
#[path = "../lateness/report.rs"]
mod report;
mod requests;
mod run;
mod spread;
mod tminus;

use std::{env, thread::available_parallelism};

use support::cluster::Cluster;

/// How many agents wait for a plan: as many as the pods of the starts, many, and as many as still poll at the full
/// pace.
const WATCHERS: [u32; 3] = [6, 100, 1_000];

fn main() {
    // `cargo test --benches` would start it, too, where nobody wants to wait for it.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let starts: usize = env::var("TMINUS_BENCH_STARTS").map_or(5, |text| text.parse().unwrap());
    println!("cores: {}", available_parallelism().unwrap());
    println!("starts of each kind: {starts}; times in ms\n");
    if let Some(cluster) = Cluster::start_with_node() {
        spread::print_spreads(&cluster, starts);
    }
    // The API server has the limit of this process.
    let files = files::raise_limit();
    // Another one, without a node: the kubelet's work is not to be measured.
    let Some(cluster) = Cluster::start() else {
        return;
    };
    armed::print_heading(starts);
    for watchers in WATCHERS {
        match files::suffice_for(watchers, files) {
            Ok(()) => armed::print_figures(&cluster, watchers, starts),
            Err(why) => println!("  {watchers:>8}   left out: {why}"),
        }
    }
    armed::print_footing();
}
