//! A model of agents, schedulers and their store, searched through from end to end for small numbers.
//!
//! The decisions are the real ones: the agent's machine and what it judges an instant by, the scheduler's muster, quorum,
//! instant and judgement, the documents as they are written and read. What the I/O around them does is written down here,
//! in steps between which anybody else may come: to look, to decide, to write if nothing was written since, to fire.
//! Time passes in steps of ten seconds, when everybody has done what is due; or somebody is held up. What goes wrong is
//! bounded by a number: processes are killed, and run again; writes fail, or succeed without an answer; k6 dies; somebody
//! aborts the run.
//!
//! In none of all the worlds that can be reached are there two instants, a load twice, before the instant or without a
//! plan of one's own, a success that is none, or anybody who waits for ever. Each of these is found where a mistake is
//! made on purpose.
#![allow(clippy::unwrap_used)]

mod agents;
mod same_store;
mod schedulers;
mod search;
mod store;
mod time;
mod world;

use std::time::Instant;

use rstest::rstest;

use search::{First, search};
use world::{Planted, Setting, World};

const SMALL: Setting = Setting {
    runners: 1,
    schedulers: 1,
    faults: 1,
    left_over: false,
    planted: Planted::Nothing,
};

/// Searches, says how much there was, and gives what was found to be broken.
fn broken(setting: Setting, first: First) -> Option<String> {
    let began = Instant::now();
    let found = search(World::new(setting), first);
    println!(
        "{setting:?}: {} worlds, {} steps, {} ends, in {:?}",
        found.worlds,
        found.steps,
        found.ends,
        began.elapsed()
    );
    let (what, way) = found.broken?;
    for (number, step) in way.iter().enumerate() {
        println!("{number:4} {step:?}");
    }
    println!("BROKEN: {what}");
    Some(what)
}

#[rstest]
#[case::one_of_each(1, 1, 1)]
#[case::two_schedulers(1, 2, 0)]
#[case::two_runners(2, 1, 0)]
fn whatever_happens_it_ends_right(
    #[case] runners: usize,
    #[case] schedulers: usize,
    #[case] faults: u32,
) {
    let setting = Setting {
        runners,
        schedulers,
        faults,
        left_over: true,
        ..SMALL
    };
    assert_eq!(broken(setting, First::Nearest), None);
}

#[rstest]
#[case::two_instants(2, 0, Planted::UnconditionalWrites, "two instants")]
#[case::two_loads(1, 1, Planted::NobodyRemembers, "made its load twice")]
#[case::two_loads_where_a_report_was_lost(1, 2, Planted::ReportsAlone, "made its load twice")]
#[case::another_runs_plan(1, 0, Planted::AnyPlanIsOurs, "without a plan of its own")]
#[case::a_wait_for_ever(1, 0, Planted::NoDeadlines, "never ends")]
fn a_mistake_is_found(
    #[case] schedulers: usize,
    #[case] faults: u32,
    #[case] planted: Planted,
    #[case] expected: &str,
) {
    let setting = Setting {
        schedulers,
        faults,
        left_over: planted == Planted::AnyPlanIsOurs,
        planted,
        ..SMALL
    };
    let found = broken(setting, First::Farthest);
    assert!(
        found.as_ref().is_some_and(|what| what.contains(expected)),
        "{found:?}"
    );
}
