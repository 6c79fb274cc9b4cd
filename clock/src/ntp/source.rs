//! One source of time: a name and what answers to it. It has one vote, however
//! many addresses it has.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    thread::{self, ScopedJoinHandle},
};

use thiserror::Error;

use super::{
    Occasion, Reason, Sample, Server, Trouble,
    claims::Claims,
    exchange::{self, Answers},
    limit::Limit,
    lookup::Lookup,
    pace::Distance,
    standing::{Standing, Turn},
};
use crate::{Moment, Timebase};

/// What a round got from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    /// The name of the source, as it was given.
    pub source: String,
    /// The valid answers, of all its addresses, in the order in which they came.
    pub samples: Vec<Sample>,
    /// What went wrong, in spite of which there may be samples.
    pub troubles: Vec<Trouble>,
}

/// A source without a single valid answer in a round.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("NTP {source_name}: {}", listed(troubles))]
pub struct SourceFailure {
    /// The name of the source, as it was given.
    pub source_name: String,
    /// Why, at least one.
    pub troubles: Vec<Trouble>,
}

fn listed(troubles: &[Trouble]) -> String {
    let troubles: Vec<_> = troubles.iter().map(ToString::to_string).collect();
    troubles.join("; ")
}

impl SourceReport {
    /// The samples, or why there are none.
    ///
    /// # Errors
    ///
    /// If there is no sample.
    pub fn result(self) -> Result<Vec<Sample>, SourceFailure> {
        if self.samples.is_empty() {
            Err(SourceFailure {
                source_name: self.source,
                troubles: self.troubles,
            })
        } else {
            Ok(self.samples)
        }
    }
}

/// A name, its addresses, and what is known of them.
pub(super) struct Source {
    name: String,
    /// None if its addresses are given.
    lookup: Option<Lookup>,
    addresses: Vec<SocketAddr>,
    /// Of every address that was ever asked: one that refuses is not asked again
    /// either when the name leaves it and comes back to it.
    standings: HashMap<SocketAddr, Standing>,
    /// Whether none of its addresses had a valid answer when last asked.
    failed: bool,
}

impl Source {
    /// A source of given addresses.
    pub(super) fn fixed(name: &str, addresses: &[SocketAddr]) -> Self {
        Self {
            name: name.to_owned(),
            lookup: None,
            addresses: addresses.to_vec(),
            standings: HashMap::new(),
            failed: false,
        }
    }

    /// The source that a server is, which is looked up if it is a name.
    pub(super) fn named(server: &Server) -> Self {
        let address = server.address();
        let addresses: Vec<_> = address
            .map(|address| SocketAddr::new(address.to_canonical(), server.port()))
            .into_iter()
            .collect();
        Self {
            lookup: address.is_none().then(|| Lookup::new(server.clone())),
            ..Self::fixed(&server.to_string(), &addresses)
        }
    }

