//! Rounds made at random, each from its number and one seed.

use std::time::Duration;

use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rendezvous::{LatePolicy, Phase};
use support::fake_k6::{Answer, Behaviour};

use super::{
    fault::Fault,
    script::{RunnerScript, Script, When},
};

/// The round of this number. The same seed gives the same rounds, however many there are.
pub fn script(seed: u64, number: u64) -> Script {
    let mut dice =
        StdRng::seed_from_u64(seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let runners = dice.random_range(1..=4);
    let schedulers = schedulers(&mut dice);
    let faults = (0..dice.random_range(1..=4))
        .map(|_| {
            let fault = fault(&mut dice, runners, schedulers.len());
            (when(&mut dice), fault)
        })
        .collect();
    Script {
        runners: (0..runners).map(|_| runner(&mut dice)).collect(),
        schedulers,
        wanted: runners,
        minimum: if dice.random_bool(0.3) {
            (runners - 1).max(1)
        } else {
            runners
        },
        // A scheduler that is run again has to hear from everybody, who report every 10 s.
        max_wait: Duration::from_secs(if dice.random_bool(0.4) { 20 } else { 4 }),
        lead: millis(&mut dice, 1000, 2000),
        late: *[
            LatePolicy::Refuse,
            LatePolicy::Refuse,
            LatePolicy::Join,
            LatePolicy::Skip,
        ]
        .choose(&mut dice)
        .unwrap(),
        all_or_none: dice.random_bool(0.2),
        wait: dice.random_bool(0.7),
        left_over: dice.random_bool(0.25),
        faults,
    }
}

/// In half of the rounds there are two, mostly at the very same moment.
fn schedulers(dice: &mut StdRng) -> Vec<Duration> {
    let first = millis(dice, 0, 500);
    let second = match dice.random_range(0..10) {
        0..4 => first + millis(dice, 0, 10),
        4 => first + millis(dice, 10, 2000),
        _ => return vec![first],
    };
    vec![first, second]
}

fn runner(dice: &mut StdRng) -> RunnerScript {
    let resume = match dice.random_range(0..20) {
        0 => Answer::Error(500, "a fault of the test's".to_owned()),
        1 => Answer::Close,
        2 => Answer::Never,
        3 => Answer::Garbage,
        _ => Answer::AsK6,
    };
    RunnerScript {
        comes_after: millis(dice, 0, 1000),
        k6: Behaviour {
            init: Some(millis(dice, 0, 300)),
            building: vec![1; dice.random_range(0..3)],
            setup_takes: millis(dice, 0, 300),
            resume,
            starting: vec![5; dice.random_range(0..3)],
            run: millis(dice, 200, 1500),
            exit_code: if dice.random_bool(0.1) { 99 } else { 0 },
            ..Behaviour::default()
        },
    }
}

fn when(dice: &mut StdRng) -> When {
    match dice.random_range(0..10) {
        0..3 => When::After(millis(dice, 0, 4000)),
        3..7 => {
            let phases = [Phase::Starting, Phase::Ready, Phase::Armed, Phase::Running];
            When::Phase(*phases.choose(dice).unwrap(), millis(dice, 0, 500))
        }
        _ => When::Instant(dice.random_range(-300..=300)),
    }
}

fn fault(dice: &mut StdRng, runners: usize, schedulers: usize) -> Fault {
    let runner = dice.random_range(0..runners);
    let scheduler = dice.random_range(0..schedulers);
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    let signal = *signals.choose(dice).unwrap();
    let time = millis(dice, 50, 2500);
    match dice.random_range(0..24) {
        0..4 => Fault::AgentKilled {
            runner,
            again: dice.random_bool(0.8).then(|| millis(dice, 0, 800)),
        },
        4 => Fault::AgentToldToEnd { runner, signal },
        5..7 => Fault::AgentFrozen { runner, time },
        7 => Fault::K6Killed { runner },
        8 => Fault::K6ToldToEnd { runner },
        9..11 => Fault::K6Frozen { runner, time },
        11..14 => Fault::SchedulerKilled {
            scheduler,
            again: dice.random_bool(0.85).then(|| millis(dice, 0, 1000)),
        },
        14 => Fault::SchedulerToldToEnd { scheduler, signal },
        15 => Fault::SchedulerFrozen { scheduler, time },
        16 => Fault::AnotherScheduler,
        17 => Fault::Abort,
        18 => Fault::StoreAway { time },
        19 => Fault::PlanUnwritable { time },
        20 => Fault::PlanCutOff { time },
        21 => Fault::PlanHeld { time },
        22 => match dice.random_bool(0.5) {
            true => Fault::ReportUnwritable { runner, time },
            false => Fault::ReportHeld { runner, time },
        },
        _ => Fault::ReportCutOff { runner },
    }
}

fn millis(dice: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(dice.random_range(least..=most))
}
