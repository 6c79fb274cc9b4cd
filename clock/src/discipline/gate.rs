//! Whether a clock is good enough to start by.

use std::{fmt, time::Duration};

use super::{figure::Figure, knowledge::Knowledge, source::SourceKind};
use crate::{ErrorBound, Reading, Status};

/// What a clock has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The widest error bound with which a runner may start.
    pub budget: Duration,
    /// Whether NTP servers must have said so: neither the kernel's word nor an
    /// unmeasured clock will do.
    pub require_ntp: bool,
}

/// Why a clock is not good enough, in words for a report: `clock error 180 ms >
/// 50 ms; NTP 10.0.0.2: no answer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    what: What,
    complaints: String,
    found_nobody: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// The bound is over the budget.
    TooWide { bound: Duration, budget: Duration },
    /// It is not synchronised, or in doubt, for this reason.
    NotKnown(String),
    /// NTP is required, and this is what there is instead.
    NotNtp(String),
}

impl Terms {
    /// These, with the smaller of the two budgets.
    #[must_use]
    pub fn within(self, budget: Option<Duration>) -> Self {
        Self {
            budget: budget.map_or(self.budget, |budget| self.budget.min(budget)),
            ..self
        }
    }
}

/// Whether a clock that reads `reading`, knowing `knowledge`, keeps `terms`.
///
/// One that was told to take the machine's clock at its word
/// ([`Status::SystemClock`]) has no bound, and keeps any budget: to have none
/// measured was somebody's decision. It does not keep `require_ntp`.
///
/// # Errors
/// Why it does not. Whoever waits may ask again: a later round may mend it.
pub fn fit(reading: &Reading, knowledge: &Knowledge, terms: Terms) -> Result<(), Unfit> {
    what_is_wrong(reading, knowledge, terms).map_or(Ok(()), |what| {
        Err(Unfit {
            what,
            complaints: knowledge.complaints(),
            found_nobody: found_nobody(knowledge),
        })
    })
}

/// The kernel is asked only where no server has been named, and no cloud's been found.
fn found_nobody(knowledge: &Knowledge) -> bool {
    let mut sources = knowledge.sources.iter();
    sources.any(|source| source.kind == SourceKind::Kernel)
}

fn what_is_wrong(reading: &Reading, knowledge: &Knowledge, terms: Terms) -> Option<What> {
    match reading.status {
        Status::SystemClock if terms.require_ntp => Some(What::NotNtp(knowledge.to_string())),
        Status::Unsynchronised | Status::InDoubt => {
            let obstacle = knowledge.obstacle.map(|obstacle| format!(": {obstacle}"));
            let status = match reading.status {
                Status::InDoubt => "clock in doubt",
                _ => "clock unsynchronised",
            };
            let obstacle = obstacle.unwrap_or_default();
            Some(What::NotKnown(format!("{status}{obstacle}")))
        }
        Status::Synchronised { by } | Status::FreeRunning { by, .. }
            if terms.require_ntp && by != SourceKind::Ntp =>
        {
            Some(What::NotNtp(knowledge.to_string()))
        }
        Status::SystemClock | Status::Synchronised { .. } | Status::FreeRunning { .. } => {
            match reading.bound() {
                ErrorBound::Within(bound) if bound > terms.budget => Some(What::TooWide {
                    bound,
                    budget: terms.budget,
                }),
                ErrorBound::Within(_) | ErrorBound::Unmeasured => None,
            }
        }
    }
}

impl Unfit {
    /// Whether no server was named, no cloud's has answered so far, and what the kernel
    /// says is no use: if that stays so, somebody has to name a server.
    pub fn found_nobody(&self) -> bool {
        self.found_nobody
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::TooWide { bound, budget } => {
                write!(f, "clock error {} > {}", Figure(*bound), Figure(*budget))?;
            }
            What::NotKnown(why) => f.write_str(why)?,
            What::NotNtp(instead) => write!(f, "NTP is required, and the time is from: {instead}")?,
        }
        if !self.complaints.is_empty() {
            write!(f, "; {}", self.complaints)?;
        }
        if self.found_nobody {
            f.write_str("; set --ntp HOST to name a time server")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unfit {}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::discipline::{SourceKnowledge, Verdict};

    #[test]
    fn where_no_server_was_named_and_none_found_it_is_said_how_to_name_one() {
        let reading = Reading {
            earliest: DateTime::UNIX_EPOCH,
            latest: DateTime::UNIX_EPOCH,
            held: DateTime::UNIX_EPOCH,
            status: Status::Unsynchronised,
        };
        let silent = |kind| SourceKnowledge {
            name: "one".to_owned(),
            kind,
            verdict: Verdict::Silent,
            answered: false,
            troubles: None,
            figures: None,
        };
        let told = |kinds: &[SourceKind]| {
            let knowledge = Knowledge {
                sources: kinds.iter().map(|kind| silent(*kind)).collect(),
                ..Knowledge::of_wall_clock(reading)
            };
            let terms = Terms {
                budget: Duration::ZERO,
                require_ntp: false,
            };
            let unfit = fit(&reading, &knowledge, terms).expect_err("nobody answers");
            (unfit.to_string(), unfit.found_nobody())
        };
        assert_eq!(
            told(&[SourceKind::Ntp, SourceKind::Kernel]),
            (
                "clock unsynchronised; NTP one: no answer; kernel: no answer; set --ntp HOST to name a time server"
                    .to_owned(),
                true
            )
        );
        assert_eq!(
            told(&[SourceKind::Ntp]),
            ("clock unsynchronised; NTP one: no answer".to_owned(), false)
        );
    }

    #[test]
    fn an_unmeasured_clock_keeps_any_budget_but_not_that_ntp_is_required() {
        let epoch = DateTime::UNIX_EPOCH;
        let reading = Reading {
            earliest: epoch,
            latest: epoch,
            held: epoch,
            status: Status::SystemClock,
        };
        let knowledge = Knowledge::of_wall_clock(reading);
        let terms = |require_ntp| Terms {
            budget: Duration::ZERO,
            require_ntp,
        };
        assert_eq!(fit(&reading, &knowledge, terms(false)), Ok(()));
        let unfit = fit(&reading, &knowledge, terms(true)).expect_err("it is not NTP");
        assert_eq!(
            unfit.to_string(),
            "NTP is required, and the time is from: system clock"
        );
    }
}
