//! `tminus-agent clock`: measures this machine's clock now, and says whether a
//! runner could start by it. What an operator runs on a node.

mod text;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Parser, ValueEnum};
use clock::{Clock, Knowledge, MachineTimebase, SourceKnowledge, Terms};
use rendezvous::code;
use serde_json::{Value, json};

use crate::cli::TimeArguments;

/// Measures this machine's clock now, and says how far it is off and how sure that is.
///
/// Exits with 0 if a runner could start by it, else with 71. Nothing is set.
#[derive(Debug, Parser)]
#[command(
    name = "tminus-agent clock",
    bin_name = "tminus-agent clock",
    version,
    max_term_width = 100
)]
pub struct ClockCheck {
    /// Where the time comes from.
    #[command(flatten)]
    time: TimeArguments,

    /// For people or for programs
    #[arg(
        long,
        env = "TMINUS_OUTPUT",
        value_name = "FORM",
        default_value = "text"
    )]
    output: Output,
}

/// How the answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines and a table.
    Text,
    /// One JSON object.
    Json,
}

/// Measures, tells, and says what to exit with.
#[must_use]
pub fn main(check: &ClockCheck) -> u8 {
    let time = &check.time;
    let clock = clock::measure(MachineTimebase, &time.ntp, time.max_clock_error);
    let answer = Answer::of(&clock, time.terms());
    let text = match check.output {
        Output::Text => text::of(&answer),
        Output::Json => format!("{}\n", answer.json()),
    };
    // Whoever has closed the output still gets the exit code.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if answer.unfit.is_none() {
        0
    } else {
        code::NO_TIME
    }
}

/// What was found.
struct Answer {
    utc: DateTime<Utc>,
    bound: Option<Duration>,
    budget: Duration,
    knowledge: Arc<Knowledge>,
    unfit: Option<String>,
}

impl Answer {
    fn of(clock: &Clock, terms: Terms) -> Self {
        let (reading, fitness) = clock.fit_at(clock.moment(), terms);
        Self {
            utc: reading.midpoint(),
            bound: reading.bound().measured(),
            budget: terms.budget,
            knowledge: clock.knowledge(),
            unfit: fitness.err().map(|unfit| unfit.to_string()),
        }
    }

    fn json(&self) -> Value {
        json!({
            "utc": time(self.utc),
            "bound_ns": self.bound.map(nanos),
            "max_clock_error_ns": nanos(self.budget),
            "offset_ns": self.knowledge.offset.and_then(|offset| offset.num_nanoseconds()),
            "by": self.knowledge.to_string(),
            "fit": self.unfit.is_none(),
            "why_not": self.unfit,
            "sources": self.knowledge.sources.iter().map(object).collect::<Vec<_>>(),
        })
    }
}

fn object(source: &SourceKnowledge) -> Value {
    let figures = source.figures;
    json!({
        "name": source.name,
        "kind": source.kind.to_string(),
        "verdict": source.verdict.to_string(),
        "answered": source.answered,
        "troubles": source.troubles,
        "offset_ns": figures.and_then(|figures| figures.offset.num_nanoseconds()),
        "bound_ns": figures.map(|figures| nanos(figures.bound)),
        "round_trip_ns": figures.map(|figures| nanos(figures.round_trip)),
        "stratum": figures.map(|figures| figures.stratum),
        "root_delay_ns": figures.map(|figures| nanos(figures.root_delay)),
        "root_dispersion_ns": figures.map(|figures| nanos(figures.root_dispersion)),
    })
}

fn time(utc: DateTime<Utc>) -> String {
    utc.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// Five centuries at most.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
