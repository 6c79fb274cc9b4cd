//! A test that is dealt out to several runners by execution segments: none of it is lost and none is done twice.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rendezvous::Phase;
use rstest::rstest;
use support::{
    programs::K6,
    runner::{Launch, SOON, k6_run},
    stage::Stage,
    target::Target,
};

/// Long enough for all runners to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(5);

/// The flags for one of so many runners, as the README has them.
fn segment(number: usize, runners: usize) -> [String; 2] {
    let at = |number| match number {
        0 => "0".to_owned(),
        _ if number == runners => "1".to_owned(),
        _ => format!("{number}/{runners}"),
    };
    let sequence: Vec<_> = (0..=runners).map(at).collect();
    [
        format!("--execution-segment={}:{}", at(number), at(number + 1)),
        format!("--execution-segment-sequence={}", sequence.join(",")),
    ]
}

#[rstest]
#[case::one_runner(1, 10)]
#[case::three_runners(3, 10)]
#[case::seven_runners(7, 10)]
#[case::ten_runners(10, 10)]
// One of them has none.
#[case::three_runners_for_two_vus(3, 2)]
fn the_vus_of_all_runners_are_those_of_the_test_and_so_is_their_load(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[case] runners: usize,
    #[case] vus: u64,
) {
    let Some(k6) = k6.program() else { return };
    let (stage, target) = (Stage::new(), Target::start());
    let (all, each) = (vus.to_string(), format!("--iterations={vus}"));
    let started: Vec<_> = (0..runners)
        .map(|number| {
            let [own, sequence] = segment(number, runners);
            let arguments = ["--vus", &all, &each, &own, &sequence];
            Launch::new(&stage, &format!("runner-{number}"))
                .env("TARGET", target.url())
                .start(k6_run(&k6, &arguments, "one-iteration"))
        })
        .collect();
    let ready = started
        .iter()
        .map(|runner| runner.wait_for_phase(Phase::Ready, SOON));
    let built: Vec<u64> = ready.map(|report| report.vus.unwrap()).collect();
    println!("VUs: {built:?}");
    assert_eq!(built.iter().sum::<u64>(), vus, "{built:?}");
    let (most, least) = (built.iter().max().unwrap(), built.iter().min().unwrap());
    assert!(most - least <= 1, "{built:?}");

    stage.set_in(LEAD);
    for (number, (runner, vus)) in started.iter().zip(&built).enumerate() {
        runner.ended(SOON).assert(Phase::Finished, 0);
        let name = format!("runner-{number}");
        // As many iterations as VUs, and dealt out in the same way.
        assert_eq!(target.load_count(&name), *vus, "{name}");
    }
}
