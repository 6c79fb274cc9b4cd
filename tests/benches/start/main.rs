//! How far apart the first requests of several k6 are, for tminus and for what people do without it, each
//! start in turn in one run on one machine; how far apart the resumes of up to fifty are; and what waiting with tminus
//! costs.
//!
//! `make bench` runs it. `TMINUS_BENCH_STARTS` sets how many starts of each kind there are (20).
#![allow(clippy::unwrap_used)]

mod figures;
mod methods;
mod paused;
#[path = "../lateness/progress.rs"]
mod progress;
mod resumes;
mod tminus;
mod waiting;

use std::thread::available_parallelism;

use figures::{Figures, millis};
use methods::Method;
use progress::progress;
use support::programs::K6;

/// As many runners as the product's bars are set for.
const RUNNERS: [usize; 2] = [4, 10];

fn main() {
    // `cargo test --benches` would start it, too, where nobody wants to wait for it.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let starts: usize =
        std::env::var("TMINUS_BENCH_STARTS").map_or(20, |text| text.parse().unwrap());
    let k6 = K6::V1.program().expect("k6 v1: run `make tools`");
    println!("cores: {}", available_parallelism().unwrap());
    println!("starts of each kind: {starts}, taken in turn; k6 v1.1.0; times in ms\n");
    for runners in RUNNERS {
        starts_of(runners, starts, &k6);
    }
    resumes::print_spreads(starts);
    waiting::print_costs(&k6);
}

fn starts_of(runners: usize, starts: usize, k6: &std::path::Path) {
    let mut spreads = vec![Vec::new(); Method::ALL.len()];
    let mut lateness = Vec::new();
    let progress = progress(&format!("starts of {runners} runners"), starts);
    for _ in 0..starts {
        for (method, spreads) in Method::ALL.iter().zip(&mut spreads) {
            let outcome = method.start(runners, k6);
            spreads.push(outcome.spread);
            lateness.extend(outcome.lateness);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let spreads: Vec<Figures> = spreads.into_iter().map(Figures::new).collect();
    println!("spread of the first requests at the target, {runners} runners");
    println!(
        "  {:<32} {:>9} {:>9} {:>9} {:>9}",
        "", "median", "p90", "max", "of (e)"
    );
    let floor = spreads[Method::ALL.len() - 1].median();
    for (method, figures) in Method::ALL.iter().zip(&spreads) {
        println!(
            "  {:<32} {:>9.3} {:>9.3} {:>9.3} {:>8.2}x",
            method.name(),
            millis(figures.median()),
            millis(figures.quantile(0.9)),
            millis(figures.max()),
            figures.median().as_secs_f64() / floor.as_secs_f64(),
        );
    }
    let late = Figures::new(lateness);
    println!(
        "lateness of firing, {runners} runners ({} firings): median {:.3}, p99 {:.3}, max {:.3}\n",
        late.len(),
        millis(late.median()),
        millis(late.quantile(0.99)),
        millis(late.max()),
    );
}
