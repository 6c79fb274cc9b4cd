//! Whom a setting asks for the time.

use std::time::Duration;

use crate::{
    Cancel, Clock, SourceKind,
    discipline::{Answers, Heard},
    kernel::{self, KernelFailure},
    ntp::{NtpSetting, Occasion, Sample, SourceReport, Sources},
};

/// The time servers; and the kernel, while none has been found.
pub(crate) struct Panel {
    sources: Sources,
    /// Whether it is to be found out which servers there are.
    is_looking: bool,
}

impl Panel {
    /// Those that `setting` means; nobody if nothing is to be measured.
    pub(crate) fn of(setting: &NtpSetting) -> Option<Self> {
        (*setting != NtpSetting::None).then(|| Self {
            sources: Sources::of(setting),
            is_looking: *setting == NtpSetting::Auto,
        })
    }

    /// Asks all whose turn it is, and waits for the last, or until `cancel`. What the
    /// kernel says must be within `budget`. `so_far` is told of what has been said while
    /// others are still waited for.
    pub(crate) fn ask(
        &mut self,
        clock: &Clock,
        occasion: Occasion,
        budget: Duration,
        cancel: &Cancel,
        so_far: &(dyn Fn(Answers) + Sync),
    ) -> Answers {
        let told = |reports: Vec<SourceReport>, awaited| {
            so_far(Answers {
                heard: reports.into_iter().map(of_ntp).collect(),
                awaited,
                nobody_else: false,
            });
        };
        let reports = self.sources.round_told(clock, occasion, cancel, &told);
        let mut heard: Vec<_> = reports.into_iter().map(of_ntp).collect();
        let answered = heard.iter().any(|heard| !heard.samples.is_empty());
        // The first cloud that answers is the only source from then on.
        let nobody_else = self.is_looking && answered;
        self.is_looking &= !answered;
        if self.is_looking {
            heard.push(of_kernel(kernel::ask(clock, budget)));
        }
        Answers {
            heard,
            awaited: 0,
            nobody_else,
        }
    }
}

fn of_ntp(report: SourceReport) -> Heard {
    Heard {
        troubles: told(&report),
        name: report.source,
        kind: SourceKind::Ntp,
        samples: report.samples,
    }
}

fn of_kernel(answer: Result<Sample, KernelFailure>) -> Heard {
    let (samples, troubles) = match answer {
        Ok(sample) => (vec![sample], None),
        Err(failure) => (Vec::new(), Some(failure.to_string())),
    };
    Heard {
        name: "kernel".to_owned(),
        kind: SourceKind::Kernel,
        samples,
        troubles,
    }
}

/// What went wrong, without the address where there is only one: the name says it.
fn told(report: &SourceReport) -> Option<String> {
    let troubles = &report.troubles;
    let first = troubles.first()?;
    let several = troubles
        .iter()
        .any(|trouble| trouble.address != first.address);
    let told = troubles.iter().map(|trouble| {
        if several {
            trouble.to_string()
        } else {
            trouble.reason.to_string()
        }
    });
    Some(told.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntp::{Reason, Trouble};

    fn report(addresses: &[&str]) -> SourceReport {
        let refused = |address: &&str| Trouble {
            address: address.parse().ok(),
            reason: Reason::RoundOver,
            times: 1,
        };
        SourceReport {
            source: "ntp1".to_owned(),
            samples: Vec::new(),
            troubles: addresses.iter().map(refused).collect(),
        }
    }

    #[test]
    fn a_source_of_one_address_is_told_of_by_its_name_alone() {
        let why = Reason::RoundOver.to_string();
        assert_eq!(told(&report(&[])), None);
        assert_eq!(told(&report(&["10.0.0.2:123"])), Some(why.clone()));
        assert_eq!(
            told(&report(&["10.0.0.2:123", "10.0.0.3:123"])),
            Some(format!("10.0.0.2:123: {why}; 10.0.0.3:123: {why}"))
        );
    }

    #[test]
    fn nobody_is_asked_where_nothing_is_to_be_measured() {
        assert!(Panel::of(&NtpSetting::None).is_none());
    }

    #[test]
    fn why_the_kernel_is_not_believed_is_told() {
        let heard = of_kernel(Err(KernelFailure::Unsynchronised));
        assert!(heard.samples.is_empty());
        assert_eq!(
            heard.troubles,
            Some(KernelFailure::Unsynchronised.to_string())
        );
    }
}
