//! What has been said so far in a round that goes on.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use super::{Sample, SourceReport};

/// Who is told of it: what each source that has answered said, and how many more may
/// still answer for the first time.
pub(crate) type SoFar<'a> = dyn Fn(Vec<SourceReport>, usize) + Sync + 'a;

/// What the sources of a round have said so far, in their order.
pub(super) struct Progress<'a> {
    parts: Mutex<Vec<Part>>,
    so_far: &'a SoFar<'a>,
}

/// Of one source.
struct Part {
    source: String,
    samples: BTreeMap<SocketAddr, Vec<Sample>>,
    done: bool,
}

impl<'a> Progress<'a> {
    /// Nothing yet, by sources of these names.
    pub(super) fn of(names: impl Iterator<Item = String>, so_far: &'a SoFar<'a>) -> Self {
        let parts = names.map(|source| Part {
            source,
            samples: BTreeMap::new(),
            done: false,
        });
        Self {
            parts: Mutex::new(parts.collect()),
            so_far,
        }
    }

    /// The source in this place has these answers of that address now.
    pub(super) fn heard(&self, place: usize, address: SocketAddr, samples: &[Sample]) {
        if !samples.is_empty() {
            self.changed(place, |part| {
                part.samples.insert(address, samples.to_vec());
            });
        }
    }

    /// The source in this place is not going to say any more.
    pub(super) fn done(&self, place: usize) {
        self.changed(place, |part| part.done = true);
    }

    fn changed(&self, place: usize, change: impl FnOnce(&mut Part)) {
        // A part is changed as a whole, so that which a panicking thread held is sound.
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts[place]);
        let answered = |part: &&Part| !part.samples.is_empty();
        let awaited = |part: &&Part| part.samples.is_empty() && !part.done;
        let reports: Vec<_> = parts.iter().filter(answered).map(Part::report).collect();
        let awaited = parts.iter().filter(awaited).count();
        // Told while it is locked, so that the news come in their order.
        if !reports.is_empty() && !parts.iter().all(|part| part.done) {
            (self.so_far)(reports, awaited);
        }
    }
}

impl Part {
    fn report(&self) -> SourceReport {
        let mut samples: Vec<_> = self.samples.values().flatten().copied().collect();
        if let Some(first) = samples.first().map(|sample| sample.at) {
            samples.sort_by_key(|sample| sample.at.since(first));
        }
        SourceReport {
            source: self.source.clone(),
            samples,
            troubles: Vec::new(),
        }
    }
}
