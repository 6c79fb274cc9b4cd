//! The answer for people: whether the clock will do, what is known, who said it, and what to do about it.

use std::fmt::{self, Write as _};
use std::time::Duration;

use chrono::TimeDelta;
use clock::{Knowledge, SourceKind, SourceKnowledge, Status, Verdict};

use super::{Answer, time};

/// A machine whose time daemon does its work is closer than this.
const WELL_KEPT: TimeDelta = TimeDelta::milliseconds(100);

/// What the columns of the table are called.
const HEADINGS: [&str; 7] = [
    "source",
    "verdict",
    "this clock is off by",
    "round trip",
    "stratum",
    "root delay",
    "root dispersion",
];

pub fn of(answer: &Answer) -> String {
    let mut text = String::new();
    let budget = Millis::of(answer.budget);
    // Writing into a String cannot fail.
    let _ = match (&answer.unfit, answer.bound) {
        (None, Some(bound)) => writeln!(
            text,
            "fit: a runner can start by this clock, which is known to ± {}; {budget} are allowed",
            Millis::of(bound)
        ),
        (None, None) => writeln!(
            text,
            "fit: a runner takes this clock at its word; its error is unmeasured"
        ),
        (Some(why), _) => writeln!(text, "unfit: {why}"),
    };
    let _ = writeln!(text);
    for (name, fact) in facts(answer) {
        let _ = writeln!(text, "{name:<12}{fact}");
    }
    if !answer.knowledge.sources.is_empty() {
        let _ = writeln!(text);
        text.push_str(&table(&answer.knowledge.sources));
    }
    let advice = advice(answer);
    if !advice.is_empty() {
        let _ = writeln!(text);
    }
    for line in advice {
        let _ = writeln!(text, "- {line}");
    }
    text
}

fn facts(answer: &Answer) -> Vec<(&'static str, String)> {
    let knowledge = &answer.knowledge;
    let bound = answer.bound.map_or_else(
        || "unmeasured".to_owned(),
        |bound| format!("± {}", Millis::of(bound)),
    );
    let mut facts = vec![
        ("UTC", format!("{} {bound}", time(answer.utc))),
        ("by", knowledge.to_string()),
    ];
    if let Some(offset) = knowledge.offset {
        let off = Millis(offset.abs());
        let how = match offset {
            offset if offset < TimeDelta::zero() => "ahead",
            _ => "behind",
        };
        let told = format!("{off} {how}; a runner counts that in, and nobody's clock is set");
        facts.push(("this clock", told));
    }
    facts
}

/// One row for each source; what went wrong with it stands below it.
fn table(sources: &[SourceKnowledge]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(sources.iter().map(row));
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    });
    let mut text = String::new();
    let troubles = sources.iter().map(|source| source.troubles.as_deref());
    for (row, trouble) in rows.iter().zip(std::iter::once(None).chain(troubles)) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Names and words to the left, figures to the right.
            let _ = match column {
                0 | 1 => write!(line, "{cell:<width$}  "),
                _ => write!(line, "{cell:>width$}  "),
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(trouble) = trouble {
            let _ = writeln!(text, "    {trouble}");
        }
    }
    text
}

fn row(source: &SourceKnowledge) -> [String; HEADINGS.len()] {
    let name = match source.kind {
        SourceKind::Ntp => format!("NTP {}", source.name),
        SourceKind::Kernel => "kernel".to_owned(),
    };
    let verdict = source.verdict.to_string();
    let Some(figures) = source.figures else {
        let nothing = String::new;
        return [
            name,
            verdict,
            nothing(),
            nothing(),
            nothing(),
            nothing(),
            nothing(),
        ];
    };
    let stratum = match source.kind {
        SourceKind::Ntp => figures.stratum.to_string(),
        SourceKind::Kernel => String::new(),
    };
    [
        name,
        verdict,
        // What has to be added to it is what it lacks.
        format!(
            "{:+} ± {}",
            Millis(-figures.offset),
            Millis::of(figures.bound)
        ),
        Millis::of(figures.round_trip).to_string(),
        stratum,
        Millis::of(figures.root_delay).to_string(),
        Millis::of(figures.root_dispersion).to_string(),
    ]
}

/// What an operator may want to do.
fn advice(answer: &Answer) -> Vec<String> {
    let Knowledge {
        reading,
        offset,
        by,
        sources,
        ..
    } = &*answer.knowledge;
    let mut advice = Vec::new();
    let is_ntp = |status| {
        matches!(
            status,
            Status::Synchronised {
                by: SourceKind::Ntp
            }
        )
    };
    if is_ntp(reading.status) && by.len() == 1 {
        advice.push(
            "one server alone: if it is wrong, nobody notices; of three (--ntp A,B,C) two outvote the third"
                .to_owned(),
        );
    }
    let has = |verdict: fn(&Verdict) -> bool| sources.iter().any(|source| verdict(&source.verdict));
    if has(|verdict| matches!(verdict, Verdict::Falseticker { .. })) {
        advice.push("a falseticker is outvoted: look at that server, or name another".to_owned());
    }
    if has(|verdict| *verdict == Verdict::NoMajority) {
        advice.push(
            "where servers contradict each other, name more of them, or leave out the wrong one"
                .to_owned(),
        );
    }
    let too_wide = answer.bound.is_some_and(|bound| bound > answer.budget);
    if too_wide || has(|verdict| *verdict == Verdict::TooWide) {
        advice.push(
            "a nearer server, with smaller root delay and dispersion, has a smaller error; \
             --max-clock-error allows a wider one"
                .to_owned(),
        );
    }
    if offset.is_some_and(|offset| offset.abs() > WELL_KEPT) {
        advice.push(
            "this machine's time daemon does not keep its clock well: runs are not affected, logs are"
                .to_owned(),
        );
    }
    advice
}

/// Milliseconds, to the microsecond.
struct Millis(TimeDelta);

impl Millis {
    fn of(duration: Duration) -> Self {
        Self(TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
mod tests;
