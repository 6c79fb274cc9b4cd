//! Faults, each with a name, and rounds of them at random, on real agents and schedulers with a stand-in for k6.
//!
//! A harness of its own, since most of the time everybody waits: many more run at once than there are processors. All
//! else is as ever: `cargo test --test faults -- NAME` runs those whose names contain it.
//!
//! | variable | what it sets |
//! |---|---|
//! | `TMINUS_FAULTS_SEED` | what the rounds are made from, instead of the fixed seed |
//! | `TMINUS_FAULTS_ROUNDS` | how many there are (200) |
//! | `TMINUS_FAULTS_AT_ONCE` | how many may be busy at the same time (12) |
#![allow(clippy::unwrap_used)]

mod fault;
mod invariants;
mod named;
mod random;
mod round;
mod script;
mod store;
mod sum;
mod turns;
mod witness;

use std::{env, fmt::Write, process::ExitCode, str::FromStr, sync::Arc};

use libtest_mimic::{Arguments, Failed, Trial};
use support::stage::Stage;

use named::Expected;
use round::{Round, time};
use script::Script;
use sum::Sum;
use turns::Turns;

const SEED: u64 = 20_260_601;
const ROUNDS: u64 = 200;
const BUSY_AT_ONCE: usize = 12;

/// How many go on at once in all: a few are busy, the others wait for somebody who was killed to be missed.
const AT_ONCE: usize = 96;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let seed = set_by("TMINUS_FAULTS_SEED", SEED);
    let rounds = set_by("TMINUS_FAULTS_ROUNDS", ROUNDS);
    let turns = Arc::new(Turns::new(set_by("TMINUS_FAULTS_AT_ONCE", BUSY_AT_ONCE)));
    println!("seed {seed}, {rounds} rounds");
    let sum = Arc::new(Sum::default());
    let trial = |name: String, script: Script, expected: Option<Expected>, again: String| {
        let (turns, sum) = (Arc::clone(&turns), Arc::clone(&sum));
        Trial::test(name, move || {
            play(&script, expected.as_ref(), (&turns, &sum), &again)
        })
    };
    let named = named::all().into_iter().map(|(name, script, expected)| {
        let again = format!("cargo test --package tminus-tests --test faults -- --exact {name}");
        trial(name, script, Some(expected), again)
    });
    let random = (0..rounds).map(|number| {
        let name = format!("round_{number:03}");
        let again = format!(
            "TMINUS_FAULTS_SEED={seed} TMINUS_FAULTS_ROUNDS={} cargo test --package tminus-tests --test faults -- --exact {name}",
            number + 1
        );
        trial(name, random::script(seed, number), None, again)
    });
    let trials = named.chain(random).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    println!("{sum}");
    conclusion.exit_code()
}

/// What a variable says, else this.
fn set_by<T: FromStr>(variable: &str, otherwise: T) -> T {
    let Some(text) = env::var_os(variable) else {
        return otherwise;
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("{variable} is no number: {}", text.display()))
}

/// Plays a script, and says what was not as it should be.
fn play(
    script: &Script,
    expected: Option<&Expected>,
    (turns, sum): (&Turns, &Sum),
    again: &str,
) -> Result<(), Failed> {
    let stage = Stage::new();
    let mut turn = Some(turns.take());
    let round = Round::play(script, &stage, || drop(turn.take()));
    if round.stuck.is_empty() {
        invariants::wait_for_nothing(&round);
    }
    sum.add(&round);
    let mut broken = invariants::broken(&round);
    broken.extend(
        expected
            .into_iter()
            .flat_map(|expected| expected.unmet(&round)),
    );
    if broken.is_empty() {
        return Ok(());
    }
    Err(account(&round, &broken, again).into())
}

/// All that is known of a round.
fn account(round: &Round<'_>, broken: &[String], again: &str) -> String {
    let mut text = String::new();
    for what in broken {
        writeln!(text, "BROKEN: {what}").unwrap();
    }
    writeln!(text, "once more: {again}\n{}\n{}", round.script, round.log).unwrap();
    for (plan, start_at) in &round.witness.published {
        writeln!(text, "plan {plan} was set for {}", time(*start_at)).unwrap();
    }
    let agents = round.agents.iter().enumerate();
    for (number, agents) in agents {
        for agent in agents {
            let process = agent.process.process();
            let (exit, stderr) = (process.exited(), process.stderr());
            writeln!(text, "--- agent {number}: {exit:?}\n{stderr}").unwrap();
        }
        let record = round.k6s[number].record();
        writeln!(text, "--- k6 {number}: {}", told(&record)).unwrap();
    }
    let schedulers = round.schedulers.iter().enumerate();
    for (number, schedulers) in schedulers {
        for one in schedulers {
            let (exit, stderr) = (one.process.exited(), one.process.stderr());
            let stdout = one.process.stdout();
            writeln!(text, "--- scheduler {number}: {exit:?}\n{stderr}{stdout}").unwrap();
        }
    }
    text
}

/// What a stand-in was sent, without the questions for its status.
fn told(record: &[support::fake_k6::Record]) -> String {
    use support::fake_k6::Event;
    let mut text = String::new();
    for record in record {
        let what = match &record.event {
            Event::Request { request, .. } if request == "GET /v1/status" => continue,
            Event::Request { request, body } => format!("{request} {body}"),
            Event::Started(_) => "started".to_owned(),
            event => format!("{event:?}"),
        };
        write!(text, "\n    {} {what}", time(record.at)).unwrap();
    }
    text
}
