//! How far apart the first requests of the pods are, by each way to start them.

use std::time::Duration;

use support::cluster::Cluster;

use crate::{
    cpu::Cpu,
    figures::{Figures, millis},
    methods::{Method, PODS},
    progress::progress,
    report::{print_bar, signed_millis},
};

/// The most that tminus's median may be.
const MEDIAN: Duration = Duration::from_millis(5);

/// How many times as wide the median of what people do today is to be at least.
const TIMES_OF_TODAY: u32 = 100;

/// Prints it, each start in turn.
pub fn print_spreads(cluster: &Cluster, starts: usize) {
    cluster.add_plain_k6();
    let cpu = Cpu::now();
    let mut spreads = vec![Vec::new(); Method::ALL.len()];
    let mut lateness = Vec::new();
    let progress = progress(&format!("starts of {PODS} pods"), starts);
    for _ in 0..starts {
        for (method, spreads) in Method::ALL.iter().zip(&mut spreads) {
            let outcome = method.start(cluster);
            spreads.push(outcome.spread);
            lateness.extend(outcome.lateness);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let (busy, stolen) = (cpu.busy_since(), cpu.stolen_since());
    println!(
        "spread of the first requests of {PODS} pods at a target on their node, {starts} starts of each kind, taken in turn"
    );
    println!("  {:<40} {:>9} {:>9} {:>9}", "", "median", "min", "max");
    let spreads: Vec<Figures> = spreads.into_iter().map(Figures::new).collect();
    for (method, figures) in Method::ALL.iter().zip(&spreads) {
        println!(
            "  {:<40} {:>9.3} {:>9.3} {:>9.3}",
            method.name(),
            millis(figures.median()),
            millis(figures.quantile(0.0)),
            millis(figures.max()),
        );
    }
    let late = Figures::new(lateness);
    println!(
        "  lateness of (a) by the agents' clocks ({} firings): median {:.3}, max {:.3}",
        late.len(),
        signed_millis(late.median()),
        signed_millis(late.max()),
    );
    println!(
        "  (a) has k6 v2.2.0; (b) and (c) have v1.1.0, since v2 has no `k6 resume`, and run beside the API server"
    );
    println!(
        "  all of it on one machine, cluster and target included; meanwhile: cores {:.0} % busy, CPU time stolen by the host {stolen:?}",
        100.0 * busy
    );
    let [tminus, today] = [&spreads[0], &spreads[1]].map(Figures::median);
    print_bar(
        &format!("median of (a) at most {}", millis(MEDIAN)),
        tminus <= MEDIAN,
    );
    print_bar(
        &format!(
            "median of (b) {:.0} times that of (a), at least {TIMES_OF_TODAY}",
            today.as_secs_f64() / tminus.as_secs_f64()
        ),
        tminus * TIMES_OF_TODAY <= today,
    );
    println!();
}
