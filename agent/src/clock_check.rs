//! `tminus-agent clock`: measures this machine's clock now, and says whether a
//! runner could start by it. What an operator runs on a node.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
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
    /// Lines.
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
        Output::Text => answer.text(time.max_clock_error),
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
    knowledge: std::sync::Arc<Knowledge>,
    unfit: Option<String>,
}

impl Answer {
    fn of(clock: &Clock, terms: Terms) -> Self {
        let (reading, fitness) = clock.fit_at(clock.moment(), terms);
        Self {
            utc: reading.midpoint(),
            bound: reading.bound().measured(),
            knowledge: clock.knowledge(),
            unfit: fitness.err().map(|unfit| unfit.to_string()),
        }
    }

    fn text(&self, budget: Duration) -> String {
        let mut text = String::new();
        let bound = self.bound.map_or_else(
            || "unmeasured".to_owned(),
            |bound| format!("± {}", millis(delta(bound))),
        );
        let offset = self.knowledge.offset.map_or_else(String::new, |offset| {
            format!(", the machine's clock corrected by {:+}", Millis(offset))
        });
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{} {bound}, by {}{offset}",
            time(self.utc),
            self.knowledge
        );
        for source in &self.knowledge.sources {
            let _ = writeln!(text, "  {}", line(source));
        }
        let _ = match &self.unfit {
            None => writeln!(
                text,
                "good enough to start by (budget {})",
                millis(delta(budget))
            ),
            Some(why) => writeln!(text, "not good enough to start by: {why}"),
        };
        text
    }

    fn json(&self) -> Value {
        json!({
            "utc": time(self.utc),
            "bound_ns": self.bound.map(nanos),
            "offset_ns": self.knowledge.offset.and_then(|offset| offset.num_nanoseconds()),
            "by": self.knowledge.to_string(),
            "fit": self.unfit.is_none(),
            "why_not": self.unfit,
            "sources": self.knowledge.sources.iter().map(object).collect::<Vec<_>>(),
        })
    }
}

fn line(source: &SourceKnowledge) -> String {
    let mut line = format!("{} {}: {}", source.kind, source.name, source.verdict);
    if let Some(figures) = source.figures {
        let _ = write!(
            line,
            ", {:+} ± {}, round trip {}, stratum {}, root delay {}, root dispersion {}",
            Millis(figures.offset),
            millis(delta(figures.bound)),
            millis(delta(figures.round_trip)),
            figures.stratum,
            millis(delta(figures.root_delay)),
            millis(delta(figures.root_dispersion)),
        );
    }
    if let Some(troubles) = &source.troubles {
        let _ = write!(line, "; {troubles}");
    }
    line
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

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn millis(delta: TimeDelta) -> String {
    Millis(delta).to_string()
}

/// Milliseconds, to the microsecond.
struct Millis(TimeDelta);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.num_microseconds().unwrap_or(i64::MAX);
        let sign = match (micros < 0, f.sign_plus()) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let micros = micros.unsigned_abs();
        write!(f, "{sign}{}.{:03} ms", micros / 1000, micros % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0.000 ms", "+0.000 ms")]
    #[case(12_345, "12.345 ms", "+12.345 ms")]
    #[case(-7, "-0.007 ms", "-0.007 ms")]
    fn milliseconds_are_told_to_the_microsecond(
        #[case] micros: i64,
        #[case] plain: &str,
        #[case] signed: &str,
    ) {
        let millis = Millis(TimeDelta::microseconds(micros));
        assert_eq!(
            (millis.to_string().as_str(), format!("{millis:+}").as_str()),
            (plain, signed)
        );
    }
}
