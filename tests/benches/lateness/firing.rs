//! How late the first byte of a resume is at the target, by the target's clock.

use std::{net::SocketAddr, thread, time::Duration};

use agent::control::ownership::Owner;
use chrono::TimeDelta;
use support::moment::Moment;

use crate::{
    bare_loop, busy,
    cpu::Cpu,
    figures::{Figures, millis},
    progress::progress,
    report::{print_bar, signed_millis},
    target::Target,
    tminus::Tminus,
};

/// From one start to the next. The agent opens its connection while more than 0.2 s are left, and is given some time
/// for that on a busy machine.
const LEAD: Duration = Duration::from_millis(500);

/// The most that the median may be where nothing else runs.
const MEDIAN: Duration = Duration::from_micros(200);

/// How many times as late as the bare loop it may be, p99 to p99.
const OF_THE_BARE_LOOP: f64 = 1.5;

/// What came of all the starts.
#[derive(Default)]
struct Outcome {
    tminus: Vec<TimeDelta>,
    /// What the agent said itself.
    said: Vec<TimeDelta>,
    bare_loop: Vec<TimeDelta>,
    /// How far the agent's clock may have been off, at each of its starts.
    bounds: Vec<Duration>,
    /// How many times the resume was earlier than that allows.
    too_early: usize,
    /// How many times the agent had no warm connection.
    cold: usize,
}

/// Prints it for a machine on which nothing else is made to run, and for one all of whose cores are kept busy.
pub fn print_lateness(starts: usize, server: SocketAddr) {
    println!("lateness at the target in ms, {starts} starts of each kind, taken in turn");
    let cpu = Cpu::now();
    let outcome = starts_by("no busy loops", starts, server);
    print("no busy loops", &outcome, &cpu);
    let median = Figures::new(outcome.tminus).median();
    let median = median.to_std().unwrap_or_default();
    print_bar(
        &format!("tminus: median at most {:.3}", millis(MEDIAN)),
        median <= MEDIAN,
    );
    println!();

    let busy_loops = busy::start();
    let cpu = Cpu::now();
    let outcome = starts_by("a busy loop on each core", starts, server);
    print("a busy loop on each core", &outcome, &cpu);
    drop(busy_loops);
    println!();
}

fn starts_by(beside: &str, starts: usize, server: SocketAddr) -> Outcome {
    let mut target = Target::start();
    let tminus = Tminus::synchronised_by(server);
    let owner = Owner {
        root: target.process(),
        address: target.address,
    };
    let mut outcome = Outcome::default();
    let progress = progress(&format!("starts, {beside}"), starts);
    for _ in 0..starts {
        let instant = Moment::now().utc + LEAD;
        let fired = on_a_thread(|| tminus.start(owner, instant));
        let by_tminus = target.next_resume();
        let lateness = by_tminus.at - instant;
        outcome.tminus.push(lateness);
        outcome.said.push(fired.lateness);
        outcome.bounds.push(fired.bound);
        outcome.too_early += usize::from(is_earlier(lateness, fired.bound));
        outcome.cold += usize::from(!by_tminus.warm);

        let instant = Moment::now().utc + LEAD;
        on_a_thread(|| bare_loop::start(owner.address, instant));
        let by_bare_loop = target.next_resume();
        outcome.bare_loop.push(by_bare_loop.at - instant);
        assert_eq!(by_tminus.bytes, by_bare_loop.bytes, "the same request");
        progress.inc(1);
    }
    progress.finish_and_clear();
    outcome
}

/// The agent waits for the instant on a thread of its own, too.
fn on_a_thread<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(start).join().unwrap())
}

fn is_earlier(lateness: TimeDelta, bound: Duration) -> bool {
    lateness < -TimeDelta::from_std(bound).unwrap()
}

fn print(beside: &str, outcome: &Outcome, cpu: &Cpu) {
    let (busy, stolen) = (cpu.busy_since(), cpu.stolen_since());
    println!("  {beside:<24} {:>9} {:>9} {:>9}", "median", "p99", "max");
    let tminus = print_row("tminus", &outcome.tminus);
    let bare_loop = print_row("bare loop", &outcome.bare_loop);
    print_row("tminus, as it says", &outcome.said);
    let bounds = Figures::new(outcome.bounds.clone());
    println!(
        "  the agent's error bound at the firing: median {:.3}, max {:.3}; without a warm connection: {}",
        millis(bounds.median()),
        millis(bounds.max()),
        outcome.cold,
    );
    println!(
        "  the machine meanwhile: cores {:.0} % busy, CPU time stolen by the host {stolen:?}",
        100.0 * busy
    );
    let ratio = signed_millis(tminus) / signed_millis(bare_loop);
    print_bar(
        &format!("p99 {ratio:.2} times the bare loop's, at most {OF_THE_BARE_LOOP}"),
        ratio <= OF_THE_BARE_LOOP,
    );
    let too_early = outcome.too_early;
    print_bar(
        &format!("earlier than the bound allows {too_early} times, never"),
        too_early == 0,
    );
}

/// Gives the p99.
fn print_row(name: &str, lateness: &[TimeDelta]) -> TimeDelta {
    let figures = Figures::new(lateness.to_vec());
    let p99 = figures.quantile(0.99);
    println!(
        "    {name:<22} {:>9.3} {:>9.3} {:>9.3}",
        signed_millis(figures.median()),
        signed_millis(p99),
        signed_millis(figures.max()),
    );
    p99
}
