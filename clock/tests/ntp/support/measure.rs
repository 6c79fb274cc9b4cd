//! Rounds of questions, and how far their answers are off.

use std::{net::SocketAddr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use clock::{
    Cancel, Clock, MachineTimebase,
    ntp::{NtpSetting, Occasion, Sample, SourceReport, Sources},
};

/// The setting that names the servers at these addresses.
pub fn setting(addresses: &[SocketAddr]) -> NtpSetting {
    let servers: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    servers.join(",").parse().unwrap()
}

/// The sources at these addresses.
pub fn sources(addresses: &[SocketAddr]) -> Sources {
    Sources::of(&setting(addresses))
}

pub fn round(clock: &Clock, sources: &mut Sources, occasion: Occasion) -> Vec<SourceReport> {
    sources.round(clock, occasion, &Cancel::new())
}

/// What is told of the troubles, without the address.
pub fn troubles(report: &SourceReport) -> Vec<String> {
    let told = |trouble: &clock::ntp::Trouble| {
        let times = if trouble.times > 1 { " (repeated)" } else { "" };
        format!("{}{times}", trouble.reason)
    };
    report.troubles.iter().map(told).collect()
}

/// A sample and what the wall clock showed at that moment.
pub struct Judged {
    pub sample: Sample,
    /// The two differ where somebody steered the clock during the round.
    wall: [DateTime<Utc>; 2],
}

impl Judged {
    /// What the sample says of UTC, less the wall clock.
    pub fn offset(&self) -> TimeDelta {
        self.sample.utc - self.wall[0]
    }

    /// Whether true UTC, which is `ahead` of the wall clock, is within the bound
    /// of the sample; beyond `reading`, which the wall clock's own may be off.
    pub fn holds(&self, ahead: TimeDelta) -> bool {
        let off = self.wall.map(|wall| (wall + ahead - self.sample.utc).abs());
        off.iter().min().unwrap().to_std().unwrap() <= self.sample.bound + READING
    }
}

/// Tying the wall clock to a moment takes two readings of each.
const READING: Duration = Duration::from_micros(2);

/// Asks all of `addresses` in round after round, until there are `wanted` samples.
pub fn judged(addresses: &[SocketAddr], wanted: usize) -> Vec<Judged> {
    let mut sources = sources(addresses);
    let mut judged = Vec::new();
    let mut empty_rounds = 0;
    while judged.len() < wanted {
        let (before, after) = (
            Clock::system(MachineTimebase),
            Clock::system(MachineTimebase),
        );
        let reports = round(&before, &mut sources, Occasion::Start);
        after.anchor_again();
        let samples: Vec<_> = reports.iter().flat_map(|report| &report.samples).collect();
        empty_rounds = if samples.is_empty() {
            empty_rounds + 1
        } else {
            0
        };
        assert!(empty_rounds < 10, "nobody answers: {reports:?}");
        judged.extend(samples.into_iter().map(|sample| Judged {
            sample: *sample,
            wall: [&before, &after].map(|clock| clock.reading_at(sample.at).midpoint()),
        }));
    }
    judged
}

/// The middle one.
pub fn median<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> T {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    values[values.len() / 2]
}
