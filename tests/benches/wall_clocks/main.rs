//! How far apart the first requests of three runners are whose machines' wall clocks differ by minutes, and that have
//! one time server.
//!
//! `make bench` runs it. `TMINUS_BENCH_STARTS` sets how many starts there are (10).
#![allow(clippy::unwrap_used)]

#[path = "../start/figures.rs"]
mod figures;
#[path = "../lateness/progress.rs"]
mod progress;
#[path = "../lateness/report.rs"]
mod report;

use std::{env, thread::available_parallelism, time::Duration};

use chrono::TimeDelta;
use figures::{Figures, millis};
use progress::progress;
use report::{print_bar, signed_millis};
use support::{
    ntp::chronyd::Chronyd,
    programs::{self, K6},
    runner::k6_run,
    wall_clocks::{self, Start},
};

const MS: Duration = Duration::from_millis(1);

/// How early a request may seem: target and agent read the clock at two places.
const READING: TimeDelta = TimeDelta::milliseconds(1);

fn main() {
    // `cargo test --benches` would start it, too, where nobody wants to wait for it.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let starts: usize = env::var("TMINUS_BENCH_STARTS").map_or(10, |text| text.parse().unwrap());
    let (Some(chronyd), Some(k6)) = (programs::chronyd(), K6::V1.program()) else {
        return;
    };
    let server = Chronyd::of_the_machine(&chronyd);
    let k6 = k6_run(&k6, &[], "one-iteration");
    let mut done = Vec::new();
    let progress = progress("starts", starts);
    for _ in 0..starts {
        let Some(start) = wall_clocks::start(server.address(), &k6) else {
            return;
        };
        done.push(start);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let first = Figures::new(done.iter().map(|start| start.first).collect());
    let last = Figures::new(done.iter().map(|start| start.last).collect());
    let apart = Figures::new(done.iter().map(Start::apart).collect());
    println!(
        "three runners whose wall clocks are 130 ms behind, 7 minutes ahead and right, by one chronyd; {} starts; \
         cores: {}; times in ms",
        apart.len(),
        available_parallelism().unwrap()
    );
    println!("  {:<36} {:>9} {:>9} {:>9}", "", "least", "median", "max");
    let row = |name: &str, [least, median, max]: [f64; 3]| {
        println!("  {name:<36} {least:>9.3} {median:>9.3} {max:>9.3}");
    };
    row(
        "earliest first request − instant",
        three(&first, signed_millis),
    );
    row(
        "latest first request − instant",
        three(&last, signed_millis),
    );
    row("first requests apart", three(&apart, millis));
    let (median, most) = (apart.median(), apart.max());
    print_bar("apart by at most 5 ms in the median", median <= 5 * MS);
    print_bar("apart by at most 50 ms always", most <= 50 * MS);
    print_bar(
        "none before the true instant",
        first.quantile(0.0) >= -READING,
    );
}

/// The least, the median and the greatest, in milliseconds.
fn three<T: Copy + Ord>(figures: &Figures<T>, in_millis: fn(T) -> f64) -> [f64; 3] {
    [figures.quantile(0.0), figures.median(), figures.max()].map(in_millis)
}