    /// A name that `resolve` looks up.
    #[cfg(test)]
    fn resolved_by(server: &Server, resolve: super::lookup::Resolve) -> Self {
        Self {
            lookup: Some(Lookup::with(server.clone(), resolve)),
            ..Self::fixed(&server.to_string(), &[])
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Asks all its addresses whose turn it is, at the same time, and waits for
    /// the last; nothing if it is nobody's turn. What `claims` says another name has
    /// is left to that. `so_far` is told all the valid answers that an address has had,
    /// when it pauses and when it is done.
    pub(super) fn ask(
        &mut self,
        timebase: &dyn Timebase,
        occasion: Occasion,
        round: Limit<'_>,
        claims: &Claims,
        so_far: &(dyn Fn(SocketAddr, &[Sample]) + Sync),
    ) -> Option<SourceReport> {
        let now = Moment::read(timebase);
        if self.is_resting(occasion, now) {
            return None;
        }
        let mut troubles: Vec<_> = self.look_up(occasion, round).into_iter().collect();
        let taken = claims.of(&self.name, &self.addresses);
        troubles.extend(taken.iter().map(|(address, owner)| Trouble {
            address: Some(*address),
            reason: Reason::SameAs(owner.clone()),
            times: 1,
        }));
        let turns = self.turns(occasion, now);
        let turns: Vec<_> = turns
            .filter(|(address, _)| !taken.contains_key(address))
            .collect();
        troubles.extend(turns.iter().filter_map(left_alone));
        let due: Vec<_> = turns
            .into_iter()
            .filter_map(|(address, turn)| (turn == Turn::Now).then_some(address))
            .collect();

        let answers = ask_all(&due, &|address| {
            let burst = Distance::of(address.ip()).burst(occasion);
            let said = |samples: &[Sample]| so_far(address, samples);
            let answers = exchange::ask(timebase, address, burst, round, &said);
            said(&answers.samples);
            answers
        });
        let mut samples = Vec::new();
        for (address, answers) in answers {
            let standing = self.standings.entry(address).or_default();
            *standing = standing.after(now, &answers);
            samples.extend(answers.samples);
            troubles.extend(answers.troubles);
        }
        samples.sort_by_key(|sample| sample.at.since(now));
        self.failed = samples.is_empty();
        Some(SourceReport {
            source: self.name.clone(),
            samples,
            troubles,
        })
    }

    /// Whether there is nothing to do: all its addresses wait for their turn, or
    /// it has none and may not look for any.
    fn is_resting(&self, occasion: Occasion, now: Moment) -> bool {
        if self.addresses.is_empty() {
            return !occasion.resolves();
        }
        let mut turns = self.turns(occasion, now);
        turns.all(|(_, turn)| turn == Turn::NotYet)
    }

    fn turns(&self, occasion: Occasion, now: Moment) -> impl Iterator<Item = (SocketAddr, Turn)> {
        self.addresses.iter().map(move |address| {
            let standing = self.standings.get(address).copied().unwrap_or_default();
            let distance = Distance::of(address.ip());
            (*address, standing.turn(distance, occasion, now))
        })
    }

    /// Resolves the name if it is time to. If that fails, the addresses known
    /// stay.
    fn look_up(&mut self, occasion: Occasion, round: Limit<'_>) -> Option<Trouble> {
        let wanted = occasion.resolves() && (self.addresses.is_empty() || self.failed);
        let lookup = self.lookup.as_mut().filter(|_| wanted)?;
        match lookup.addresses(round) {
            Ok(addresses) => {
                self.addresses = addresses;
                None
            }
            Err(failure) => Some(Trouble {
                address: None,
                reason: failure.into(),
                times: 1,
            }),
        }
    }
}

/// Why an address is not asked any more, if it is not.
fn left_alone((address, turn): &(SocketAddr, Turn)) -> Option<Trouble> {
    match turn {
        Turn::Never(kiss) => Some(Trouble {
            address: Some(*address),
            reason: Reason::LeftAlone(*kiss),
            times: 1,
        }),
        Turn::Now | Turn::NotYet => None,
    }
}

/// Asks each address on a thread of its own.
fn ask_all(
    addresses: &[SocketAddr],
    ask: &(dyn Fn(SocketAddr) -> Answers + Sync),
) -> Vec<(SocketAddr, Answers)> {
    thread::scope(|scope| {
        let threads: Vec<_> = addresses
            .iter()
            .map(|address| {
                let thread = thread::Builder::new()
                    .name(format!("NTP {address}"))
                    .spawn_scoped(scope, || ask(*address));
                (*address, thread)
            })
            .collect();
        threads
            .into_iter()
            .map(|(address, thread)| (address, joined(address, thread)))
            .collect()
    })
}

fn joined(address: SocketAddr, thread: io::Result<ScopedJoinHandle<'_, Answers>>) -> Answers {
    let failed = |reason: String| Answers {
        troubles: vec![Trouble {
            address: Some(address),
            reason: Reason::Local(reason),
            times: 1,
        }],
        ..Answers::default()
    };
    match thread {
        Ok(thread) => thread
            .join()
            .unwrap_or_else(|_| failed("its thread panicked".to_owned())),
        Err(error) => failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
