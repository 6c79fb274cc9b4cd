//! How late k6 is told to start, by the clock of the machine that it loads; and what a round of measurements
//! takes, and how far it is from another program's.
//!
//! `make bench` runs it. `TMINUS_BENCH_STARTS` sets how many starts of each kind there are (200).
#![allow(clippy::unwrap_used)]

mod bare_loop;
mod busy;
mod cpu;
#[path = "../start/figures.rs"]
mod figures;
mod firing;
mod progress;
mod report;
mod rounds;
mod target;
mod tminus;

use std::{env, thread::available_parallelism};

use support::{ntp::chronyd::Chronyd, programs};

fn main() {
    // The target and the busy loops are this program as well, each in a process of its own.
    match env::args().nth(1).as_deref() {
        Some(target::ROLE) => return target::serve(),
        Some(busy::ROLE) => return busy::spin(),
        _ => {}
    }
    // `cargo test --benches` would start it, too, where nobody wants to wait for it.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let starts: usize = env::var("TMINUS_BENCH_STARTS").map_or(200, |text| text.parse().unwrap());
    let Some(chronyd) = programs::chronyd() else {
        return;
    };
    let running = Chronyd::of_the_machine(&chronyd);
    let server = running.address();
    println!("cores: {}", available_parallelism().unwrap());
    println!(
        "NTP server: chronyd on loopback with the machine's clock, which the target has, too\n"
    );
    firing::print_lateness(starts, server);
    rounds::print_rounds(starts.div_ceil(2), server);
    rounds::print_differences(starts.div_ceil(20), server, &chronyd);
}
