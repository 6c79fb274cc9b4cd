//! All the sources that a process asks, and its rounds of asking them.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::OnceLock,
    thread::{self, ScopedJoinHandle},
};

use super::{
    NTP_PORT, NtpSetting, Occasion, Reason, Sample, SoFar, SourceReport, Trouble, claims::Claims,
    limit::Limit, progress::Progress, source::Source,
};
use crate::{Cancel, Clock};

/// The clouds that tell the time at an address that only their own machines
/// reach: Amazon EC2 at one of each family, Google Compute Engine at its metadata
/// server's. (Azure has none.)
const CLOUDS: [(&str, &[IpAddr]); 2] = [
    (
        "AWS",
        &[
            IpAddr::V4(Ipv4Addr::new(169, 254, 169, 123)),
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123)),
        ],
    ),
    (
        "Google Cloud",
        &[IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))],
    ),
];

/// The sources of one setting, and what is known of them from round to round.
pub struct Sources {
    sources: Vec<Source>,
    claims: Claims,
    /// Whether these are clouds of which the first to answer is to be taken.
    first_wins: bool,
}

impl Sources {
    /// The sources that `setting` means. Nothing is asked yet, and no name
    /// resolved.
    pub fn of(setting: &NtpSetting) -> Self {
        match setting {
            NtpSetting::Auto => Self::first_of(CLOUDS.map(|(name, addresses)| {
                let port = |address: &IpAddr| SocketAddr::new(*address, NTP_PORT);
                let addresses: Vec<_> = addresses.iter().map(port).collect();
                Source::fixed(name, &addresses)
            })),
            NtpSetting::None => Self::all(Vec::new()),
            NtpSetting::Servers(servers) => Self::all(servers.iter().map(Source::named).collect()),
        }
    }

    fn all(sources: Vec<Source>) -> Self {
        Self {
            sources,
            claims: Claims::default(),
            first_wins: false,
        }
    }

    fn first_of(sources: impl IntoIterator<Item = Source>) -> Self {
        Self {
            sources: sources.into_iter().collect(),
            claims: Claims::default(),
            first_wins: true,
        }
    }

    /// Whether there is nobody to ask.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Asks every source whose turn it is, all at the same time, and gives what
    /// each said, in the order of the setting; a source whose turn it is not is
    /// left out. Blocks until the last is done, at most about [`Occasion::limit`],
    /// or until `cancel`. The moments in the samples are those of `clock`; what it
    /// believes is not asked.
    ///
    /// Under [`NtpSetting::Auto`], until a cloud has answered, all are asked; the
    /// first to answer is the only one in the result, and the only one that is
    /// asked from then on. Some smear leap seconds and others do not, so they are
    /// never mixed.
    ///
    /// Call it on a thread of its own.
    pub fn round(
        &mut self,
        clock: &Clock,
        occasion: Occasion,
        cancel: &Cancel,
    ) -> Vec<SourceReport> {
        self.round_told(clock, occasion, cancel, &|_, _| {})
    }

    /// The same, of which `so_far` is told whenever somebody has answered and others are
    /// still waited for; not while clouds are looked for, of which the first is taken.
    pub(crate) fn round_told(
        &mut self,
        clock: &Clock,
        occasion: Occasion,
        cancel: &Cancel,
        so_far: &SoFar<'_>,
    ) -> Vec<SourceReport> {
        let names = self.sources.iter().map(|source| source.name().to_owned());
        let progress = Progress::of(names, so_far);
        let race = self.first_wins.then(Race::default);
        let claims = &self.claims;
        let ask = |index, source: &mut Source| {
            let beaten = || race.as_ref().is_some_and(|race| race.is_lost(index));
            let called_off = || cancel.is_cancelled() || beaten();
            let limit = Limit::new(occasion.limit(), &called_off);
            let heard = |address, samples: &[Sample]| match &race {
                Some(race) if !samples.is_empty() => race.finish(index),
                Some(_) => {}
                None => progress.heard(index, address, samples),
            };
            let report = source.ask(clock.timebase(), occasion, limit, claims, &heard);
            if race.is_none() {
                progress.done(index);
            }
            report
        };
        let mut reports = ask_all(&mut self.sources, &ask);
        if let Some(winner) = race.as_ref().and_then(Race::winner) {
            self.sources = vec![self.sources.swap_remove(winner)];
            self.first_wins = false;
            reports = vec![reports.swap_remove(winner)];
        }
        reports.into_iter().flatten().collect()
    }
}

/// Asks each source, which is told by its place, on a thread of its own.
fn ask_all(
    sources: &mut [Source],
    ask: &(dyn Fn(usize, &mut Source) -> Option<SourceReport> + Sync),
) -> Vec<Option<SourceReport>> {
    thread::scope(|scope| {
        let threads: Vec<_> = sources
            .iter_mut()
            .enumerate()
            .map(|(index, source)| {
                let name = source.name().to_owned();
                let thread = thread::Builder::new()
                    .name(format!("NTP {name}"))
                    .spawn_scoped(scope, move || ask(index, source));
                (name, thread)
            })
            .collect();
        threads
            .into_iter()
            .map(|(name, thread)| match thread.map(ScopedJoinHandle::join) {
                Ok(Ok(report)) => report,
                Ok(Err(_)) => Some(unasked(name, "its thread panicked")),
                Err(error) => Some(unasked(name, &error.to_string())),
            })
            .collect()
    })
}

/// Which of several sources answers first.
#[derive(Default)]
struct Race {
    winner: OnceLock<usize>,
}

impl Race {
    fn finish(&self, index: usize) {
        // The second to come is late.
        let _ = self.winner.set(index);
    }

    fn is_lost(&self, index: usize) -> bool {
        self.winner().is_some_and(|winner| winner != index)
    }

    fn winner(&self) -> Option<usize> {
        self.winner.get().copied()
    }
}

fn unasked(source: String, why: &str) -> SourceReport {
    SourceReport {
        source,
        samples: Vec::new(),
        troubles: vec![Trouble {
            address: None,
            reason: Reason::Local(why.to_owned()),
            times: 1,
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_whose_thread_panics_has_a_trouble_and_no_answers() {
        let mut sources = [Source::fixed("cloud", &[])];
        let reports = ask_all(&mut sources, &|_, _| panic!("a bug"));
        let [Some(report)] = reports.as_slice() else {
            panic!("{reports:?}");
        };
        assert_eq!((report.source.as_str(), report.samples.len()), ("cloud", 0));
        assert_eq!(
            report.troubles[0].to_string(),
            "it could not be asked: its thread panicked"
        );
    }
}
